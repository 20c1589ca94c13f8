//! Errors of jobs and attempts.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::job::time::{Span, Timestamp};

/// Error of a job: a code for programs and a message for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// Error code, such as `timeout`, `http_status` or `outcome_unknown`.
    pub code: String,
    /// Error message, without a full stop.
    pub message: String,
}

impl JobError {
    /// Maximum length of a code, in bytes.
    pub const MAX_CODE_LEN: usize = 64;
    /// Maximum length of a message, in bytes; a longer one is truncated.
    pub const MAX_MESSAGE_LEN: usize = 4096;

    /// Creates an error. Both texts are truncated to the length that the database accepts.
    pub fn new(code: impl Into<String>, message: impl fmt::Display) -> Self {
        Self {
            code: truncate(code.into(), Self::MAX_CODE_LEN),
            message: truncate(message.to_string(), Self::MAX_MESSAGE_LEN),
        }
    }
}

impl JobError {
    /// Returns the error of an attempt that exceeded its timeout.
    pub fn timed_out(timeout: Span) -> Self {
        Self::new("timeout", format!("the attempt took longer than {timeout}"))
    }
}

/// Truncates a text to at most `max_len` bytes, between two characters.
pub fn truncate(mut text: String, max_len: usize) -> String {
    text.truncate(text.floor_char_boundary(max_len));
    text
}

/// A failed attempt in a job's history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Number of the attempt, counted from 1.
    pub attempt: u32,
    /// Time at which the attempt failed.
    pub at: Timestamp,
    /// Error that the attempt ended with.
    #[serde(flatten)]
    pub error: JobError,
}
