//! Changes to a backoff.

use serde::{Deserialize, Serialize};

use crate::job::outcome::retry::Backoff;
use crate::job::time::Span;

/// Changes that a submission, or the defaults of a kind, make to a backoff.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "an object with backoff fields")]
pub struct BackoffChange {
    /// Pause after the first attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<Span>,
    /// Factor by which the pause grows after each further attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// Longest pause before jitter is applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Span>,
    /// Largest deviation of a pause to either side, as a fraction of the pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<f64>,
    /// Longest pause that a called server may request with `Retry-After`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_retry_after: Option<Span>,
}

impl BackoffChange {
    /// Returns the backoff after this change. If `max` is absent, the longest pause is raised to the
    /// initial pause where that is longer.
    pub(super) fn apply(self, before: Backoff) -> Backoff {
        let initial = self.initial.unwrap_or(before.initial);
        Backoff {
            initial,
            factor: self.factor.unwrap_or(before.factor),
            max: self.max.unwrap_or(before.max.max(initial)),
            jitter: self.jitter.unwrap_or(before.jitter),
            max_retry_after: self.max_retry_after.unwrap_or(before.max_retry_after),
        }
    }
}

impl From<Backoff> for BackoffChange {
    /// Returns the change that results in this backoff, whatever the defaults are.
    fn from(backoff: Backoff) -> Self {
        let Backoff { initial, factor, max, jitter, max_retry_after } = backoff;
        Self {
            initial: Some(initial),
            factor: Some(factor),
            max: Some(max),
            jitter: Some(jitter),
            max_retry_after: Some(max_retry_after),
        }
    }
}
