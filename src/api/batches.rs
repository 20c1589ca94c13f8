//! Forms of `/v1/batches`.

use serde::{Deserialize, Serialize};

use crate::job::batch::Batch;
use crate::job::batch::result::BatchResult;
use crate::job::submission::on_end::callback::Callback;
use crate::job::{JobId, Submission};

/// Request to submit jobs as a batch. `L` is the list of jobs: a client may send borrowed jobs, or
/// JSON texts that it has not parsed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with name and jobs")]
pub struct NewBatch<L = Vec<Submission>> {
    /// Name of the batch, shown to people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Webhook to send when all jobs of the batch have ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// Job to submit when all jobs of the batch have completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Box<Submission>>,
    /// Whether jobs can be added until the batch is closed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub open: bool,
    /// Jobs of the batch, possibly none.
    pub jobs: L,
}

/// Request to add jobs to an open batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with jobs")]
pub struct MoreJobs<L = Vec<Submission>> {
    /// The jobs; at least one.
    pub jobs: L,
}

/// Answer to [`MoreJobs`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddedJobs {
    /// The batch with the new jobs.
    pub batch: Batch,
    /// Ids of the new jobs, in the order of submission.
    pub job_ids: Vec<JobId>,
}

/// One page of the list of batches, newest first.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchPage {
    /// Batches of the page.
    pub batches: Vec<Batch>,
    /// Cursor of the next page; `None` on the last page.
    pub next_cursor: Option<String>,
}

/// One page of the results of a batch, in the order of submission. `R` is the form of a result: a client may pass on
/// its JSON text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchResults<R = BatchResult> {
    /// Results of the page.
    pub results: Vec<R>,
    /// `after` of the next page; `None` on the last page.
    pub next_after: Option<JobId>,
}
