//! The write side of a backend.

use crate::job::Timestamp;
use crate::job::queue::QueueLoad;
use crate::store::answer::Committed;
use crate::store::error::StoreError;
use crate::store::provider::ProviderStatus;
use crate::store::write::Write;

/// Write side of a backend. A process opens one per database.
///
/// It has one caller at a time: first the start of the server, then the Writer. It takes the time as an
/// argument, never from a clock. The SQLite backend locks the database, so that no second process
/// writes to it.
pub trait WriteStore: Send {
    /// Commits `writes` as one transaction (a commit group), which is on disk when this returns. They
    /// are references because the caller stores each write together with the recipient of its answer.
    ///
    /// - Order: writes are applied in the order of the slice; each sees the effects of those before
    ///   it. [`Committed::answers`] has one entry per write, in the same order.
    /// - Refusals: a write that the rules refuse changes nothing. A write that breaks a constraint of
    ///   the tables is undone and answered with [`Refusal::Rejected`](crate::store::Refusal::Rejected).
    ///   A write that names an impossible row is undone and answered with
    ///   [`Refusal::ImpossibleRow`](crate::store::Refusal::ImpossibleRow); a write of many rows (lease,
    ///   renewal of several leases, stage, expire, rescue, prune, time buckets) skips it. The store logs each such row once.
    ///   None of these affects other writes.
    /// - Counts: the counts of queues and batches change in the same transaction as their jobs, and
    ///   [`Committed::changes`] has each change of a job's state.
    ///
    /// The effect, the answer and the refusals of each write are documented at [`Write`].
    ///
    /// # Errors
    /// Returns [`StoreError::Full`] or [`StoreError::Busy`] if nothing was written. After any other
    /// [`StoreError`] the caller must assume that the outcome is unknown. There are no answers.
    fn commit(&mut self, writes: &[&Write], now: Timestamp) -> Result<Committed, StoreError>;

    /// Starts a new epoch if the database is a copy that was never served, or if `is_restored` is
    /// true. Returns `None` if no new epoch was needed.
    ///
    /// A new epoch raises the smallest lease token above every token granted before, clears the mark of
    /// the copy and skips a range of job and batch ids. Afterwards [`WriteStore::commit`] refuses the
    /// leases of earlier epochs. Call this before any worker starts, and then commit
    /// [`RescueScope::Dead`](crate::store::RescueScope::Dead), which requeues the jobs that were running in the copy.
    ///
    /// # Errors
    /// The same as [`WriteStore::commit`].
    fn begin_epoch(
        &mut self,
        is_restored: bool,
        now: Timestamp,
    ) -> Result<Option<NewEpoch>, StoreError>;

    /// Returns all queues with what the roster needs at the start, in any order.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the tables cannot be read.
    fn queue_loads(&mut self) -> Result<Vec<QueueLoad>, StoreError>;

    /// Returns the status of all providers at `now`, in any order.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the tables cannot be read.
    fn providers(&mut self, now: Timestamp) -> Result<Vec<ProviderStatus>, StoreError>;
}

/// An epoch that was just started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewEpoch {
    /// Smallest lease token of the epoch.
    pub token_floor: i64,
    /// Time at which the copy was made, if the database recorded it.
    pub copied_at: Option<Timestamp>,
}
