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

/// Returns the number of the first jobs that a lease takes, given the sizes of their payloads: the last of
/// them fills `room`, and may exceed it.
pub(super) fn fitting(sizes: impl Iterator<Item = i64>, room: usize) -> usize {
    let room = i64::try_from(room).unwrap_or(i64::MAX);
    sizes
        .scan(0_i64, |total, size| Some(std::mem::replace(total, total.saturating_add(size))))
        .take_while(|before| *before < room)
        .count()
}
