//! Subscription to all jobs, or to those of a queue or kind.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::actor::events::feed::Feed;
use crate::actor::events::publisher::CountGuard;
use crate::actor::message::SubscribeToAll;
use crate::actor::send;
use crate::job::{Job, JobId, QueueName};
use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::server::handle::bounds::HeldPermit;

/// Minimum time between two reads of the table. A job that changes several times in between
/// is returned once.
const MIN_READ_INTERVAL: Duration = Duration::from_millis(250);

/// The jobs to subscribe to. A filter without fields matches all jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllFilter {
    /// Only jobs of this queue.
    pub queue: Option<QueueName>,
    /// Only jobs of this kind.
    pub kind: Option<String>,
}

/// An event of the stream of all jobs.
#[derive(Debug, Clone, PartialEq)]
pub enum AllEvent {
    /// The job changed state, or reported progress or log lines. This is its current state, without
    /// payload and result.
    Job(Box<Job>),
    /// The job was deleted.
    Gone(JobId),
    /// At least this many jobs changed without an event for this subscriber, because it was too slow.
    Lost(u64),
}

/// The stream of changes of all jobs, from the subscription on.
pub struct AllEvents {
    handle: Handle,
    filter: AllFilter,
    feed: Arc<Feed>,
    /// Jobs that were taken from the feed and have not been read yet.
    taken: Vec<JobId>,
    /// Events that have been read and not returned yet.
    ready: VecDeque<AllEvent>,
    /// Earliest time of the next read.
    next_at: Instant,
    _count: CountGuard,
    _permit: HeldPermit,
}

impl Handle {
    /// Subscribes to the changes of all jobs that match `filter`, from now on.
    ///
    /// # Errors
    /// Returns [`Error::Overloaded`] if there are
    /// [`MAX_FEEDS`](crate::server::MAX_FEEDS) subscribers already.
    pub fn events(&self, filter: AllFilter) -> Result<AllEvents, Error> {
        let permit = self.feed_permit()?;
        let connections = self.connections();
        let count = CountGuard::new(&connections.publisher.client_counts.subscribers);
        let feed = Arc::new(Feed::new(filter.queue.clone(), self.access().clone()));
        if !send(&connections.announcer, SubscribeToAll(Arc::downgrade(&feed))) {
            return Err(Error::Stopped);
        }
        Ok(AllEvents {
            handle: self.clone(),
            filter,
            feed,
            taken: Vec::new(),
            ready: VecDeque::new(),
            next_at: Instant::now(),
            _count: count,
            _permit: permit,
        })
    }
}

impl AllEvents {
    /// Returns the next event; `None` when the server stops.
    ///
    /// The future may be dropped at any time without losing an event.
    pub async fn next(&mut self) -> Option<AllEvent> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Some(event);
            }
            if self.taken.is_empty() {
                self.take().await?;
            }
            self.read_taken().await?;
        }
    }

    /// Takes the pending jobs of the feed, waiting for some if there are none. Returns `None` if
    /// the server stops.
    async fn take(&mut self) -> Option<()> {
        loop {
            tokio::time::sleep_until(self.next_at).await;
            // No await between taking the jobs and storing them, so that nothing is lost if this
            // future is dropped.
            let (jobs, lost) = self.feed.take();
            if lost > 0 {
                self.ready.push_back(AllEvent::Lost(lost));
            }
            if !jobs.is_empty() {
                self.taken = jobs;
                self.next_at = Instant::now() + MIN_READ_INTERVAL;
                return Some(());
            }
            tokio::select! {
                () = self.feed.notified() => {}
                () = self.handle.stopped() => return None,
            }
        }
    }

    /// Reads the taken jobs and turns them into events. Returns `None` if the read failed.
    async fn read_taken(&mut self) -> Option<()> {
        // One subscriber reads at a time, so that the Reader stays free for lists and pages however many
        // subscribers there are. Changes in the meantime collect in the feed.
        let _turn = self.handle.feed_turn().await?;
        let ids = self.taken.clone();
        let jobs = self.handle.list_read(move |store, _| store.job_summaries(&ids)).await.ok()?;
        let mut jobs = jobs.into_iter().peekable();
        for id in std::mem::take(&mut self.taken) {
            // The jobs are in the order of the requested ids; deleted jobs are missing.
            match jobs.next_if(|job| job.id == id) {
                None => self.ready.push_back(AllEvent::Gone(id)),
                Some(job) if self.filter.matches(&job) => {
                    self.ready.push_back(AllEvent::Job(Box::new(job)));
                }
                Some(_) => {}
            }
        }
        Some(())
    }
}

impl AllFilter {
    fn matches(&self, job: &Job) -> bool {
        self.queue.as_ref().is_none_or(|queue| *queue == job.queue)
            && self.kind.as_ref().is_none_or(|kind| *kind == job.kind)
    }
}
