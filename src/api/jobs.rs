//! Forms of `/v1/jobs`.

use serde::{Deserialize, Serialize};

use crate::job::{BatchId, Job, QueueName};

/// Response to the submission of several jobs, in the order of the request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object with jobs")]
pub struct SubmittedJobs {
    /// The submitted jobs.
    pub jobs: Vec<Job>,
}

/// One page of the list of jobs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object with jobs and next_cursor")]
pub struct JobPage<J = Job> {
    /// Jobs of the page. With [`Json`](crate::job::Json) as `J` a client gets them as the server
    /// sent them.
    pub jobs: Vec<J>,
    /// Cursor of the next page; `None` on the last page.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// Filter and position of a list of jobs, sent as the query string.
#[derive(Debug, Clone, Default, Serialize)]
pub struct JobListQuery {
    /// Lists only jobs in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// Lists only jobs of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// Lists only jobs of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Lists only jobs with this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Lists only jobs of this batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// Maximum number of jobs to return, 1 to 200.
    pub limit: u64,
    /// Cursor of the page; `None` for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Additional fields to return: `payload`, `result`, or `payload,result`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include: Option<&'static str>,
}

impl JobListQuery {
    /// Names of the parameters.
    pub const PARAMETERS: [&str; 8] =
        ["state", "queue", "kind", "tag", "batch", "limit", "cursor", "include"];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_parameters_names_every_field_of_the_query() {
        let query = JobListQuery {
            state: Some("queued"),
            queue: Some(QueueName::default()),
            kind: Some("echo".into()),
            tag: Some("red".into()),
            batch: Some(BatchId(1)),
            limit: 50,
            cursor: Some("7".into()),
            include: Some("payload"),
        };
        let fields = serde_json::to_value(&query).unwrap();
        let fields = fields.as_object().unwrap();
        assert_eq!(fields.len(), JobListQuery::PARAMETERS.len());
        assert!(JobListQuery::PARAMETERS.iter().all(|name| fields.contains_key(*name)));
    }
}
