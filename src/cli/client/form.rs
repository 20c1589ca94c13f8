//! What is sent and what comes back.

use serde::{Deserialize, Serialize};

use crate::job::queue::{Queue, QueueName};
use crate::job::{BatchId, Job, Json};

/// An answer: what it says, and its JSON as it came.
#[derive(Debug, Clone)]
pub struct Reply<T> {
    /// What it says.
    pub value: T,
    /// Its JSON as it came.
    pub json: Json,
}

/// Several jobs: the answer to many submissions, or a part of a list.
#[derive(Debug, Clone, Deserialize)]
pub struct JobPage<T = Job> {
    /// The jobs; with [`Json`] for `T`, as they came.
    pub jobs: Vec<T>,
    /// Where the next page begins; none behind the last.
    #[serde(default)]
    pub next_cursor: Option<String>,
}

/// All queues.
#[derive(Debug, Clone, Deserialize)]
pub struct QueueList {
    /// The queues.
    pub queues: Vec<Queue>,
}

/// Which jobs to list.
#[derive(Debug, Clone, Default, Serialize)]
pub struct JobFilter {
    /// Only those in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<&'static str>,
    /// Only those of this queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// Only those of this kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Only those with this tag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Only those of this batch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// At most so many, up to 200.
    pub limit: u64,
    /// Where the page begins.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// What is shown beside the rest: `payload`, `result` or both with a comma.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub include: Option<&'static str>,
}

/// Which jobs to hear of. Names of queues and kinds are plain letters, as the server has them.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Only those of this queue.
    pub queue: Option<QueueName>,
    /// Only those of this kind: a name of the same form.
    pub kind: Option<QueueName>,
}

impl EventFilter {
    /// The query string, with its question mark; empty where all jobs are meant.
    pub(super) fn query(&self) -> String {
        let fields = [("queue", &self.queue), ("kind", &self.kind)].into_iter();
        let fields = fields.filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
        let query = fields.collect::<Vec<_>>().join("&");
        if query.is_empty() { query } else { format!("?{query}") }
    }
}
