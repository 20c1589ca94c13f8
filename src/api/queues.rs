//! Forms of `/v1/queues`.

use serde::{Deserialize, Serialize};

use crate::job::queue::Queue;

/// The list of all queues, sorted by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object with queues")]
pub struct QueueList {
    /// All queues of the server.
    pub queues: Vec<Queue>,
}
