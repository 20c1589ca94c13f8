//! Queued jobs that a lease may take.

use diesel::prelude::*;

/// A queued job that a lease may take.
#[derive(Debug, Clone, Copy, Queryable)]
pub(super) struct CandidateRow {
    priority: i64,
    pub(super) id: i64,
    pub(super) payload_bytes: i64,
}

impl CandidateRow {
    /// Returns the sort key in the order of leases: descending priority, then ascending id.
    pub(super) fn position(&self) -> (i64, i64) {
        (-self.priority, self.id)
    }
}
