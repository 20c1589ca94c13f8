//! The error type of handlers.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::job::Pause;
use crate::job::attempt::{AttemptDetail, MAX_TEXT_BYTES, head_and_tail};
use crate::job::outcome::{Deferral, JobError, Outcome};
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
    /// Whether the attempt counts.
    counts: bool,
    /// The whole error, if the message does not have all of it.
    traceback: Option<String>,
}

impl HandlerError {
    /// Code of an error for which the handler sets no code.
    pub const CODE: &str = "handler";

    /// Returns a failure after which another attempt may succeed.
    pub fn retryable(message: impl fmt::Display) -> Self {
        let text = message.to_string();
        let traceback = (text.len() > JobError::MAX_MESSAGE_LEN)
            .then(|| head_and_tail(&text, MAX_TEXT_BYTES));
        let error = JobError::new(Self::CODE, text);
        Self { error, retryable: true, retry_in: None, counts: true, traceback }
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

    /// Sets a text that explains where the failure comes from, such as a backtrace. It is shown with
    /// the attempt; of a long one, the start and the end are kept.
    #[must_use]
    pub fn traceback(mut self, text: impl fmt::Display) -> Self {
        self.traceback = Some(head_and_tail(&text.to_string(), MAX_TEXT_BYTES));
        self
    }

    /// Sets the pause before the next attempt, which replaces the pause of the job's backoff.
    #[must_use]
    pub fn retry_in(mut self, pause: Duration) -> Self {
        self.retry_in = Some(Span::new(pause.min(Span::MAX)));
        self
    }

    /// Lets the attempt not count, because the job cannot run now although nothing is wrong with it:
    /// a service is full or asked for a pause, for example. Set the pause with
    /// [`retry_in`](Self::retry_in); without one it is a second. A fatal failure counts anyway.
    ///
    /// A job may be deferred 1,000 times, and for an hour from the first of them; then the attempt
    /// counts. Use it only if the attempt had no effect: a job with `at_most_once` runs again.
    #[must_use]
    pub fn not_counted(mut self) -> Self {
        self.counts = false;
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
        let failure = Self::retryable(chain(&error));
        if error.source().is_none() { failure } else { failure.traceback(causes(&error)) }
    }
}

impl From<HandlerError> for Outcome {
    fn from(failure: HandlerError) -> Self {
        let HandlerError { error, retryable, retry_in, counts, traceback } = failure;
        let detail = AttemptDetail { traceback, ..AttemptDetail::default() }.boxed();
        if retryable && !counts {
            let retry_in = retry_in.unwrap_or(Deferral::DEFAULT_PAUSE);
            return Self::Deferred(Box::new(Deferral { detail, ..Deferral::new(error, retry_in) }));
        }
        let retry_in = retry_in.map(Pause::Exactly);
        Self::Failed { error, retryable, retry_in, detail }
    }
}

/// Returns the text of an error and of each of its causes, each on lines of its own.
fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str("\ncaused by: ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
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
