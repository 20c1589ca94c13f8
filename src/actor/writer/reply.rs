//! Errors of writes, and the answer to their callers when the server is ending.

use crate::actor::message::{Reply, WriteError};
use crate::store::StoreError;

impl Reply {
    /// Answers a caller that the result is unknown because the server is ending.
    pub(super) fn answer_unknown(self) {
        if let Self::Caller { reply, .. } = self {
            let _ = reply.send(Err(WriteError::Unknown));
        }
    }
}

impl WriteError {
    /// Returns the error for callers if the store guarantees that nothing was written; `None` if it
    /// is unknown whether the transaction was written.
    pub(super) fn if_nothing_was_written(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::Full(_) => Some(Self::Full),
            StoreError::Busy(_) | StoreError::Away(_) => Some(Self::Busy),
            StoreError::Unknown(_)
            | StoreError::Unreadable(_)
            | StoreError::Corrupt(_)
            | StoreError::Moved(_)
            | StoreError::Gone(_) => None,
        }
    }
}
