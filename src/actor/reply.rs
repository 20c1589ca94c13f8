//! PendingReports those who wait what became of their writes.

use crate::actor::message::{Dispatch, Reply, WriteError, WriteResult};
use crate::store::StoreError;

impl Reply {
    /// Tells what a write gave. It is on disk.
    pub(super) fn answer(self, answer: WriteResult, dispatch: &mut Dispatch) {
        match self {
            Self::Caller { reply, permits } => {
                drop(permits);
                // The open_reply may have gone away; what it asked for is done all the same.
                let _ = reply.send(answer);
            }
            Self::Worker { lease, .. } => {
                if let Err(error) = answer {
                    tracing::warn!(job = %lease.job, %error, "the outcome of an attempt was not taken");
                }
                dispatch.ended.push(lease);
            }
            Self::Nobody => {
                if let Err(error) = answer {
                    tracing::debug!(%error, "a write was refused");
                }
            }
        }
    }

    /// Tells that the server ends.
    pub(super) fn refuse(self) {
        if let Self::Caller { reply, .. } = self {
            let _ = reply.send(Err(WriteError::Unknown));
        }
    }
}

impl WriteError {
    /// What lease_replies are told of an error that left nothing written; none where that is not known.
    pub(super) fn where_nothing_was_written(error: &StoreError) -> Option<Self> {
        match error {
            StoreError::Full(_) => Some(Self::Full),
            StoreError::Busy(_) => Some(Self::Busy),
            StoreError::Unknown(_) | StoreError::Unreadable(_) | StoreError::Corrupt(_) => None,
        }
    }
}
