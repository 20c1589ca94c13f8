//! Request and response types of the client.

use serde::{Deserialize, Serialize};

use crate::job::queue::{Queue, QueueName};
use crate::job::{BatchId, Job, Json};

/// A successful response: the decoded value and the JSON text it was decoded from.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    /// Decoded value.
    pub value: T,
    /// JSON text as the server sent it.
    pub json: Json,
}

/// Several jobs: the response to a submission of many jobs, or one page of a list.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object with jobs and next_cursor")]
pub struct JobPage<T = Job> {
    /// Jobs of the page; with [`Json`] as `T`, as the server sent them.
    pub jobs: Vec<T>,
    /// Cursor of the next page; `None` on the last page.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// The list of all queues.
#[derive(Debug, Clone, Deserialize)]
#[serde(expecting = "an object with queues")]
pub struct QueueList {
    /// All queues of the server.
    pub queues: Vec<Queue>,
}

/// Filter and position of a list of jobs, sent as the query string.
#[derive(Debug, Clone, Default, Serialize)]
pub struct JobFilter {
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
    /// Maximum number of jobs to return, up to 200.
    pub limit: u64,
    /// Cursor of the page; `None` for the first page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// Additional fields to return: `payload`, `result`, or `payload,result`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include: Option<&'static str>,
}

/// Filter of an event stream. The names of queues and kinds need no escaping in a query string.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Receives only events about jobs of this queue.
    pub queue: Option<QueueName>,
    /// Receives only events about jobs of this kind. Kinds have the same form as queue names.
    pub kind: Option<QueueName>,
}

impl EventFilter {
    /// Returns the query string with its question mark, or an empty string without filters.
    pub(super) fn query(&self) -> String {
        let fields = [("queue", &self.queue), ("kind", &self.kind)].into_iter();
        let fields = fields.filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
        let query = fields.collect::<Vec<_>>().join("&");
        if query.is_empty() { query } else { format!("?{query}") }
    }
}
