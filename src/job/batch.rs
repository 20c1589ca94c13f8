//! Batches: jobs that are submitted together, or added one after another, and can be counted and waited for
//! together.

pub mod result;

use serde::{Deserialize, Serialize};

use crate::job::queue::StateCounts;
use crate::job::submission::Submission;
use crate::job::submission::on_end::callback::Callback;
use crate::job::submission::on_end::then::Then;
use crate::job::time::Timestamp;
use crate::job::{BatchId, JobId};

/// Maximum length of a batch name, in bytes.
pub const MAX_NAME_LEN: usize = 200;

/// What a client says of a batch beside its jobs.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchOptions {
    /// Name of the batch, at most [`MAX_NAME_LEN`] bytes.
    pub name: Option<String>,
    /// Webhook to send when all jobs of the batch have ended.
    pub callback: Option<Callback>,
    /// Job to submit when all jobs of the batch have completed.
    pub then: Option<Box<Submission>>,
    /// Whether jobs can be added until the batch is closed.
    pub open: bool,
}

impl From<Option<String>> for BatchOptions {
    fn from(name: Option<String>) -> Self {
        Self { name, ..Self::default() }
    }
}

/// A batch in its current state, in the form that the API returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Id of the batch.
    pub id: BatchId,
    /// Name that the client gave to the batch.
    pub name: Option<String>,
    /// Number of jobs in the batch.
    pub total: i64,
    /// Number of jobs in each state; the sum is `total`. Deleted final jobs still count.
    pub counts: StateCounts,
    /// Time at which the batch was submitted.
    pub created_at: Timestamp,
    /// Time at which the batch ended, because its last job reached a final state or it was closed after that;
    /// `None` until then.
    pub finished_at: Option<Timestamp>,
    /// Whether jobs can be added. An open batch does not end.
    #[serde(default)]
    pub open: bool,
    /// Time at which an open batch closes by itself, unless jobs are added before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closes_at: Option<Timestamp>,
    /// Webhook that is sent when all jobs have ended; omitted from lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// Job that is submitted when all jobs have completed; omitted from lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
}

/// A batch that was just submitted, with the ids of its jobs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SubmittedBatch {
    /// The batch.
    #[serde(flatten)]
    pub batch: Batch,
    /// Ids of its jobs, in the order of submission. Jobs that were deleted since keep their place.
    pub job_ids: Vec<JobId>,
}

/// A batch of which jobs were queued again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetriedBatch {
    /// The batch afterwards.
    #[serde(flatten)]
    pub batch: Batch,
    /// Number of jobs that were queued again.
    pub retried: usize,
    /// Id of the last job that was looked at, if there may be more to queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_after: Option<JobId>,
}

impl Batch {
    /// Returns the number of jobs that are in a final state or deleted.
    pub fn done(&self) -> i64 {
        self.total - self.counts.live()
    }
}
