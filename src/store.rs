//! Storage: the traits of a backend, and the types that its reads and writes use.
//!
//! A backend is one [`WriteStore`] and any number of [`ReadStore`]s on the same tables. Every backend
//! must pass the suite in `tests/store/`. Diesel is used only in this module.
//!
//! # What a backend stores
//!
//! - Queues: name, [`QueueSettings`](crate::job::queue::QueueSettings) and the number of jobs in each
//!   state. The first write that names a queue creates it; queues are never removed.
//! - Jobs: the fields of [`Job`], the backoff, and the lease token, which is 0 until the first lease.
//!   Job and batch ids are positive, rise and are never reused, not even after a deletion.
//! - Of each job: its result, one failure per failed attempt (keyed by lease token), and the end of
//!   its log with the number of bytes logged in total.
//! - Batches: name, total, jobs by state, and the time at which the last job became final.
//! - Idempotency keys: fingerprint, first job id, number of jobs, batch and time of the submission.
//! - Of each job in the remote lane: the worker name and the duration of its latest lease.
//! - [Time buckets](crate::metrics::time_bucket::TimeBucket) of about the last hour.
//! - The [epoch](crate::job::epoch): the smallest lease token, and whether the database is a copy.

pub mod answer;
#[allow(missing_docs, unreachable_pub, reason = "printed by Diesel")]
mod schema;
mod sql_types;
pub mod sqlite;
pub mod write;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use crate::job::Change;
use crate::job::batch::Batch;
use crate::job::queue::{Queue, QueueLoad, QueueName, StateCounts};
use crate::job::{BatchId, Job, JobId, Lane, Log, State, Timestamp};
use crate::metrics::counters::Counters;
pub use answer::{Answer, Committed, Finished, Leased, MoveSummary, Refusal, Renewed, Submitted};
pub use write::{
    Finish, Holder, JobLocation, LeaseRequest, LogLines, NewBatch, Renew, RescueScope,
    SubmissionKey, Submit, Write,
};

/// Error of a whole transaction or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full, or a file has reached the size that the operator allows. Nothing was
    /// written; the caller may try again when there is room.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Another process locked the database for longer than this process waits. Nothing was written;
    /// the caller may try again.
    #[error("another process holds the database: {0}")]
    Busy(String),
    /// It is unknown whether the transaction was committed. The process must end; the next start
    /// reads what is on disk.
    #[error("the database failed, and whether the last transaction was written is not known: {0}")]
    Unknown(String),
    /// A read failed. Nothing is lost; the caller may try again.
    #[error("the database could not be read: {0}")]
    Unreadable(String),
    /// A row contains a value that no version of this program writes.
    #[error("the database holds an impossible value: {0}")]
    Corrupt(String),
}

/// Error of opening a database.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the database open for writing.
    #[error("another process serves {path}: it holds the lock on {path}.lock")]
    InUse {
        /// Path of the database.
        path: String,
    },
    /// The lock file cannot be created or locked.
    #[error("cannot lock {path}.lock: {error}")]
    Lock {
        /// Path of the database.
        path: String,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// The SQLite library is too old.
    #[error("SQLite {found} can corrupt a database in WAL mode; at least {needed} is needed")]
    OldSqlite {
        /// Version of the SQLite library that is linked.
        found: String,
        /// Oldest version that is accepted.
        needed: &'static str,
    },
    /// A write-ahead log next to the database belongs to another database file. SQLite would write
    /// its pages into this one.
    #[error(
        "{} is the log of another database file, which {} has replaced: move the log away",
        log.display(), path.display()
    )]
    ForeignLog {
        /// Path of the database.
        path: std::path::PathBuf,
        /// Path of the foreign log.
        log: std::path::PathBuf,
    },
    /// The path is not UTF-8, which SQLite requires.
    #[error("the database path {0:?} is not UTF-8")]
    BadPath(std::path::PathBuf),
    /// The database cannot be opened, or its tables cannot be migrated.
    #[error("cannot open the database {path}: {reason}")]
    Failed {
        /// Path of the database.
        path: String,
        /// Description of the cause, for people.
        reason: String,
    },
}

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
    ///   the tables is undone and answered with [`Refusal::Rejected`]. Neither affects other writes.
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
    /// [`RescueScope::Dead`], which requeues the jobs that were running in the copy.
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
}

/// Read side of a backend. There may be several; reads never wait for the write side.
///
/// Each call sees everything that was committed before it started. Except for
/// [`ReadStore::checkpoint`] nothing is written. `now` is used only to compute ages.
///
/// # Errors
/// Every method returns [`StoreError::Unreadable`] if the database cannot be read, and
/// [`StoreError::Corrupt`] if a row contains an impossible value.
pub trait ReadStore: Send {
    /// Returns a job with its payload, result and failures (oldest first), but without its log.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError>;

    /// Returns one page of the jobs that match `filter`, by descending id, without failures.
    ///
    /// The page may have fewer than `limit` jobs, or none, and still name a next page: a backend
    /// bounds the work per page. Payloads and results are included only if the filter asks for them.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn jobs(&mut self, filter: &JobFilter) -> Result<JobPage, StoreError>;

    /// Returns up to `limit` failed jobs, latest `finished_at` first, as [`ReadStore::job_summaries`]
    /// returns them.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn recent_failures(&mut self, limit: u32) -> Result<Vec<Job>, StoreError>;

    /// Returns a batch with its current counts.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn batch(&mut self, id: BatchId) -> Result<Option<Batch>, StoreError>;

    /// Returns up to `limit` batches by descending id, only those with an id below `before`.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn batches(&mut self, limit: u32, before: Option<BatchId>) -> Result<BatchPage, StoreError>;

    /// Returns all queues, ordered by name.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn queues(&mut self, now: Timestamp) -> Result<Vec<Queue>, StoreError>;

    /// Returns the `limit` queues with the most live jobs, ordered by name.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn deepest_queues(&mut self, limit: usize, now: Timestamp) -> Result<QueueSubset, StoreError>;

    /// Returns a queue with its settings and current counts.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn queue(&mut self, name: &QueueName, now: Timestamp) -> Result<Option<Queue>, StoreError>;

    /// Returns the stored log of a job from the byte position `after` on; `None` if there is no such
    /// job. The log of a job that has logged nothing is empty.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn log(&mut self, id: JobId, after: u64) -> Result<Option<Log>, StoreError>;

    /// Returns a job with its failures but without payload and result, and its log from the byte
    /// position `log_after` on; `None` if there is no such job.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn job_update(&mut self, id: JobId, log_after: u64) -> Result<Option<JobUpdate>, StoreError>;

    /// Returns the jobs of `ids` that exist, in the order of `ids`, but without their payloads, results
    /// and failures.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn job_summaries(&mut self, ids: &[JobId]) -> Result<Vec<Job>, StoreError>;

    /// Returns the time buckets of a queue, or the totals of all queues if `queue` is `None`, that
    /// start within `range` (both ends included), oldest first.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn time_buckets(
        &mut self,
        queue: Option<&QueueName>,
        range: (Timestamp, Timestamp),
    ) -> Result<Vec<(Timestamp, Counters)>, StoreError>;

    /// Returns the number of jobs of every queue by state, in any order.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn counts(&mut self) -> Result<Vec<(QueueName, StateCounts)>, StoreError>;

    /// Scans a bounded range of ids above `after` for jobs that became final before
    /// `finished_before`. Call it again with [`Prunable::next`] for the next range.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn prunable(
        &mut self,
        after: JobId,
        finished_before: Timestamp,
    ) -> Result<Prunable, StoreError>;

    /// Copies pages from the write-ahead log into the database file, as far as open snapshots of
    /// readers allow. A backend without such a log returns zeros.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the database cannot be written.
    fn checkpoint(&mut self) -> Result<Checkpoint, StoreError>;
}

/// An epoch that was just started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewEpoch {
    /// Smallest lease token of the epoch.
    pub token_floor: i64,
    /// Time at which the copy was made, if the database recorded it.
    pub copied_at: Option<Timestamp>,
}

/// A job and the part of its log after a given position.
#[derive(Debug, Clone, PartialEq)]
pub struct JobUpdate {
    /// The job without payload and result, with its failures.
    pub job: Job,
    /// The log after the given position.
    pub log: Log,
}

/// A selection of queues.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueSubset {
    /// The selected queues, ordered by name.
    pub queues: Vec<Queue>,
    /// Number of queues in the database.
    pub total: usize,
}

/// Conditions, cursor and size of a page of jobs. `None` means any.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobFilter {
    /// State that the jobs must be in.
    pub state: Option<State>,
    /// Queue that the jobs must belong to.
    pub queue: Option<QueueName>,
    /// Kind that the jobs must have.
    pub kind: Option<String>,
    /// Tag that the jobs must have.
    pub tag: Option<String>,
    /// Batch that the jobs must belong to.
    pub batch: Option<BatchId>,
    /// Cursor: only jobs with a smaller id.
    pub before: Option<JobId>,
    /// Maximum number of jobs on the page.
    pub limit: u32,
    /// Whether to read the payloads.
    pub with_payload: bool,
    /// Whether to read the results.
    pub with_result: bool,
}

/// One page of a list of jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobPage {
    /// The jobs, newest first; possibly fewer than the limit although more follow.
    pub jobs: Vec<Job>,
    /// Cursor of the next page ([`JobFilter::before`]); `None` at the end of the list.
    pub next: Option<JobId>,
}

/// One page of the list of batches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchPage {
    /// The batches, newest first.
    pub batches: Vec<Batch>,
    /// Cursor of the next page (`before`); `None` at the end of the list.
    pub next: Option<BatchId>,
}

/// Old final jobs found in one range of ids.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prunable {
    /// Jobs that may be removed.
    pub jobs: Vec<JobId>,
    /// Id after which the next range starts; `None` at the end of the table.
    pub next: Option<JobId>,
}

/// Progress of a checkpoint of the write-ahead log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of pages in the log.
    pub log_pages: i64,
    /// Number of those pages that are also in the database file.
    pub moved_pages: i64,
}

/// Maximum number of jobs that one stage, expire or rescue moves in a transaction.
pub(crate) const MOVE_AT_ONCE: u32 = 1_000;

/// Number of payload bytes at which a transaction stops leasing to remote workers, even if they
/// asked for more jobs.
pub(crate) const MAX_LEASED_BYTES: usize = 8 << 20;

/// Maximum time that a connection waits for a lock of another connection on the database file.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Returns the error for a column value that no version of this program writes.
pub(crate) fn corrupt(column: &str, value: i64) -> StoreError {
    StoreError::Corrupt(format!("{column} {value}"))
}

/// Returns the lane with the number `code`.
pub(crate) fn lane_of(code: i64) -> Result<Lane, StoreError> {
    Lane::from_code(code).ok_or_else(|| corrupt("lane", code))
}

/// Returns the state with the number `code`.
pub(crate) fn state_of(code: i64) -> Result<State, StoreError> {
    State::from_code(code).ok_or_else(|| corrupt("state", code))
}
