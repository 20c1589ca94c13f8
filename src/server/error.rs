//! The error type of the library's API.

use crate::actor::message::WriteError;
use crate::api::problem::ProblemType;
use crate::job::problem::Problem;
use crate::job::{BatchId, JobId};
use crate::store::{Refusal, StoreError};

/// Reason why a call of a [`Handle`](crate::server::Handle) failed.
///
/// [`Error::Unknown`], [`Error::Unreadable`] and [`Error::Stopped`] may occur after a change was stored.
/// All other errors mean that the call changed nothing.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The input is invalid. Correct the fields that the problems point to, then call again.
    #[error("the input is invalid: {}", Problem::list(.0))]
    Invalid(Vec<Problem>),
    /// A rule refuses the call in the current state of the job, batch, queue or lease. Calling again
    /// does not help; the [`Refusal`] says why.
    #[error(transparent)]
    Refused(Refusal),
    /// The principal of the call may not do this. Use a key that may; the text says what is missing.
    #[error("{0}")]
    Forbidden(String),
    /// The API key of the principal was revoked, or has expired. Use a valid key.
    #[error("the key is not valid")]
    KeyEnded,
    /// The call was made without a key, and the first key was created meanwhile. Use a key.
    #[error("a key is needed: send Authorization: Bearer with a key")]
    KeyNeeded,
    /// The API key is over one of its limits, which the text names. Try again after a second, or raise the limit
    /// under `key_limits` in the configuration.
    #[error("{0}")]
    KeyLimit(String),
    /// Too many requests, waiting clients or subscribers are active. Try again after a second, or
    /// raise the bound under `limits` in the configuration.
    #[error("the server is overloaded: too many requests are in progress")]
    Overloaded,
    /// The disk is full. Free some space; the server accepts writes again by itself, and the call can
    /// be repeated then.
    #[error("the disk is full; nothing was stored")]
    StorageFull,
    /// Another process, such as a database tool, has locked the database for longer than the server
    /// waits. Try again after a few seconds.
    #[error("another process holds the database; nothing was stored")]
    Busy,
    /// The database failed, it is unknown whether the change was stored, and the server is ending.
    /// After the restart, read the job to find out, or repeat the call: a submission with the same
    /// idempotency key does not create a second job.
    #[error("it is unknown whether the change was stored: the database failed")]
    Unknown,
    /// The database could not be read. No data is lost, and the cause is in the log. Try again.
    #[error("the database could not be read")]
    Unreadable,
    /// The operating system returned no random numbers, so no key or secret was created. The cause is in the log.
    #[error("the operating system returned no random numbers")]
    NoRandomness,
    /// The server is draining and leases no more jobs. Try again after its restart.
    #[error("the server is about to stop and leases no more jobs")]
    Draining,
    /// The server has been stopped. Get a handle from a new server, or try again after the restart.
    #[error("the server has been stopped")]
    Stopped,
}

impl Error {
    /// Returns the refusal for a job that does not exist.
    pub(crate) fn no_job(id: JobId) -> Self {
        Self::Refused(Refusal::NoJob(id))
    }

    /// Returns the message for a client. Returns `None` if the error is a fault of this program whose
    /// message names parts of the database; the message is written to the log instead. The message of an
    /// impossible row says how to find it.
    pub(crate) fn client_message(&self) -> Option<String> {
        if let Self::Refused(Refusal::Rejected(why)) = self {
            tracing::error!(why, "the database refused a write that had passed all checks");
            return None;
        }
        if let Self::Refused(Refusal::ImpossibleRow(_)) = self {
            // The store has logged the row.
            return Some(
                "the database holds an impossible row; `longshore verify` shows it".into(),
            );
        }
        Some(self.to_string())
    }

    /// Returns the refusal for a batch that does not exist.
    pub(crate) fn no_batch(id: BatchId) -> Self {
        Self::Refused(Refusal::NoBatch(id))
    }
}

/// The one place that decides how an error is answered; all front ends use it.
impl From<&Error> for ProblemType {
    fn from(error: &Error) -> Self {
        match error {
            Error::Invalid(_) => Self::Invalid,
            Error::Refused(refusal) => refusal.into(),
            Error::Forbidden(_) => Self::Forbidden,
            Error::KeyLimit(_) => Self::KeyLimit,
            Error::KeyEnded => Self::InvalidKey,
            Error::KeyNeeded => Self::KeyNeeded,
            Error::Overloaded => Self::Overloaded,
            Error::StorageFull => Self::StorageFull,
            Error::Busy => Self::DatabaseBusy,
            Error::Unknown => Self::OutcomeUnknown,
            Error::Unreadable | Error::NoRandomness => Self::Internal,
            Error::Draining => Self::Draining,
            Error::Stopped => Self::Stopped,
        }
    }
}

impl From<&Refusal> for ProblemType {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::NoJob(_) | Refusal::NoBatch(_) | Refusal::NoDelivery(..) => Self::NotFound,
            Refusal::NoKey(_) | Refusal::NoWebhookSecret(_) => Self::NotFound,
            Refusal::Conflict { .. } | Refusal::KeyNameTaken(_) => Self::Conflict,
            Refusal::WebhookSecretExists(_) | Refusal::BatchClosed(_) => Self::Conflict,
            Refusal::TooManyKeys(_) => Self::TooManyKeys,
            Refusal::TooManyWebhookSecrets(_) => Self::TooManyWebhookSecrets,
            Refusal::TooManyUnfinished(_) => Self::KeyLimit,
            Refusal::StaleLease => Self::StaleLease,
            Refusal::KeyReused(_) | Refusal::KeyReusedByBatch(_) => Self::IdempotencyKeyReused,
            Refusal::TooManyQueues(_) => Self::TooManyQueues,
            Refusal::InvalidSettings { .. } => Self::Invalid,
            Refusal::ImpossibleRow(_) | Refusal::Rejected(_) => Self::Internal,
        }
    }
}

impl From<WriteError> for Error {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Refused(Refusal::InvalidSettings { pointer, detail }) => {
                Self::Invalid(vec![Problem::new(pointer, detail)])
            }
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
