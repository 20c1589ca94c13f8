//! What running an attempt gave, and where that leaves its job.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::job::payload::Json;
use crate::job::retry::Backoff;
use crate::job::time::{Span, Timestamp};
use crate::job::{JobId, State};

/// What is said of a failure: a word for programs and a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobError {
    /// A word such as `timeout`, `http_status`, `outcome_unknown`.
    pub code: String,
    /// A sentence without a full stop.
    pub message: String,
}

impl JobError {
    /// The longest code, in bytes.
    pub const MAX_CODE_LEN: usize = 64;
    /// The longest message, in bytes; a longer one is cut.
    pub const MAX_MESSAGE_LEN: usize = 4096;

    /// An error, its texts cut to what the database takes.
    pub fn new(code: impl Into<String>, message: impl fmt::Display) -> Self {
        Self {
            code: cut(code.into(), Self::MAX_CODE_LEN),
            message: cut(message.to_string(), Self::MAX_MESSAGE_LEN),
        }
    }
}

impl JobError {
    /// What is said of an attempt that took longer than it may.
    pub fn timed_out(timeout: Span) -> Self {
        Self::new("timeout", format!("the attempt took longer than {timeout}"))
    }
}

/// Cuts a text to at most `max_len` bytes, between two characters.
pub fn cut(mut text: String, max_len: usize) -> String {
    text.truncate(text.floor_char_boundary(max_len));
    text
}

/// A failed attempt, as a job's history shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which attempt.
    pub attempt: u32,
    /// When it failed.
    pub at: Timestamp,
    /// Why.
    #[serde(flatten)]
    pub error: JobError,
}

/// The result of a completed job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobResult {
    /// The value; where it was cut, a JSON string with the beginning of its text.
    pub json: Json,
    /// Whether it was cut to `max_result_bytes`.
    pub truncated: bool,
}

impl JobResult {
    /// A whole result.
    pub fn whole(json: Json) -> Self {
        Self { json, truncated: false }
    }

    /// The result held to `max_bytes`: past it, the beginning of its text as a JSON string.
    #[must_use]
    pub fn capped(self, max_bytes: usize) -> Self {
        let text = self.json.as_str();
        if text.len() <= max_bytes {
            return self;
        }
        let beginning = &text[..text.floor_char_boundary(max_bytes)];
        let json = Json::of(beginning).unwrap_or_else(|_| Json::null());
        Self { json, truncated: true }
    }
}

/// What running an attempt gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It ended well.
    Completed(JobResult),
    /// It ended badly.
    Failed {
        /// Why.
        error: JobError,
        /// Whether another attempt may help.
        retryable: bool,
        /// When the next attempt is to begin, where the other side said so; else the backoff tells.
        retry_in: Option<Span>,
    },
    /// It was given back unfinished, as at a shutdown; the attempt does not count.
    Released,
    /// It was given back before anything of it was done; the attempt does not count.
    NotBegun,
    /// It was stopped because the job was cancelled.
    Cancelled,
    /// Nobody knows: its lease ran out or its process died. The attempt counts.
    Lost(JobError),
}

impl Outcome {
    /// A failure that another attempt may mend.
    pub fn retryable(code: &str, message: impl fmt::Display) -> Self {
        Self::Failed { error: JobError::new(code, message), retryable: true, retry_in: None }
    }

    /// A failure that no further attempt would mend.
    pub fn fatal(code: &str, message: impl fmt::Display) -> Self {
        Self::Failed { error: JobError::new(code, message), retryable: false, retry_in: None }
    }
}

/// What of a running job decides where an outcome leads.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Held {
    /// The job.
    pub job: JobId,
    /// The attempt that ran.
    pub attempt: u32,
    /// How many attempts it may have.
    pub max_attempts: u32,
    /// Whether it must never run twice.
    pub at_most_once: bool,
    /// Whether somebody asked for its end meanwhile.
    pub cancel_requested: bool,
    /// The pause between attempts.
    pub backoff: Backoff,
}

/// Where an outcome leaves its job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// The job's next state.
    pub state: State,
    /// Its attempts so far.
    pub attempt: u32,
    /// When the next attempt is due; none for a final state.
    pub run_at: Option<Timestamp>,
    /// What its `error` says from now on.
    pub error: Option<JobError>,
    /// Whether the attempt goes into the history as failed.
    pub is_failure: bool,
    /// Whether the job has never begun, though it was leased.
    pub is_unstarted: bool,
}

/// The code of a job whose outcome nobody knows and which may not run again.
pub const OUTCOME_UNKNOWN: &str = "outcome_unknown";

/// Decides where `outcome` leaves a running job.
pub fn settle(held: &Held, outcome: &Outcome, now: Timestamp) -> Settlement {
    let settled = |state: State, error: Option<JobError>| Settlement {
        state,
        attempt: held.attempt,
        run_at: None,
        error,
        is_failure: false,
        is_unstarted: false,
    };
    let cancelled =
        || settled(State::Cancelled, Some(JobError::new("cancelled", "cancelled while running")));
    match outcome {
        Outcome::Completed(_) => settled(State::Completed, None),
        Outcome::Cancelled => cancelled(),
        Outcome::Failed { error, retryable, retry_in } => {
            let error = Some(error.clone());
            let next = if held.cancel_requested {
                cancelled()
            } else if *retryable && !held.at_most_once && held.attempt < held.max_attempts {
                let pause = match retry_in {
                    Some(span) => span.duration().min(Backoff::MAX.duration()),
                    None => held.backoff.pause(held.job, held.attempt),
                };
                let run_at = Some(now.plus(pause));
                Settlement { run_at, ..settled(State::Retrying, error) }
            } else {
                settled(State::Failed, error)
            };
            Settlement { is_failure: true, ..next }
        }
        Outcome::Released | Outcome::Lost(_) if held.at_most_once => {
            let message =
                "the attempt was cut short and may have had its effect; the job may not run twice";
            let error = JobError::new(OUTCOME_UNKNOWN, message);
            Settlement { is_failure: true, ..settled(State::Failed, Some(error)) }
        }
        Outcome::Released | Outcome::NotBegun if held.cancel_requested => cancelled(),
        Outcome::Released | Outcome::NotBegun => Settlement {
            attempt: held.attempt.saturating_sub(1),
            run_at: Some(now),
            is_unstarted: *outcome == Outcome::NotBegun && held.attempt <= 1,
            ..settled(State::Queued, None)
        },
        Outcome::Lost(error) => {
            let error = Some(error.clone());
            let next = if held.cancel_requested {
                cancelled()
            } else if held.attempt < held.max_attempts {
                Settlement { run_at: Some(now), ..settled(State::Queued, error) }
            } else {
                settled(State::Failed, error)
            };
            Settlement { is_failure: true, ..next }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_000_000;

    fn held() -> Held {
        let backoff = Backoff { jitter: 0.0, ..Backoff::default() };
        Held {
            job: JobId(1),
            attempt: 2,
            max_attempts: 3,
            at_most_once: false,
            cancel_requested: false,
            backoff,
        }
    }

    fn after(held: Held, outcome: &Outcome) -> Settlement {
        settle(&held, outcome, Timestamp::from_millis(NOW))
    }

    #[test]
    fn a_retryable_failure_waits_for_its_backoff() {
        let next = after(held(), &Outcome::retryable("timeout", "too slow"));
        assert_eq!(next.state, State::Retrying);
        assert_eq!(next.run_at, Some(Timestamp::from_millis(NOW + 2_000)));
        assert!(next.is_failure);
    }

    #[test]
    fn the_other_side_may_say_when_to_come_back() {
        let outcome = Outcome::Failed {
            error: JobError::new("http_status", "429"),
            retryable: true,
            retry_in: Some(Span::from_secs(30)),
        };
        assert_eq!(after(held(), &outcome).run_at, Some(Timestamp::from_millis(NOW + 30_000)));
    }

    #[test]
    fn the_last_attempt_and_a_fatal_failure_end_the_job() {
        let last = Held { attempt: 3, ..held() };
        assert_eq!(after(last, &Outcome::retryable("x", "y")).state, State::Failed);
        assert_eq!(after(held(), &Outcome::fatal("x", "y")).state, State::Failed);
    }

    #[test]
    fn a_release_gives_the_attempt_back() {
        let next = after(held(), &Outcome::Released);
        assert_eq!((next.state, next.attempt, next.is_failure), (State::Queued, 1, false));
    }

    #[test]
    fn a_lost_attempt_counts() {
        let lost = Outcome::Lost(JobError::new("lost", "the process died"));
        let next = after(held(), &lost);
        assert_eq!((next.state, next.attempt, next.is_failure), (State::Queued, 2, true));
        assert_eq!(after(Held { attempt: 3, ..held() }, &lost).state, State::Failed);
    }

    #[test]
    fn at_most_once_never_runs_twice() {
        let once = Held { at_most_once: true, attempt: 1, ..held() };
        for outcome in [
            Outcome::Released,
            Outcome::Lost(JobError::new("lost", "x")),
            Outcome::retryable("x", "y"),
        ] {
            let next = after(once, &outcome);
            assert_eq!(next.state, State::Failed);
            assert_eq!(next.run_at, None);
        }
        assert_eq!(after(once, &Outcome::Released).error.unwrap().code, OUTCOME_UNKNOWN);
    }

    #[test]
    fn a_requested_cancel_wins_over_every_outcome_but_completion() {
        let asked = Held { cancel_requested: true, ..held() };
        assert_eq!(after(asked, &Outcome::retryable("x", "y")).state, State::Cancelled);
        assert_eq!(after(asked, &Outcome::Released).state, State::Cancelled);
        let done = Outcome::Completed(JobResult::whole(Json::null()));
        assert_eq!(after(asked, &done).state, State::Completed);
    }

    #[test]
    fn a_long_result_is_cut_between_two_characters_and_flagged() {
        let cut = JobResult::whole(Json::of("ääää").unwrap()).capped(4);
        assert!(cut.truncated);
        assert_eq!(cut.json.as_str(), r#""\"ä""#);
    }
}
