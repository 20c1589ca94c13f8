//! Outcomes of attempts, and the state that each outcome leads a job to.

pub mod attempt;
mod deferral;
pub mod error;
pub mod retry;
mod settlement;

use std::fmt;

pub use deferral::{Deferral, Deferred};
pub use error::{Failure, JobError, truncate};
pub use settlement::{OUTCOME_UNKNOWN, RunningAttempt, Settlement, settle};

use crate::job::payload::Json;
use crate::job::attempt::{AttemptDetail, MAX_RESULT_EXCERPT_BYTES, head_and_tail};
use crate::job::outcome::retry::Pause;

/// The result of a completed job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobResult {
    /// JSON value. If it was truncated, a JSON string with the start of the original JSON text.
    pub json: Json,
    /// Whether the value was truncated to `max_result_bytes`.
    pub truncated: bool,
    /// What else is known about the attempt. For a truncated value, it has the start and the end of the
    /// value.
    pub detail: Option<Box<AttemptDetail>>,
}

impl JobResult {
    /// Creates a result that is not truncated.
    pub fn whole(json: Json) -> Self {
        Self { json, truncated: false, detail: None }
    }

    /// Creates a result that was truncated to fit into `max_result_bytes`.
    pub fn truncated(json: Json) -> Self {
        Self { json, truncated: true, detail: None }
    }

    /// Truncates the result to `max_bytes`: a longer one becomes a JSON string with the start of
    /// its text. The start and the end of a truncated value are kept in `detail`.
    #[must_use]
    pub fn capped(mut self, max_bytes: usize) -> Self {
        let text = self.json.as_str();
        let is_long = text.len() > max_bytes;
        if !is_long && !self.truncated {
            return self;
        }
        let excerpt = &mut self.detail.get_or_insert_default().result;
        excerpt.get_or_insert_with(|| head_and_tail(text, MAX_RESULT_EXCERPT_BYTES));
        if !is_long {
            return self;
        }
        let start = &text[..text.floor_char_boundary(max_bytes)];
        let json = Json::of(start).unwrap_or_else(|_| Json::null());
        Self { json, truncated: true, ..self }
    }

    /// Returns the failure of a job with a truncated result that does not allow truncation. Another
    /// attempt would return the same result, so it is not retried.
    pub fn too_large(&self) -> Outcome {
        let message = "the result is larger than limits.max_result_bytes; \
            submit the job with truncate_result to keep its start";
        Outcome::Failed {
            error: JobError::new(RESULT_TOO_LARGE, message),
            retryable: false,
            retry_in: None,
            detail: self.detail.clone(),
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The attempt succeeded.
    Completed(JobResult),
    /// The attempt failed.
    Failed {
        /// Error that the attempt ended with.
        error: JobError,
        /// Whether another attempt may succeed.
        retryable: bool,
        /// Pause before the next attempt, if the worker or the called server requested one;
        /// otherwise the job's backoff decides.
        retry_in: Option<Pause>,
        /// What else is known about the attempt.
        detail: Option<Box<AttemptDetail>>,
    },
    /// The job cannot run now, although nothing is wrong with it; the attempt does not count.
    Deferred(Box<Deferral>),
    /// The job was returned unfinished, for example at a shutdown; the attempt does not count.
    Released,
    /// The job was returned before any work was done; the attempt does not count.
    NotStarted,
    /// The attempt was stopped because the job was cancelled. The value is what is known about it.
    Cancelled(Option<Box<AttemptDetail>>),
    /// The outcome is unknown: the lease expired or the worker's process ended. The attempt counts.
    Lost(JobError),
}

impl Outcome {
    /// Creates a failure after which another attempt may succeed.
    pub fn retryable(code: &str, message: impl fmt::Display) -> Self {
        Self::Failed { error: JobError::new(code, message), retryable: true, retry_in: None, detail: None }
    }

    /// Creates a failure that no further attempt can fix.
    pub fn fatal(code: &str, message: impl fmt::Display) -> Self {
        Self::Failed { error: JobError::new(code, message), retryable: false, retry_in: None, detail: None }
    }

    /// Adds what else is known about a failed, completed or cancelled attempt.
    #[must_use]
    pub fn with_detail(mut self, known: AttemptDetail) -> Self {
        if let Self::Failed { detail, .. }
        | Self::Completed(JobResult { detail, .. })
        | Self::Cancelled(detail) = &mut self
        {
            *detail = known.boxed();
        } else if let Self::Deferred(deferral) = &mut self {
            deferral.detail = known.boxed();
        }
        self
    }

    /// Returns what else is known about the attempt.
    pub fn detail(&self) -> Option<&AttemptDetail> {
        match self {
            Self::Failed { detail, .. }
            | Self::Completed(JobResult { detail, .. })
            | Self::Cancelled(detail) => detail.as_deref(),
            Self::Deferred(deferral) => deferral.detail.as_deref(),
            _ => None,
        }
    }
}

/// Error code of a job whose result is larger than `max_result_bytes`.
pub const RESULT_TOO_LARGE: &str = "result_too_large";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_result_is_truncated_between_two_characters_and_flagged() {
        let result = JobResult::whole(Json::of("ääää").unwrap()).capped(4);
        assert!(result.truncated);
        assert_eq!(result.json.as_str(), r#""\"ä""#);
        assert_eq!(result.detail.unwrap().result.as_deref(), Some("\"ääää\""));
    }
}
