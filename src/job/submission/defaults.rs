//! Defaults for the fields that a submission omits: those of all jobs, and those of one kind.

use serde::{Deserialize, Serialize};

use crate::job::outcome::retry::Backoff;
use crate::job::problem::Problem;
use crate::job::queue::QueueName;
use crate::job::submission::{BackoffChange, MAX_ATTEMPTS, MAX_TIMEOUT};
use crate::job::time::Span;

/// Values for the fields that a submission does not contain.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of job defaults")]
pub struct JobDefaults {
    /// Maximum duration of an attempt.
    pub timeout: Span,
    /// Maximum number of attempts.
    pub max_attempts: u32,
    /// Pause between attempts.
    pub backoff: Backoff,
}

impl Default for JobDefaults {
    fn default() -> Self {
        Self { timeout: Span::from_secs(300), max_attempts: 5, backoff: Backoff::default() }
    }
}

impl JobDefaults {
    /// Returns all problems of these values, each with the JSON pointer of its field.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        check_limits(self.timeout, self.max_attempts, &self.backoff, &mut problems);
        problems
    }
}

/// Adds the problems of these values, each with the JSON pointer of its field.
pub(super) fn check_limits(
    timeout: Span,
    max_attempts: u32,
    backoff: &Backoff,
    problems: &mut Vec<Problem>,
) {
    if timeout.millis() == 0 || timeout > MAX_TIMEOUT {
        problems.push(Problem::new("/timeout", format!("must be between 1ms and {MAX_TIMEOUT}")));
    }
    if !(1..=MAX_ATTEMPTS).contains(&max_attempts) {
        let why = format!("must be between 1 and {MAX_ATTEMPTS}");
        problems.push(Problem::new("/max_attempts", why));
    }
    if let Some((field, why)) = backoff.problem() {
        problems.push(Problem::new(format!("/backoff{field}"), why));
    }
}

/// Defaults for the jobs of one kind. An absent field has the default of all jobs.
///
/// ```
/// use longshore::job::{KindDefaults, Span};
///
/// let defaults = KindDefaults { timeout: Some(Span::from_secs(30)), ..KindDefaults::default() };
/// assert_eq!(defaults.max_attempts, None);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of job defaults")]
pub struct KindDefaults {
    /// Queue of the jobs.
    pub queue: Option<QueueName>,
    /// Maximum duration of an attempt.
    pub timeout: Option<Span>,
    /// Maximum number of attempts.
    pub max_attempts: Option<u32>,
    /// Pause between attempts. Its absent fields have the defaults of all jobs as well.
    pub backoff: Option<BackoffChange>,
}

impl KindDefaults {
    /// Returns `before` with the fields of these defaults replaced.
    #[must_use]
    pub fn apply(&self, before: EffectiveDefaults) -> EffectiveDefaults {
        let EffectiveDefaults { queue, jobs } = before;
        EffectiveDefaults {
            queue: self.queue.clone().unwrap_or(queue),
            jobs: JobDefaults {
                timeout: self.timeout.unwrap_or(jobs.timeout),
                max_attempts: self.max_attempts.unwrap_or(jobs.max_attempts),
                backoff: self.backoff.unwrap_or_default().apply(jobs.backoff),
            },
        }
    }
}

/// The defaults of a kind after all sources were applied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EffectiveDefaults {
    /// Queue of a job that is submitted without one.
    pub queue: QueueName,
    /// Values of the other fields.
    pub jobs: JobDefaults,
}

impl From<JobDefaults> for EffectiveDefaults {
    /// Returns the defaults of a kind that has none of its own.
    fn from(jobs: JobDefaults) -> Self {
        Self { queue: QueueName::default(), jobs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_a_kind_replace_only_the_fields_that_they_contain() {
        let first = KindDefaults {
            queue: Some("mail".parse().unwrap()),
            max_attempts: Some(3),
            ..KindDefaults::default()
        };
        let backoff = BackoffChange { factor: Some(3.0), ..BackoffChange::default() };
        let second = KindDefaults {
            max_attempts: Some(7),
            backoff: Some(backoff),
            ..KindDefaults::default()
        };
        let jobs = JobDefaults::default();
        let defaults = second.apply(first.apply(jobs.into()));
        assert_eq!(defaults.queue.as_str(), "mail");
        assert_eq!(defaults.jobs.max_attempts, 7);
        assert_eq!(defaults.jobs.timeout, jobs.timeout);
        assert_eq!(defaults.jobs.backoff, Backoff { factor: 3.0, ..jobs.backoff });
    }
}
