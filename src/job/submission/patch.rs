//! Changes to a job that waits.

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;
use crate::job::queue::{QueueName, double_option};
use crate::job::submission::on_end::callback::check_client_queue;
use crate::job::submission::{check_expiry, check_priority, check_run_at};
use crate::job::time::{Span, Timestamp};

/// Changes to a job that waits, as a client requests them. An absent field is not changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "an object with the fields run_at, delay, priority, expires_at, expires_in and queue"
)]
pub struct JobPatch {
    /// Earliest time at which the job may start; a time in the past means now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// Time from now to the earliest start; an alternative to `run_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
    /// Priority from -100 to 100.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Time at which the job is cancelled if it has not started by then; `null` for never.
    #[serde(deserialize_with = "double_option", skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Option<Timestamp>>,
    /// Time from now after which the job is cancelled if it has not started; an alternative to
    /// `expires_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Span>,
    /// Name of another queue.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
}

/// Valid changes to a job that waits. An absent field is not changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobChange {
    /// New start of the job.
    pub start: Option<Start>,
    /// Priority from -100 to 100.
    pub priority: Option<i8>,
    /// Time at which the job is cancelled if it has not started by then; `Some(None)` for never.
    pub expires_at: Option<Option<Timestamp>>,
    /// Another queue.
    pub queue: Option<QueueName>,
}

/// When a job may start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// As soon as a worker is free.
    Now,
    /// Not before this time, which was in the future when it was requested.
    At(Timestamp),
}

impl JobPatch {
    /// Returns a patch that makes a job start as soon as a worker is free.
    pub fn run_now() -> Self {
        Self { delay: Some(Span::from_millis(0)), ..Self::default() }
    }

    /// Validates all fields.
    ///
    /// # Errors
    /// Returns all problems, each with the JSON pointer of its field.
    pub fn check(self, now: Timestamp) -> Result<JobChange, Vec<Problem>> {
        let mut problems = Vec::new();
        if self == Self::default() {
            let why = "must have at least one of run_at, delay, priority, expires_at, expires_in and queue";
            problems.push(Problem::new("", why));
        }
        let is_timed = self.run_at.is_some() || self.delay.is_some();
        let run_at = check_run_at((self.run_at, self.delay), now, &mut problems);
        let expires_at = self.check_expiry(now, &mut problems);
        let priority = check_priority(self.priority.unwrap_or(0), &mut problems);
        let queue = self.queue.and_then(|name| match name.parse() {
            Ok(name) => {
                problems.extend(check_client_queue(&name).err());
                Some(name)
            }
            Err(error) => {
                problems.push(Problem::new("/queue", error));
                None
            }
        });
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(JobChange {
            start: is_timed.then_some(if run_at > now { Start::At(run_at) } else { Start::Now }),
            priority: self.priority.map(|_| priority),
            expires_at,
            queue,
        })
    }

    /// Returns the new expiry, or adds the problem.
    fn check_expiry(
        &self,
        now: Timestamp,
        problems: &mut Vec<Problem>,
    ) -> Option<Option<Timestamp>> {
        match (self.expires_at, self.expires_in) {
            (at, None) => at,
            // `null` and a duration contradict each other, like a time and a duration.
            (at, expires_in) => {
                Some(check_expiry((at.map(|at| at.unwrap_or(now)), expires_in), now, problems))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::problem::parse_json;

    fn check(text: &str) -> Result<JobChange, Vec<Problem>> {
        let patch: JobPatch = parse_json(text.as_bytes()).unwrap();
        patch.check(Timestamp::from_millis(1_000))
    }

    #[test]
    fn only_the_fields_of_the_request_are_changed() {
        let change = check(r#"{"delay": "2s"}"#).unwrap();
        let start = Some(Start::At(Timestamp::from_millis(3_000)));
        assert_eq!(change, JobChange { start, ..JobChange::default() });
        let change = check(r#"{"expires_at": null, "priority": 0}"#).unwrap();
        let expected =
            JobChange { expires_at: Some(None), priority: Some(0), ..JobChange::default() };
        assert_eq!(change, expected);
        let change = check(r#"{"expires_in": "2s"}"#).unwrap();
        assert_eq!(change.expires_at, Some(Some(Timestamp::from_millis(3_000))));
        let past = check(r#"{"run_at": "1970-01-01T00:00:00Z"}"#).unwrap();
        assert_eq!(past.start, Some(Start::Now));
    }

    #[test]
    fn all_problems_are_reported_with_their_pointers() {
        let text =
            r#"{"delay": "1s", "run_at": "2030-01-01T00:00:00Z", "priority": 101, "queue": "A"}"#;
        let pointers: Vec<String> =
            check(text).unwrap_err().into_iter().map(|problem| problem.pointer).collect();
        assert_eq!(pointers, ["/delay", "/priority", "/queue"]);
        assert_eq!(check("{}").unwrap_err()[0].pointer, "");
        let reserved = check(r#"{"queue": "callbacks"}"#).unwrap_err();
        assert_eq!(reserved[0].pointer, "/queue");
        let both = check(r#"{"expires_in": "1s", "expires_at": null}"#).unwrap_err();
        assert_eq!(both[0].pointer, "/expires_in");
    }
}
