//! Delivery of the results of writes to their recipients.

use crate::actor::message::{Dispatch, Reply, WriteError, WriteResult};
use crate::store::StoreError;

impl Reply {
    /// Delivers the result of a write, which is on disk.
    ///
    /// The lease of an attempt that has ended is added to `dispatch`, so that the Dispatcher learns
    /// that its worker is idle.
    pub(super) fn answer(self, answer: WriteResult, dispatch: &mut Dispatch) {
        match self {
            Self::Caller { reply, permits } => {
                drop(permits);
                // The caller may have gone away; its write was applied all the same.
                let _ = reply.send(answer);
            }
            Self::Worker { lease, .. } => {
                if let Err(error) = answer {
                    tracing::warn!(job = %lease.job, %error, "the outcome of an attempt was refused");
                }
                dispatch.ended.push(lease);
            }
            Self::Discard => {
                if let Err(error) = answer {
                    tracing::debug!(%error, "a write was refused");
                }
            }
        }
    }

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
            StoreError::Busy(_) => Some(Self::Busy),
            StoreError::Unknown(_) | StoreError::Unreadable(_) | StoreError::Corrupt(_) => None,
        }
    }
}
