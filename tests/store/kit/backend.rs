//! A storage backend under test.

use longshore::config::Config;
use longshore::job::{BatchId, JobId, Timestamp};
use longshore::store::{OpenError, ReadStore, WriteStore};

/// A job that delivers a webhook of a job or of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) id: JobId,
    pub(crate) job: Option<JobId>,
    pub(crate) batch: Option<BatchId>,
}

/// Storage backend that the suite can test: one database.
pub(crate) trait Backend {
    /// Creates an empty database.
    fn fresh() -> Self;

    /// Opens the database for writing, and creates its tables if they do not exist.
    fn open(&self, config: &Config) -> Result<Box<dyn WriteStore>, OpenError>;

    /// Opens a read connection.
    fn reads(&self) -> Box<dyn ReadStore>;

    /// Returns the faults that `longshore verify` finds in the database.
    fn faults(&self) -> Vec<String>;

    /// Returns all deliveries, ordered by id.
    fn deliveries(&self) -> Vec<Delivery>;

    /// Returns each batch with end actions, ordered by id, and its follow-up job, once it was inserted.
    fn follow_ups_of_batches(&self) -> Vec<(BatchId, Option<JobId>)>;

    /// Makes a copy of the database, as `longshore backup` does.
    fn backup(&self, now: Timestamp) -> Self;

    /// Runs SQL on the tables directly, past the store.
    fn run_sql(&self, sql: &str);

    /// Runs SQL on the tables directly, with all constraints off.
    fn corrupt(&self, sql: &str);
}
