//! The only place that knows Diesel: jobs in tables, by groups of writes and by reads.
//!
//! A backend is a [`WriteStore`] and any number of [`ReadStore`]s on the same tables. The suite in
//! `tests/store/` holds every backend to the same behaviour.

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
use crate::job::counters::Counters;
use crate::job::queue::{Queue, QueueLoad, QueueName, StateCounts};
use crate::job::{BatchId, Job, JobId, Lane, Log, State, Timestamp};
pub use answer::{Answer, Committed, Finished, Leased, MoveSummary, Refusal, Renewed, Submitted};
pub use write::{
    Finish, Holder, IdempotencyKey, JobLocation, LeaseRequest, LogLines, NewBatch, Renew,
    RescueScope, Submit, Write,
};

/// Why a store could not do its work at all.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk, or what the operator allows of it, is full. Nothing was written; it may be tried
    /// again once there is room.
    #[error("the disk is full: {0}")]
    Full(String),
    /// Another process holds the database for longer than is waited. Nothing was written; it may be
    /// tried again.
    #[error("another process holds the database: {0}")]
    Busy(String),
    /// Whether the group was written is not known. The process has to end: a restart finds out.
    #[error("the database failed, and whether the last transaction was written is not known: {0}")]
    Unknown(String),
    /// It could not be read. Nothing is lost; the caller may try again.
    #[error("the database could not be read: {0}")]
    Unreadable(String),
    /// A row holds what no version of this program writes.
    #[error("the database holds an impossible value: {0}")]
    Corrupt(String),
}

/// Why a database could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open for writing.
    #[error("another process serves {path}: it holds the lock on {path}.lock")]
    InUse {
        /// Which database.
        path: String,
    },
    /// The lock file cannot be made or locked.
    #[error("cannot lock {path}.lock: {error}")]
    Lock {
        /// Which database.
        path: String,
        /// Why.
        error: std::io::Error,
    },
    /// The SQLite library is too old.
    #[error("SQLite {found} can corrupt a database in WAL mode; at least {needed} is needed")]
    OldSqlite {
        /// What is linked.
        found: String,
        /// What would do.
        needed: &'static str,
    },
    /// A log lies beside the database that is not its own: SQLite would write it into it.
    #[error(
        "{} is the log of another database file than {}, which was put in its place: move it away",
        log.display(), path.display()
    )]
    ForeignLog {
        /// Which database.
        path: std::path::PathBuf,
        /// The log.
        log: std::path::PathBuf,
    },
    /// The path is not one that SQLite takes.
    #[error("the database path {0:?} is not UTF-8")]
    BadPath(std::path::PathBuf),
    /// The database cannot be opened or prepared.
    #[error("cannot open the database {path}: {why}")]
    Failed {
        /// Which database.
        path: String,
        /// Why.
        why: String,
    },
}

/// The one that writes. There is one a database and process.
pub trait WriteStore: Send {
    /// Applies `writes` in their order, in one transaction that is on disk when this returns.
    ///
    /// A write that is refused leaves the others of its group unharmed.
    ///
    /// # Errors
    /// [`StoreError::Full`] and [`StoreError::Busy`] where nothing was written and [`StoreError::Unknown`] where that is not
    /// known; the answers are lost in both.
    fn commit(&mut self, writes: &[Write], now: Timestamp) -> Result<Committed, StoreError>;

    /// Begins a new epoch where the database is a copy that was never served, or `is_restored` says
    /// that it is one: no token that was given before is taken from then on. Only right before any
    /// worker starts; a [`RescueScope::Dead`] has to follow, and takes back what ran in the copy.
    ///
    /// # Errors
    /// As [`WriteStore::commit`].
    fn begin_epoch(
        &mut self,
        is_restored: bool,
        now: Timestamp,
    ) -> Result<Option<NewEpoch>, StoreError>;

    /// The queues as they stand, for the roster to begin with.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn queue_loads(&mut self) -> Result<Vec<QueueLoad>, StoreError>;
}

/// One that reads what is committed. There may be many.
pub trait ReadStore: Send {
    /// One job whole: payload, result, failures.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError>;

    /// Jobs, newest first.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn jobs(&mut self, filter: &JobFilter) -> Result<JobPage, StoreError>;

    /// The jobs that failed last, the last one first; without payloads and results.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn recent_failures(&mut self, limit: u32) -> Result<Vec<Job>, StoreError>;

    /// One batch.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn batch(&mut self, id: BatchId) -> Result<Option<Batch>, StoreError>;

    /// Batches, newest first: at most `limit`, older than `before`.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn batches(&mut self, limit: u32, before: Option<BatchId>) -> Result<BatchPage, StoreError>;

    /// Every queue, by name.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn queues(&mut self, now: Timestamp) -> Result<Vec<Queue>, StoreError>;

    /// The queues with the most live jobs, at most so many, by name.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn deepest_queues(&mut self, most: usize, now: Timestamp) -> Result<QueueSubset, StoreError>;

    /// One queue.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn queue(&mut self, name: &QueueName, now: Timestamp) -> Result<Option<Queue>, StoreError>;

    /// The end of a job's log from a position on; none where there is no such job.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn log(&mut self, id: JobId, after: u64) -> Result<Option<Log>, StoreError>;

    /// One job as it stands, without payload and result but with its failures, and its log from a
    /// position on; none where there is no such job.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn job_update(&mut self, id: JobId, log_after: u64) -> Result<Option<JobUpdate>, StoreError>;

    /// Those of these jobs that are there, as lists show them.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn job_summaries(&mut self, ids: &[JobId]) -> Result<Vec<Job>, StoreError>;

    /// What happened in a queue, or in all together, in the stretches that began in a span, first and
    /// last, oldest first.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn time_buckets(
        &mut self,
        queue: Option<&QueueName>,
        span: (Timestamp, Timestamp),
    ) -> Result<Vec<(Timestamp, Counters)>, StoreError>;

    /// How many jobs each queue has, by state.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn counts(&mut self) -> Result<Vec<(QueueName, StateCounts)>, StoreError>;

    /// Looks through the rows behind `after` for jobs that became final before a time.
    ///
    /// # Errors
    /// Where the table cannot be read.
    fn prunable(
        &mut self,
        after: JobId,
        finished_before: Timestamp,
    ) -> Result<Prunable, StoreError>;

    /// Moves what the log holds into the database file, as far as readers allow.
    ///
    /// # Errors
    /// Where the database cannot be written.
    fn checkpoint(&mut self) -> Result<Checkpoint, StoreError>;
}

/// An epoch that has begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NewEpoch {
    /// The smallest token that its leases get.
    pub token_floor: i64,
    /// When the copy was made; none where that is not known.
    pub copied_at: Option<Timestamp>,
}

/// A job and what it has said since.
#[derive(Debug, Clone, PartialEq)]
pub struct JobUpdate {
    /// The job without payload and result, with its failures.
    pub job: Job,
    /// What it has said since.
    pub log: Log,
}

/// Some of the queues.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueSubset {
    /// These.
    pub queues: Vec<Queue>,
    /// How many there are.
    pub all: usize,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobFilter {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those of this queue.
    pub queue: Option<QueueName>,
    /// Only those of this kind.
    pub kind: Option<String>,
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only those of this batch.
    pub batch: Option<BatchId>,
    /// Only those older than this one: the cursor.
    pub before: Option<JobId>,
    /// How many at most.
    pub limit: u32,
    /// With their payloads.
    pub with_payload: bool,
    /// With their results.
    pub with_result: bool,
}

/// A part of a list of jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobPage {
    /// The jobs, newest first. May be fewer than asked for though there are more.
    pub jobs: Vec<Job>,
    /// Where the next part begins; none at the end.
    pub next: Option<JobId>,
}

/// A part of the list of batches.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchPage {
    /// The batches, newest first.
    pub batches: Vec<Batch>,
    /// Where the next part begins; none at the end.
    pub next: Option<BatchId>,
}

/// What a look through the table for old jobs found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prunable {
    /// Jobs that may go.
    pub jobs: Vec<JobId>,
    /// Where to look next; none at the end of the table.
    pub next: Option<JobId>,
}

/// How much of the write-ahead log is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Pages in the log.
    pub log_pages: i64,
    /// Of those, how many are in the database file.
    pub moved_pages: i64,
}

/// How many jobs one transaction moves where time or a death moves many.
pub(crate) const MOVE_AT_ONCE: u32 = 1_000;

/// At how many bytes of payloads the leases of remote workers end in one transaction, though they may
/// be short of jobs then.
pub(crate) const MAX_LEASED_BYTES: usize = 8 << 20;

/// How long a connection waits for another to let go of the database file.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// What a row says that no version of this program writes.
pub(crate) fn corrupt(what: &str, value: i64) -> StoreError {
    StoreError::Corrupt(format!("{what} {value}"))
}

pub(crate) fn lane_of(code: i64) -> Result<Lane, StoreError> {
    Lane::from_code(code).ok_or_else(|| corrupt("lane", code))
}

pub(crate) fn state_of(code: i64) -> Result<State, StoreError> {
    State::from_code(code).ok_or_else(|| corrupt("state", code))
}
