//! Results: how the jobs of a batch have ended, without what they were given.

use serde::{Deserialize, Serialize};

use crate::job::{JobError, JobId, Json, State};

/// State and result of one job of a batch, in the form that the API returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchResult {
    /// Id of the job.
    pub id: JobId,
    /// Kind of the job.
    pub kind: String,
    /// Current state of the job. It has a result if it is completed.
    pub state: State,
    /// Result of the job; `null` until it completes.
    pub result: Option<Json>,
    /// Whether the result was truncated to `max_result_bytes`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub result_truncated: bool,
    /// Error of the last attempt if it failed, or the reason for which the job was cancelled.
    pub error: Option<JobError>,
    /// Tags of the job.
    pub tags: Vec<String>,
    /// JSON object of the application, as it was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
}

impl BatchResult {
    /// Returns the size of the texts whose length the client chooses, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let json = |json: &Option<Json>| json.as_ref().map_or(0, |json| json.as_str().len());
        let error = self.error.as_ref().map_or(0, |error| error.message.len());
        json(&self.result) + json(&self.metadata) + error
    }
}
