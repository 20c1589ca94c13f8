//! The error type of handlers.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::job::retry::Pause;
use crate::job::outcome::{JobError, Outcome};
use crate::job::time::Span;

/// Failure of a handler, and whether another attempt may succeed.
///
/// This type does not implement [`Error`], so that `?` can convert every error to it. A converted
/// error is retryable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerError {
    error: JobError,
    retryable: bool,
    retry_in: Option<Span>,
}

impl HandlerError {
    /// Code of an error for which the handler sets no code.
    pub const CODE: &str = "handler";

    /// Returns a failure after which another attempt may succeed.
    pub fn retryable(message: impl fmt::Display) -> Self {
        Self { error: JobError::new(Self::CODE, message), retryable: true, retry_in: None }
    }

    /// Returns a failure after which no further attempt would succeed.
    pub fn fatal(message: impl fmt::Display) -> Self {
        Self { retryable: false, ..Self::retryable(message) }
    }

    /// Sets the machine-readable code of the failure.
    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        self.error = JobError::new(code, self.error.message);
        self
    }

    /// Sets the pause before the next attempt, which replaces the pause of the job's backoff.
    #[must_use]
    pub fn retry_in(mut self, pause: Duration) -> Self {
        self.retry_in = Some(Span::new(pause.min(Span::MAX)));
        self
    }

    /// Returns whether another attempt may succeed.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl<E: Error> From<E> for HandlerError {
    /// Converts an error with all its causes to a retryable failure.
    fn from(error: E) -> Self {
        Self::retryable(chain(&error))
    }
}

impl From<HandlerError> for Outcome {
    fn from(failure: HandlerError) -> Self {
        let HandlerError { error, retryable, retry_in } = failure;
        let retry_in = retry_in.map(Pause::Exactly);
        Self::Failed { error, retryable, retry_in, detail: None }
    }
}

/// Returns the text of an error followed by the texts of its causes. A cause is omitted if the text
/// already contains it, because some errors repeat their cause.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        source = cause.source();
    }
    text
}
