//! Forms of `/v1/jobs/cancel`, `/v1/jobs/retry` and `/v1/jobs/delete`.

use serde::{Deserialize, Serialize};

use crate::api::problem::EntryProblem;
use crate::job::JobId;

/// Request to apply one action to many jobs.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobIds {
    /// Ids of the jobs.
    pub ids: Vec<JobId>,
}

/// Results of the action, in the order of the request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobAnswers {
    /// One answer for each job.
    pub answers: Vec<JobAnswer>,
}

/// Result of the action for one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct JobAnswer {
    /// Id of the job.
    pub id: JobId,
    /// HTTP status that the action alone would have had.
    pub status: u16,
    /// Why the action was refused; absent if it was applied.
    #[serde(flatten)]
    pub problem: Option<EntryProblem>,
}
