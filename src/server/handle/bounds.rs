//! Bounds on concurrent requests, and the permits under which requests run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Handle;
use super::answers::{AnswerBudget, AnswerShare, AnswerWeight};
use super::light_bodies::LightBodies;
use super::size::SizeBounds;
use super::turns::Turns;
use super::untaken::Untaken;
use crate::actor::key_usage::Counted;
use crate::config::Limits;
use crate::server::error::Error;

/// Maximum number of concurrent subscribers to all jobs; also the limit of `/v1/events`.
pub const MAX_FEEDS: usize = 256;

/// Maximum number of lists in memory that a Reader has read and nobody has taken. A list has up to 8 MiB.
const LIST_TURNS: usize = 4;

/// Maximum number of leases that all requests of remote workers watch together.
const MAX_WATCHED_LEASES: usize = 100_000;

/// Bounds on concurrent requests.
pub(super) struct Bounds {
    pub(super) writes: Arc<Semaphore>,
    /// The total size of bodies and pending writes.
    pub(super) sizes: SizeBounds,
    /// The total size of small bodies that are waited for.
    pub(super) light_bodies: LightBodies,
    /// The turns of the large requests that are processed at once.
    pub(super) turns: Turns,
    /// Separate from `list_reads`, so that many lists do not refuse status requests.
    point_reads: Arc<Semaphore>,
    list_reads: Arc<Semaphore>,
    waits: HeldConnections,
    /// The total number of watched leases, each of which takes memory in the Announcer.
    watched_leases: Arc<Semaphore>,
    /// Subscribers to all jobs. They have a bound of their own because each costs work for every
    /// job that changes.
    feeds: HeldConnections,
    /// One permit: the feeds read one after another.
    feed_turns: Arc<Semaphore>,
    /// The large jobs that are read and not taken.
    pub(super) untaken: Untaken,
    /// The reads of lists that a Reader runs or whose results wait to be taken. Further reads wait here: a
    /// Reader works on one at a time, and would otherwise pile up large results.
    pub(super) list_turns: Semaphore,
    /// The total size of answers that are not sent yet.
    pub(super) answers: Arc<AnswerBudget>,
}

impl Bounds {
    pub(super) fn new(limits: &Limits) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, |number| number.get());
        Self {
            writes: Arc::new(Semaphore::new(limits.max_writes_in_flight)),
            sizes: SizeBounds::new(limits),
            light_bodies: LightBodies::new(limits),
            turns: Turns::new(cores),
            point_reads: Arc::new(Semaphore::new(limits.max_reads_in_flight)),
            list_reads: Arc::new(Semaphore::new(limits.max_reads_in_flight)),
            waits: HeldConnections::new(limits.max_waits),
            watched_leases: Arc::new(Semaphore::new(MAX_WATCHED_LEASES)),
            feeds: HeldConnections::new(MAX_FEEDS),
            feed_turns: Arc::new(Semaphore::new(1)),
            untaken: Untaken::new(),
            list_turns: Semaphore::new(LIST_TURNS),
            answers: AnswerBudget::new(limits.max_answer_bytes_in_flight),
        }
    }
}

/// A bound on clients that keep their connections for as long as they like.
struct HeldConnections {
    permits: Arc<Semaphore>,
    max: AtomicUsize,
}

impl HeldConnections {
    fn new(max: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(max)), max: AtomicUsize::new(max) }
    }

    /// Lowers the bound, if it is not as low yet. Returns the bound.
    fn lower(&self, max: usize) -> usize {
        let before = self.max.fetch_min(max, Ordering::Relaxed);
        self.permits.forget_permits(before.saturating_sub(max));
        before.min(max)
    }
}

/// A permit for a client that waits or subscribes, or for the leases that it watches.
pub(in crate::server) struct HeldPermit {
    _of_server: OwnedSemaphorePermit,
    _of_key: [Option<Counted>; 2],
}

fn too_many_waits() -> Error {
    Error::KeyLimit(
        "the key has as many waiting requests and event streams as its limit allows".into(),
    )
}

fn too_many_watched_leases() -> Error {
    Error::KeyLimit("the key watches as many leases as its limit allows".into())
}

impl Handle {
    /// Leaves at least a quarter of the connections for clients that neither wait nor subscribe, so that
    /// those who do cannot lock out all others. There is always room for one of each.
    pub(crate) fn bound_waits(&self, max_connections: usize) {
        let held = max_connections / 4 * 3;
        let max_feeds = self.inner.bounds.feeds.lower((max_connections / 4).max(1));
        let max_waits = self.inner.bounds.waits.lower(held.saturating_sub(max_feeds).max(1));
        if max_waits < self.config().limits.max_waits {
            tracing::info!(
                max_waits,
                max_feeds,
                max_connections,
                "the number of connections leaves room for fewer waiting clients than max_waits"
            );
        }
    }

    /// Takes a permit for a client that waits or subscribes to one job or batch.
    pub(in crate::server) fn wait_permit(&self) -> Result<HeldPermit, Error> {
        self.check_key_valid()?;
        let waits = &self.inner.bounds.waits;
        let of_key = self.count_wait()?;
        Ok(HeldPermit { _of_server: try_acquire(&waits.permits, 1)?, _of_key: [of_key, None] })
    }

    /// Takes a permit for watching a number of leases. One key gets at most half of them, so that it does not
    /// keep others from watching theirs.
    pub(in crate::server) fn watched_leases_permit(
        &self,
        leases: usize,
    ) -> Result<HeldPermit, Error> {
        let of_key = self.key_usage().map(|usage| {
            let counted = usage.count_watched_leases(leases, MAX_WATCHED_LEASES);
            counted.ok_or_else(too_many_watched_leases)
        });
        let of_key = [of_key.transpose()?, None];
        let of_server = try_acquire(&self.inner.bounds.watched_leases, leases)?;
        Ok(HeldPermit { _of_server: of_server, _of_key: of_key })
    }

    /// Takes a permit for a subscriber to all jobs.
    pub(in crate::server) fn feed_permit(&self) -> Result<HeldPermit, Error> {
        let feeds = &self.inner.bounds.feeds;
        let wait = self.count_wait()?;
        let feed = self.key_usage().map(|usage| {
            usage.count_feed(feeds.max.load(Ordering::Relaxed)).ok_or_else(too_many_waits)
        });
        let of_key = [wait, feed.transpose()?];
        Ok(HeldPermit { _of_server: try_acquire(&feeds.permits, 1)?, _of_key: of_key })
    }

    /// Counts a wait or subscription of the key of the principal.
    fn count_wait(&self) -> Result<Option<Counted>, Error> {
        let max = self.inner.bounds.waits.max.load(Ordering::Relaxed);
        let counted =
            self.key_usage().map(|usage| usage.count_wait(max).ok_or_else(too_many_waits));
        counted.transpose()
    }

    /// Waits for the turn of this feed to read. Only one feed reads at a time.
    pub(in crate::server) async fn feed_turn(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.inner.bounds.feed_turns).acquire_owned().await.ok()
    }

    pub(in crate::server) fn point_read_permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        try_acquire(&self.inner.bounds.point_reads, 1)
    }

    pub(in crate::server) fn list_read_permit(&self) -> Result<OwnedSemaphorePermit, Error> {
        try_acquire(&self.inner.bounds.list_reads, 1)
    }

    /// Returns the bound on small bodies that are waited for.
    pub(crate) fn light_bodies(&self) -> &LightBodies {
        &self.inner.bounds.light_bodies
    }

    /// Returns the budget for the answers to this server's clients.
    pub(crate) fn answer_budget(&self) -> &Arc<AnswerBudget> {
        &self.inner.bounds.answers
    }

    /// Reserves room for an answer of about this size before the request has an effect. Returns `None` for a
    /// small one, which needs no reservation.
    ///
    /// # Errors
    /// Returns [`Error::Overloaded`] if there is no room for it.
    pub(crate) fn reserve_answer(
        &self,
        share: AnswerShare,
        bytes: usize,
    ) -> Result<Option<AnswerWeight>, Error> {
        self.inner.bounds.answers.reserve(share, bytes)
    }
}

pub(super) fn try_acquire(
    bound: &Arc<Semaphore>,
    count: usize,
) -> Result<OwnedSemaphorePermit, Error> {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    match Arc::clone(bound).try_acquire_many_owned(count) {
        Ok(permit) => Ok(permit),
        Err(_) => Err(Error::Overloaded),
    }
}
