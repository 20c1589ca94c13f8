//! The filter of a list of jobs, and the part of the results of a batch that a page has.

use crate::job::queue::QueueName;
use crate::job::{BatchId, Job, JobId, State};

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
    /// Whether to read the metadata.
    pub with_metadata: bool,
}

impl JobFilter {
    /// Returns whether a job matches the conditions, wherever it is in the list.
    pub(crate) fn matches(&self, job: &Job) -> bool {
        self.state.is_none_or(|state| job.state == state)
            && self.queue.as_ref().is_none_or(|queue| job.queue == *queue)
            && self.kind.as_ref().is_none_or(|kind| job.kind == *kind)
            && self.tag.as_ref().is_none_or(|tag| job.tags.contains(tag))
            && self.batch.is_none_or(|batch| job.batch == Some(batch))
    }
}

/// Part of the results of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResultQuery {
    /// Batch of the jobs.
    pub batch: BatchId,
    /// Only jobs with a larger id.
    pub after: JobId,
    /// Maximum number of jobs on the page.
    pub limit: u32,
    /// Number of bytes of results and metadata at which the page ends. The last job may exceed it.
    pub max_bytes: usize,
}

/// Jobs of a batch in some states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchJobsQuery {
    /// Batch of the jobs.
    pub batch: BatchId,
    /// States of the jobs.
    pub states: Vec<State>,
    /// Only jobs with a larger id.
    pub after: JobId,
}

/// Part of the ends of the jobs of a batch, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndQuery {
    /// Batch of the jobs.
    pub batch: BatchId,
    /// Only ends with a larger number. If no end has this number yet, all ends.
    pub after: i64,
    /// Maximum number of ends to look at.
    pub limit: u32,
    /// Number of bytes of results and metadata at which the part ends. The last job may exceed it.
    pub max_bytes: usize,
}
