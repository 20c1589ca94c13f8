//! Submissions: jobs as clients submit them, and their validation.

mod backoff_change;
mod defaults;
mod idempotency_key;
mod job_kind;
mod kind;
mod metadata;
mod new_job;
pub mod on_end;
mod patch;
mod tag;
mod webhook_secret_name;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use backoff_change::BackoffChange;
pub use idempotency_key::{IdempotencyKey, InvalidIdempotencyKey};
pub use kind::Kind;
pub use metadata::MAX_METADATA_BYTES;
use metadata::check_metadata;
pub use new_job::NewJob;
pub use patch::{JobChange, JobPatch, Start};
use tag::check_tags;
pub use tag::{InvalidTag, MAX_TAGS, Tag};
pub use webhook_secret_name::WebhookSecretName;

use crate::job::lane::Lane;
use crate::job::payload::Json;
use crate::job::problem::{Problem, first_entries};
use crate::job::queue::QueueName;
use crate::job::submission::on_end::callback::{Callback, check_client_queue};
use crate::job::time::{Span, Timestamp};

use defaults::check_limits;

pub use defaults::{EffectiveDefaults, JobDefaults, KindDefaults};
pub use job_kind::JobKind;

/// Number of tags that are kept of a submission. If there are so many, it is refused.
const KEPT_TAGS: usize = MAX_TAGS + 1;
/// Maximum number of attempts that a job may request.
pub const MAX_ATTEMPTS: u32 = 1_000;
/// Longest timeout of an attempt.
pub const MAX_TIMEOUT: Span = Span::from_secs(24 * 3600);
/// Longest time from now to a job's `run_at`.
pub const MAX_AHEAD: Duration = Span::MAX;
/// Range of priorities.
pub const PRIORITIES: std::ops::RangeInclusive<i64> = -100..=100;

/// A job as a client submits it. Only `kind` is required.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with kind and payload")]
pub struct Submission {
    /// Name of the executor or handler that runs the job.
    pub kind: String,
    /// Input of the job; `null` by default.
    #[serde(default = "Json::null")]
    pub payload: Json,
    /// Pool of workers that runs the job: `remote` for the user's own workers; by default the lane
    /// of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// Name of the queue; by default that of the kind, which is `default` unless configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// Priority from -100 to 100, 0 by default; jobs with a higher priority run first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Earliest time at which the job may start; now by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// Time from the submission to the earliest start; an alternative to `run_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
    /// Maximum duration of an attempt; by default that of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// Maximum number of attempts; by default that of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// Pause between attempts; an absent field has the value of the kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffChange>,
    /// Whether the job must never run twice.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_most_once: bool,
    /// Time at which the job is cancelled if it has not started by then. A time in the past is
    /// accepted because a submission may be repeated late: the job is cancelled at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Time from the submission after which the job is cancelled if it has not started; an
    /// alternative to `expires_at`. That of a follow-up job counts from the end of the job before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Span>,
    /// Tags that clients can filter by.
    #[serde(
        default,
        deserialize_with = "first_entries::<_, _, KEPT_TAGS>",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub tags: Vec<String>,
    /// Whether a result that is too large is truncated, instead of failing the job.
    #[serde(default, skip_serializing_if = "is_false")]
    pub truncate_result: bool,
    /// JSON object of the application, returned with the job; at most [`MAX_METADATA_BYTES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
    /// Webhook to send when the job ends; by default that of the queue or kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// Job to submit when this one completes. Its payload may refer to the result, see
    /// [`reference`](crate::job::submission::on_end::reference).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Box<Submission>>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Default for Json {
    fn default() -> Self {
        Self::null()
    }
}

impl Submission {
    /// Creates a submission of `kind` with `payload` as its input.
    ///
    /// # Errors
    /// Returns an error if `payload` has no JSON form.
    pub fn new<T: Serialize + ?Sized>(
        kind: impl Into<String>,
        payload: &T,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self { kind: kind.into(), payload: Json::of(payload)?, ..Self::default() })
    }

    /// Creates a submission of the kind `K` with `payload` as its input.
    ///
    /// Options are set with the update syntax:
    ///
    /// ```
    /// # use longshore::job::{JobKind, Span, Submission};
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct SendMail { to: String }
    /// # impl JobKind for SendMail {
    /// #     const KIND: &'static str = "send-mail";
    /// #     type Output = ();
    /// # }
    /// # fn main() -> Result<(), serde_json::Error> {
    /// let mail = SendMail { to: "ann@example.com".into() };
    /// let later = Submission { delay: Some(Span::from_secs(60)), ..Submission::of(&mail)? };
    /// assert_eq!(later.kind, "send-mail");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Returns an error if `payload` has no JSON form.
    pub fn of<K: JobKind>(payload: &K) -> Result<Self, serde_json::Error> {
        Self::new(K::KIND, payload)
    }

    /// Validates all fields and fills in the defaults. Whether a server knows the kind is checked
    /// elsewhere, and so is what happens when the job ends.
    ///
    /// # Errors
    /// Returns all problems, each with the JSON pointer of its field.
    pub fn check(
        mut self,
        lane: Lane,
        defaults: &EffectiveDefaults,
        now: Timestamp,
    ) -> Result<NewJob, Vec<Problem>> {
        let mut problems = Vec::new();
        let kind = Kind::try_from(std::mem::take(&mut self.kind));
        if let Err(error) = &kind {
            problems.push(Problem::new("/kind", error));
        }
        let queue = self.check_queue(&defaults.queue, &mut problems);
        let priority = check_priority(self.priority.unwrap_or(0), &mut problems);
        let run_at = check_run_at((self.run_at, self.delay), now, &mut problems);
        let expires_at = check_expiry((self.expires_at, self.expires_in), now, &mut problems);
        let timeout = self.timeout.unwrap_or(defaults.jobs.timeout);
        let max_attempts = self.max_attempts.unwrap_or(defaults.jobs.max_attempts);
        let backoff = self.backoff.unwrap_or_default().apply(defaults.jobs.backoff);
        check_limits(timeout, max_attempts, &backoff, &mut problems);
        let tags = check_tags(self.tags, &mut problems);
        if let Err(problem) = self.payload.check() {
            problems.push(problem.under("/payload"));
        }
        let metadata = check_metadata(self.metadata, &mut problems);
        let (Ok(kind), true) = (kind, problems.is_empty()) else { return Err(problems) };
        Ok(NewJob {
            provider: None,
            key: None,
            kind,
            lane,
            queue,
            priority,
            run_at,
            is_scheduled: run_at > now,
            timeout,
            max_attempts,
            backoff,
            at_most_once: self.at_most_once,
            expires_at,
            tags,
            truncate_result: self.truncate_result,
            metadata,
            on_end: None,
            payload: self.payload,
        })
    }

    fn check_queue(&self, default: &QueueName, problems: &mut Vec<Problem>) -> QueueName {
        let queue = match &self.queue {
            None => default.clone(),
            Some(name) => name.parse().unwrap_or_else(|error| {
                problems.push(Problem::new("/queue", error));
                QueueName::default()
            }),
        };
        problems.extend(check_client_queue(&queue).err());
        queue
    }
}

/// Returns a valid priority, or adds the problem.
fn check_priority(priority: i64, problems: &mut Vec<Problem>) -> i8 {
    if !PRIORITIES.contains(&priority) {
        problems.push(Problem::new("/priority", "must be between -100 and 100"));
    }
    i8::try_from(priority).unwrap_or(0)
}

/// Returns the earliest start from `run_at` or `delay`, or adds the problem.
fn check_run_at(
    (run_at, delay): (Option<Timestamp>, Option<Span>),
    now: Timestamp,
    problems: &mut Vec<Problem>,
) -> Timestamp {
    let run_at = match (run_at, delay) {
        (Some(_), Some(_)) => {
            problems.push(Problem::new("/delay", "must not be combined with run_at"));
            now
        }
        (Some(at), None) => at.max(now),
        (None, Some(delay)) => now.plus(delay.duration()),
        (None, None) => now,
    };
    if run_at.since(now) > MAX_AHEAD {
        problems.push(Problem::new("/run_at", "must not be more than ten years from now"));
    }
    run_at
}

/// Returns the time from `expires_at` or `expires_in`, or adds the problem.
fn check_expiry(
    (expires_at, expires_in): (Option<Timestamp>, Option<Span>),
    now: Timestamp,
    problems: &mut Vec<Problem>,
) -> Option<Timestamp> {
    let Some(span) = expires_in else { return expires_at };
    if expires_at.is_some() {
        problems.push(Problem::new("/expires_in", "must not be combined with expires_at"));
    } else if span.millis() == 0 {
        problems.push(Problem::new("/expires_in", "must be at least 1ms"));
    } else if span.duration() > MAX_AHEAD {
        problems.push(Problem::new("/expires_in", "must not be more than ten years"));
    }
    Some(now.plus(span.duration()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::State;
    use crate::job::problem::parse_json;

    fn check(text: &str) -> Result<NewJob, Vec<Problem>> {
        let submission: Submission =
            parse_json(text.as_bytes()).map_err(|problem| vec![problem])?;
        submission.check(Lane::Async, &EffectiveDefaults::default(), Timestamp::from_millis(1_000))
    }

    fn pointers(text: &str) -> Vec<String> {
        check(text).unwrap_err().into_iter().map(|problem| problem.pointer).collect()
    }

    #[test]
    fn absent_fields_have_the_configured_values() {
        let job = check(r#"{"kind": "echo"}"#).unwrap();
        assert_eq!(job.queue.as_str(), "default");
        assert_eq!((job.priority, job.max_attempts), (0, 5));
        assert_eq!(job.timeout, Span::from_secs(300));
        assert_eq!(job.payload, Json::null());
        assert_eq!(job.state(), State::Queued);
    }

    #[test]
    fn all_problems_are_reported_at_once_with_their_pointers() {
        let text = r#"{"kind": "echo", "queue": "A", "priority": 101, "timeout": "0s",
            "max_attempts": 0, "backoff": {"factor": 0.5}, "tags": ["a", "", "a"],
            "run_at": "2030-01-01T00:00:00Z", "delay": "5s", "expires_at": "1970-01-01T00:00:00Z",
            "payload": {"x": "\ud800"}}"#;
        let expected = [
            "/queue",
            "/priority",
            "/delay",
            "/timeout",
            "/max_attempts",
            "/backoff/factor",
            "/tags/1",
            "/tags/2",
            "/payload/x",
        ];
        assert_eq!(pointers(text), expected);
    }

    #[test]
    fn the_queue_of_the_deliveries_is_reserved() {
        assert_eq!(pointers(r#"{"kind": "echo", "queue": "callbacks"}"#), ["/queue"]);
        assert!(check(r#"{"kind": "echo", "queue": "callbacks.mine"}"#).is_ok());
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let problems = check(r#"{"kind": "echo", "prioritty": 1}"#).unwrap_err();
        assert!(problems[0].detail.contains("unknown field `prioritty`"), "{}", problems[0]);
    }

    #[test]
    fn an_expiry_counts_from_the_submission() {
        let job = check(r#"{"kind": "echo", "expires_in": "5s"}"#).unwrap();
        assert_eq!(job.expires_at, Some(Timestamp::from_millis(6_000)));
        for wrong in
            [r#""expires_in": 0"#, r#""expires_in": 1, "expires_at": "2030-01-01T00:00:00Z""#]
        {
            assert_eq!(pointers(&format!(r#"{{"kind": "echo", {wrong}}}"#)), ["/expires_in"]);
        }
    }

    #[test]
    fn a_delay_makes_a_job_scheduled() {
        let job = check(r#"{"kind": "echo", "delay": "5s"}"#).unwrap();
        assert_eq!(job.run_at, Timestamp::from_millis(6_000));
        assert_eq!(job.state(), State::Scheduled);
    }
}
