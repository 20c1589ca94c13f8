//! Watches of leases: a remote worker learns at once that it should stop a job.

use std::sync::Arc;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::actor::events::publisher::CountGuard;
use crate::actor::message::{UnwatchLeases, WatchLeases};
use crate::actor::send;
use crate::api::leases::{CheckedWatchLeasesRequest, UnreadableLease, WatchLeasesRequest};
use crate::job::JobId;
use crate::job::lease::{Lease, LeaseState};
use crate::server::error::Error;
use crate::server::handle::bounds::HeldPermit;
use crate::server::handle::{Handle, MAX_WAIT};

/// Result of a watch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeaseWatchResult {
    /// Leases whose attempts should stop, each with the reason. None of them is
    /// [`LeaseState::Held`].
    pub leases: Vec<(Lease, LeaseState)>,
    /// Entries of the request that cannot be read.
    pub unreadable: Vec<UnreadableLease>,
}

impl LeaseWatchResult {
    fn is_empty(&self) -> bool {
        self.leases.is_empty() && self.unreadable.is_empty()
    }
}

impl Handle {
    /// Returns the leases whose attempts a remote worker should stop, because their jobs were cancelled or
    /// because the worker does not hold them. If there are none, waits for the first one as long as the
    /// request says.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if a field of the request is invalid, [`Error::Overloaded`] if too many
    /// clients wait or watch leases already, and [`Error::KeyLimit`] if those of this key do.
    pub async fn watch_leases(
        &self,
        request: WatchLeasesRequest,
    ) -> Result<LeaseWatchResult, Error> {
        let request = request.check(MAX_WAIT).map_err(Error::Invalid)?;
        let CheckedWatchLeasesRequest { leases, unreadable, wait } = request;
        let deadline = Instant::now() + wait;
        let leases: Arc<[Lease]> = leases.into();
        // The permits cover the reads as well. Otherwise watches would be refused when many jobs are cancelled.
        let _permits = self.watch_permits(leases.len())?;
        let is_waiting = !wait.is_zero() && unreadable.is_empty();
        let watch = if is_waiting { Some(self.add_lease_watch(&leases)?) } else { None };
        let mut unreadable = Some(unreadable);
        loop {
            let found = LeaseWatchResult {
                leases: self.read_lease_states(&leases).await?,
                unreadable: unreadable.take().unwrap_or_default(),
            };
            let Some(watch) = watch.as_ref().filter(|_| found.is_empty()) else { return Ok(found) };
            tokio::select! {
                () = watch.notify.notified() => {}
                () = tokio::time::sleep_until(deadline) => return Ok(found),
                () = self.stopped() => return Ok(found),
            }
        }
    }

    fn watch_permits(&self, leases: usize) -> Result<[HeldPermit; 2], Error> {
        Ok([self.wait_permit()?, self.watched_leases_permit(leases)?])
    }

    /// Registers a watch. This must happen before the leases are read, so that a change between the two is
    /// not missed.
    fn add_lease_watch(&self, leases: &[Lease]) -> Result<LeaseWatch, Error> {
        let connections = self.connections();
        let count = CountGuard::new(&connections.publisher.client_counts.lease_watches);
        let mut jobs: Vec<JobId> = leases.iter().map(|lease| lease.job).collect();
        jobs.dedup();
        let jobs: Arc<[JobId]> = jobs.into();
        let notify = Arc::new(Notify::new());
        let message = WatchLeases { jobs: Arc::clone(&jobs), notify: Arc::downgrade(&notify) };
        if send(&connections.announcer, message) {
            Ok(LeaseWatch { jobs, notify, handle: self.clone(), _count: count })
        } else {
            Err(Error::Stopped)
        }
    }

    /// Returns the leases whose attempts should stop. The caller must hold a permit.
    async fn read_lease_states(
        &self,
        leases: &Arc<[Lease]>,
    ) -> Result<Vec<(Lease, LeaseState)>, Error> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let (leases, key) = (Arc::clone(leases), self.lease_key());
        let read = self.point_read(move |store, _| {
            let states = store.lease_states(&leases, key)?;
            Ok(leases.iter().copied().zip(states).collect::<Vec<_>>())
        });
        let mut states = read.await?;
        states.retain(|(_, state)| *state != LeaseState::Held);
        Ok(states)
    }
}

/// A registered watch; dropping it removes it from the Announcer.
struct LeaseWatch {
    /// Jobs of the leases.
    jobs: Arc<[JobId]>,
    notify: Arc<Notify>,
    handle: Handle,
    _count: CountGuard,
}

impl Drop for LeaseWatch {
    fn drop(&mut self) {
        let message =
            UnwatchLeases { jobs: Arc::clone(&self.jobs), notify: Arc::downgrade(&self.notify) };
        // If the Announcer is gone, so is the watch.
        send(&self.handle.connections().announcer, message);
    }
}
