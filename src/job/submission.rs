//! What a client asks for, and the checks that turn it into a job.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::payload::Json;
use crate::job::problem::Problem;
use crate::job::queue::QueueName;
use crate::job::retry::Backoff;
use crate::job::time::{Span, Timestamp};
use crate::job::{Job, JobId, State};

/// The most tags a job may have.
pub const MAX_TAGS: usize = 10;
/// The longest tag, in bytes.
pub const MAX_TAG_LEN: usize = 64;
/// The most attempts a job may have.
pub const MAX_ATTEMPTS: u32 = 1_000;
/// The longest time limit of an attempt.
pub const MAX_TIMEOUT: Span = Span::from_secs(24 * 3600);
/// How far ahead a job may be scheduled.
pub const MAX_AHEAD: Duration = Span::MAX;
/// The range of priorities.
pub const PRIORITIES: std::ops::RangeInclusive<i64> = -100..=100;

/// A job as a client submits it: `kind` and `payload`, the rest as needed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Which executor or handler runs it.
    pub kind: String,
    /// Its input; `null` if left out.
    #[serde(default = "Json::null")]
    pub payload: Json,
    /// The pool that runs it: `remote` for workers of the user's own; else that of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lane: Option<Lane>,
    /// Its queue, `default` if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<String>,
    /// -100 to 100, 0 if left out; higher runs first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// When it may begin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// How long after its submission it may begin; instead of `run_at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<Span>,
    /// How long an attempt may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Span>,
    /// How many attempts it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// The pause between attempts; what is left out is as configured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<BackoffChange>,
    /// Whether it must never run twice.
    #[serde(default, skip_serializing_if = "is_false")]
    pub at_most_once: bool,
    /// When it is called off if it has not started. A time that is over is taken as well, for a
    /// submission may be repeated late: the job is called off at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Words to find it by.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl Default for Json {
    fn default() -> Self {
        Self::null()
    }
}

/// What a submission says of its backoff.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackoffChange {
    /// The pause after the first attempt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial: Option<Span>,
    /// What each further pause is multiplied by.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub factor: Option<f64>,
    /// The longest pause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<Span>,
    /// How far a pause is spread, as a fraction of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter: Option<f64>,
}

impl BackoffChange {
    /// The backoff after this change. A bare `initial` above the longest pause raises that as well.
    fn apply(self, before: Backoff) -> Backoff {
        let initial = self.initial.unwrap_or(before.initial);
        Backoff {
            initial,
            factor: self.factor.unwrap_or(before.factor),
            max: self.max.unwrap_or(before.max.max(initial)),
            jitter: self.jitter.unwrap_or(before.jitter),
        }
    }
}

/// What holds for a job that does not say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct JobDefaults {
    /// How long an attempt may take.
    pub timeout: Span,
    /// How many attempts a job may have.
    pub max_attempts: u32,
    /// The pause between attempts.
    pub backoff: Backoff,
}

impl Default for JobDefaults {
    fn default() -> Self {
        Self { timeout: Span::from_secs(300), max_attempts: 5, backoff: Backoff::default() }
    }
}

impl JobDefaults {
    /// What is wrong with these numbers, if anything: JSON pointers and why.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        check_limits(self.timeout, self.max_attempts, &self.backoff, &mut problems);
        problems
    }
}

fn check_limits(timeout: Span, max_attempts: u32, backoff: &Backoff, problems: &mut Vec<Problem>) {
    if timeout.millis() == 0 || timeout > MAX_TIMEOUT {
        problems.push(Problem::new("/timeout", format!("lies between 1ms and {MAX_TIMEOUT}")));
    }
    if !(1..=MAX_ATTEMPTS).contains(&max_attempts) {
        problems.push(Problem::new("/max_attempts", format!("lies between 1 and {MAX_ATTEMPTS}")));
    }
    if let Some((place, why)) = backoff.problem() {
        problems.push(Problem::new(format!("/backoff{place}"), why));
    }
}

/// A job that passed every check and has no id yet.
#[derive(Debug, Clone, PartialEq)]
pub struct NewJob {
    /// Which executor or handler runs it.
    pub kind: String,
    /// The pool that runs it.
    pub lane: Lane,
    /// Its queue.
    pub queue: QueueName,
    /// -100 to 100.
    pub priority: i8,
    /// When it may begin.
    pub run_at: Timestamp,
    /// Whether `run_at` lay ahead when it was checked.
    pub is_scheduled: bool,
    /// How long an attempt may take.
    pub timeout: Span,
    /// How many attempts it may have.
    pub max_attempts: u32,
    /// The pause between attempts.
    pub backoff: Backoff,
    /// Whether it must never run twice.
    pub at_most_once: bool,
    /// When it is called off if it has not started.
    pub expires_at: Option<Timestamp>,
    /// Words to find it by, each once.
    pub tags: Vec<String>,
    /// Its input.
    pub payload: Json,
}

impl Submission {
    /// A submission of `kind` with `payload` as its input.
    ///
    /// # Errors
    /// Where `payload` has no JSON form.
    pub fn new<T: Serialize + ?Sized>(
        kind: impl Into<String>,
        payload: &T,
    ) -> Result<Self, serde_json::Error> {
        Ok(Self { kind: kind.into(), payload: Json::of(payload)?, ..Self::default() })
    }

    /// Checks everything but the kind, and fills in the defaults.
    ///
    /// # Errors
    /// Every problem found, each with its place in the submission.
    pub fn check(
        self,
        lane: Lane,
        defaults: &JobDefaults,
        now: Timestamp,
    ) -> Result<NewJob, Vec<Problem>> {
        let mut problems = Vec::new();
        let queue = self.check_queue(&mut problems);
        let priority = self.check_priority(&mut problems);
        let run_at = self.check_run_at(now, &mut problems);
        let timeout = self.timeout.unwrap_or(defaults.timeout);
        let max_attempts = self.max_attempts.unwrap_or(defaults.max_attempts);
        let backoff = self.backoff.unwrap_or_default().apply(defaults.backoff);
        check_limits(timeout, max_attempts, &backoff, &mut problems);
        check_tags(&self.tags, &mut problems);
        if let Err(problem) = Json::checked(self.payload.as_str()) {
            problems.push(problem.under("/payload"));
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(NewJob {
            kind: self.kind,
            lane,
            queue,
            priority,
            run_at,
            is_scheduled: run_at > now,
            timeout,
            max_attempts,
            backoff,
            at_most_once: self.at_most_once,
            expires_at: self.expires_at,
            tags: self.tags,
            payload: self.payload,
        })
    }

    fn check_queue(&self, problems: &mut Vec<Problem>) -> QueueName {
        let Some(name) = &self.queue else { return QueueName::default() };
        name.parse().unwrap_or_else(|error| {
            problems.push(Problem::new("/queue", error));
            QueueName::default()
        })
    }

    fn check_priority(&self, problems: &mut Vec<Problem>) -> i8 {
        let priority = self.priority.unwrap_or(0);
        if !PRIORITIES.contains(&priority) {
            problems.push(Problem::new("/priority", "lies between -100 and 100"));
        }
        i8::try_from(priority).unwrap_or(0)
    }

    fn check_run_at(&self, now: Timestamp, problems: &mut Vec<Problem>) -> Timestamp {
        let run_at = match (self.run_at, self.delay) {
            (Some(_), Some(_)) => {
                problems.push(Problem::new("/delay", "excludes run_at: give one of the two"));
                now
            }
            (Some(at), None) => at.max(now),
            (None, Some(delay)) => now.plus(delay.duration()),
            (None, None) => now,
        };
        if run_at.since(now) > MAX_AHEAD {
            problems.push(Problem::new("/run_at", "lies more than ten years ahead"));
        }
        run_at
    }
}

fn check_tags(tags: &[String], problems: &mut Vec<Problem>) {
    if tags.len() > MAX_TAGS {
        problems.push(Problem::new("/tags", format!("has more than {MAX_TAGS} entries")));
        return;
    }
    for (index, tag) in tags.iter().enumerate() {
        let place = format!("/tags/{index}");
        if tag.is_empty() || tag.len() > MAX_TAG_LEN || tag.chars().any(char::is_control) {
            let why = format!("is 1 to {MAX_TAG_LEN} bytes without control characters");
            problems.push(Problem::new(place, why));
        } else if tags[..index].contains(tag) {
            problems.push(Problem::new(place, "stands twice"));
        }
    }
}

impl NewJob {
    /// The state in which it enters the table.
    pub fn state(&self) -> State {
        if self.is_scheduled { State::Scheduled } else { State::Queued }
    }

    /// When it may begin, if it is inserted at `now`.
    pub fn due_at(&self, now: Timestamp) -> Timestamp {
        if self.is_scheduled { self.run_at } else { now }
    }

    /// The job as it stands right after its insertion as `id` at `now`.
    pub fn inserted(&self, id: JobId, now: Timestamp) -> Job {
        Job {
            id,
            kind: self.kind.clone(),
            queue: self.queue.clone(),
            lane: self.lane,
            state: self.state(),
            priority: self.priority,
            attempt: 0,
            max_attempts: self.max_attempts,
            created_at: now,
            run_at: self.due_at(now),
            started_at: None,
            lease_expires_at: None,
            worker: None,
            finished_at: None,
            expires_at: self.expires_at,
            timeout: self.timeout,
            at_most_once: self.at_most_once,
            cancel_requested: false,
            payload: Some(self.payload.clone()),
            result: Some(None),
            result_truncated: false,
            error: None,
            failures: Some(Vec::new()),
            progress: None,
            tags: self.tags.clone(),
            batch: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::problem::parse_json;

    fn check(text: &str) -> Result<NewJob, Vec<Problem>> {
        let submission: Submission =
            parse_json(text.as_bytes()).map_err(|problem| vec![problem])?;
        submission.check(Lane::Async, &JobDefaults::default(), Timestamp::from_millis(1_000))
    }

    fn places(text: &str) -> Vec<String> {
        check(text).unwrap_err().into_iter().map(|problem| problem.pointer).collect()
    }

    #[test]
    fn what_is_left_out_is_as_configured() {
        let job = check(r#"{"kind": "echo"}"#).unwrap();
        assert_eq!(job.queue.as_str(), "default");
        assert_eq!((job.priority, job.max_attempts), (0, 5));
        assert_eq!(job.timeout, Span::from_secs(300));
        assert_eq!(job.payload, Json::null());
        assert_eq!(job.state(), State::Queued);
    }

    #[test]
    fn every_problem_is_told_at_once_with_its_place() {
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
        assert_eq!(places(text), expected);
    }

    #[test]
    fn an_unknown_field_is_refused() {
        let problems = check(r#"{"kind": "echo", "prioritty": 1}"#).unwrap_err();
        assert!(problems[0].detail.contains("unknown field `prioritty`"), "{}", problems[0]);
    }

    #[test]
    fn a_delay_makes_a_job_scheduled() {
        let job = check(r#"{"kind": "echo", "delay": "5s"}"#).unwrap();
        assert_eq!(job.run_at, Timestamp::from_millis(6_000));
        assert_eq!(job.state(), State::Scheduled);
    }
}
