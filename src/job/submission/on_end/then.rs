//! The follow-up job of a job or batch, as the API shows it.

use serde::{Deserialize, Serialize};

use crate::job::JobId;
use crate::job::queue::QueueName;

/// The follow-up job of a job or batch, as the API shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Then {
    /// Kind of the follow-up job.
    pub kind: String,
    /// Queue of the follow-up job.
    pub queue: QueueName,
    /// Id of the follow-up job, once it was submitted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
}
