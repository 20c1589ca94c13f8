//! Pages of lists of jobs and of batches.

use crate::job::batch::Batch;
use crate::job::batch::result::BatchResult;
use crate::job::{BatchId, Job, JobId};

/// One page of a list of jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct JobPage {
    /// The jobs, newest first; possibly fewer than the limit although more follow.
    pub jobs: Vec<Job>,
    /// Cursor of the next page ([`JobFilter::before`](crate::store::JobFilter::before)); `None` at the end of the list.
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

/// One page of the results of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ResultPage {
    /// The results, in the order of submission; possibly fewer than the limit although more follow.
    pub results: Vec<BatchResult>,
    /// Start of the next page ([`ResultQuery::after`](crate::store::ResultQuery::after)); `None` at the end.
    pub next: Option<JobId>,
}

/// Jobs of a batch in some states.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BatchJobs {
    /// Their ids, smallest first.
    pub jobs: Vec<JobId>,
    /// Start of the next part ([`BatchJobsQuery::after`](crate::store::BatchJobsQuery::after)); `None` at the end.
    pub next: Option<JobId>,
}

/// A batch, and the jobs that have ended after a position. Both are from the same snapshot.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchUpdate {
    /// The batch, without what happens at its end.
    pub batch: Batch,
    /// Jobs that have ended, each with the number of its end, in the order of these numbers. A job that was
    /// retried may be here twice. Jobs that were removed since, or run again, are left out.
    pub ended: Vec<(i64, BatchResult)>,
    /// Number of the last end that was looked at.
    pub last: i64,
    /// Whether there are later ends.
    pub has_more: bool,
}
