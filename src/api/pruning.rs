//! Form of `/v1/pruning`.

use serde::{Deserialize, Serialize};

use crate::job::{Span, Timestamp};

/// Whether old final jobs are deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "an object with held")]
pub struct Pruning {
    /// Whether pruning is held, because the server started longer than the retention after its last
    /// activity, so that its clock may be wrong.
    pub held: bool,
    /// Time for which final jobs are kept.
    pub retention: Span,
    /// Time of the server's clock.
    pub now: Timestamp,
    /// Time of the last activity before the start, if pruning is held.
    pub last_activity_at: Option<Timestamp>,
    /// Time at which pruning starts without a confirmation, if it is held.
    pub held_until: Option<Timestamp>,
}
