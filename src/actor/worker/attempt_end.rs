//! The ways in which an attempt can end, and the outcome of each.

use std::any::Any;

use crate::executor::{StopReason, panic_outcome};
use crate::job::lease::LeasedJob;
use crate::job::outcome::Outcome;

/// How an attempt ended.
pub(super) enum AttemptEnd {
    /// It did not start, because no executor of this server runs jobs of its kind.
    UnknownKind,
    /// Its executor returned. If the attempt was stopped or reached its deadline, the outcome says so.
    Returned(Outcome),
    /// Its executor panicked with this payload.
    Panicked(Box<dyn Any + Send>),
    /// The thread of its blocking handler died.
    ThreadDied,
    /// Its blocking handler did not return in time after it was stopped for this reason.
    StuckAfterStop(StopReason),
}

impl AttemptEnd {
    /// Returns the outcome of the attempt.
    pub(super) fn classify(self, job: &LeasedJob) -> Outcome {
        match self {
            Self::UnknownKind => {
                let message = format!("this server does not run jobs of kind {}", job.kind);
                Outcome::retryable("unknown_kind", message)
            }
            Self::Returned(outcome) => outcome,
            Self::Panicked(panic) => panic_outcome(&*panic),
            Self::ThreadDied => Outcome::retryable("panic", "the handler's thread died"),
            Self::StuckAfterStop(reason) => reason.outcome(job.timeout.duration()),
        }
    }
}
