//! Why the server does not do what it was asked for.

use crate::actor::message::WriteError;
use crate::job::problem::Problem;
use crate::job::{BatchId, JobId};
use crate::store::{Refusal, StoreError};

/// Why the server does not do what it was asked for.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The input is wrong. Nothing was done; mend the places and submit again.
    #[error("the input is not valid: {}", list(.0))]
    Invalid(Vec<Problem>),
    /// The rules refuse it, as the state of things is.
    #[error(transparent)]
    Refused(Refusal),
    /// As much is under way as may be. Nothing was done; try again shortly.
    #[error("the server has as much under way as it takes")]
    Overloaded,
    /// The disk is full. Nothing was done; try again when there is room.
    #[error("the disk is full; nothing was stored")]
    StorageFull,
    /// Another process holds the database. Nothing was done; try again shortly.
    #[error("another process holds the database; nothing was stored")]
    Busy,
    /// Whether it was done is not known: the database failed, and the server ends.
    #[error("whether it was stored is not known: the database failed")]
    Unknown,
    /// The database could not be read.
    #[error("the database could not be read")]
    Unreadable,
    /// The server is about to stop and leases nothing any more; try again when it is back.
    #[error("the server is about to stop and leases no jobs")]
    Draining,
    /// The server has been stopped.
    #[error("the server has been stopped")]
    Stopped,
}

fn list(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl Error {
    /// There is no such job.
    pub(crate) fn no_job(id: JobId) -> Self {
        Self::Refused(Refusal::NoJob(id))
    }

    /// There is no such batch.
    pub(crate) fn no_batch(id: BatchId) -> Self {
        Self::Refused(Refusal::NoBatch(id))
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(refusal) => Self::Refused(refusal),
            WriteError::Full => Self::StorageFull,
            WriteError::Busy => Self::Busy,
            WriteError::Unknown => Self::Unknown,
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "a read failed");
        Self::Unreadable
    }
}
