//! Jobs that were submitted together, with joint counts and one end.

use serde::{Deserialize, Serialize};

use crate::job::BatchId;
use crate::job::queue::StateCounts;
use crate::job::time::Timestamp;

/// The longest name of a batch, in bytes.
pub const MAX_NAME_LEN: usize = 200;

/// A batch as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// Its id, never reused.
    pub id: BatchId,
    /// What the client called it.
    pub name: Option<String>,
    /// How many jobs it holds.
    pub total: i64,
    /// Its jobs by state; they add up to `total`. A final job that is deleted still counts.
    pub counts: StateCounts,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When its last job became final; none while any is live.
    pub finished_at: Option<Timestamp>,
}
