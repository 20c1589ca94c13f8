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
