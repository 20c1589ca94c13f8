//! Why a handler failed.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::job::outcome::{JobError, Outcome};
use crate::job::time::Span;

/// Why a handler failed, and whether another attempt may help.
///
/// It is not an [`Error`] itself, so that every error becomes one with `?`, as retryable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HandlerError {
    error: JobError,
    retryable: bool,
    retry_in: Option<Span>,
}

impl HandlerError {
    /// The code of an error that was given none.
    pub const CODE: &str = "handler";

    /// A failure that another attempt may mend.
    pub fn retryable(message: impl fmt::Display) -> Self {
        Self { error: JobError::new(Self::CODE, message), retryable: true, retry_in: None }
    }

    /// A failure that no further attempt would mend.
    pub fn fatal(message: impl fmt::Display) -> Self {
        Self { retryable: false, ..Self::retryable(message) }
    }

    /// The same failure with a word for programs.
    #[must_use]
    pub fn code(mut self, code: &str) -> Self {
        self.error = JobError::new(code, self.error.message);
        self
    }

    /// The same failure with a time to wait until the next attempt, instead of the backoff's.
    #[must_use]
    pub fn retry_in(mut self, pause: Duration) -> Self {
        self.retry_in = Some(Span::new(pause.min(Span::MAX)));
        self
    }

    /// Whether another attempt may help.
    pub fn is_retryable(&self) -> bool {
        self.retryable
    }
}

impl<E: Error> From<E> for HandlerError {
    /// The error with all its causes, as retryable.
    fn from(error: E) -> Self {
        Self::retryable(chain(&error))
    }
}

impl From<HandlerError> for Outcome {
    fn from(failure: HandlerError) -> Self {
        let HandlerError { error, retryable, retry_in } = failure;
        Self::Failed { error, retryable, retry_in }
    }
}

/// An error with its causes, each said once: some errors repeat their cause in their own text.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        source = cause.source();
    }
    text
}
