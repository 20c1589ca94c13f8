//! The job and its rules as pure functions: no IO and no clock; the current time is an argument.

internal_modules!(change, epoch, outcome, payload, problem);

pub mod batch;
pub mod lane;
pub mod lease;
pub mod limit;
pub mod log;
pub mod queue;
pub mod state;
pub mod submission;
pub mod time;

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use limit::waiting::{Waiting, WaitingFor};
use submission::on_end::callback::Callback;
use submission::on_end::then::Then;

pub use attempt::{Attempt, AttemptDetail};
pub use change::{Change, FailedAttempt};
pub use lane::Lane;
pub use limit::provider_name::ProviderName;
pub use log::Log;
pub use outcome::{Failure, JobError};
pub use outcome::{attempt, retry};
pub use payload::Json;
pub use queue::QueueName;
pub use retry::{Backoff, Pause};
pub use state::State;
pub use submission::{
    IdempotencyKey, JobKind, JobPatch, Kind, KindDefaults, NewJob, Submission, Tag,
    WebhookSecretName,
};
pub use time::{Span, Timestamp};

/// Declares ids, which are written as numbers.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)+) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = ParseIntError;

            fn from_str(text: &str) -> Result<Self, ParseIntError> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// Id of a job. Ids are positive, increase with every new job and are never reused.
    JobId
    /// Id of a batch. Ids are positive, increase with every new batch and are never reused.
    BatchId
    /// Id of an API key. Ids are positive and never reused. An id is shown, and is not a secret.
    KeyId
}

/// Progress that a running attempt reports.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Completed share of the work, from 0 to 100, with at most two decimals.
    pub percent: f64,
    /// Description of the current step, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A job in its current state, in the form that the API returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Id of the job.
    pub id: JobId,
    /// Name of the executor or handler that runs the job.
    pub kind: String,
    /// Queue that the job belongs to.
    pub queue: QueueName,
    /// Pool of workers that runs the job.
    pub lane: Lane,
    /// Current state.
    pub state: State,
    /// Priority from -100 to 100; jobs with a higher priority run first.
    pub priority: i8,
    /// What the job waits for; only in answers about this job alone, while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_for: Option<WaitingFor>,
    /// Time until which it waits, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_until: Option<Timestamp>,
    /// What it waits for, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_detail: Option<String>,
    /// Number of attempts that have started. Attempts that were released do not count.
    pub attempt: u32,
    /// Maximum number of attempts.
    pub max_attempts: u32,
    /// Number of attempts that the submission granted, if a manual retry has granted more since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_granted: Option<u32>,
    /// Time at which the job was submitted.
    pub created_at: Timestamp,
    /// Earliest time at which the first attempt, or the next one, may start.
    pub run_at: Timestamp,
    /// Time at which the latest attempt started.
    pub started_at: Option<Timestamp>,
    /// Time at which the lease expires unless it is renewed; set only while the job runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_expires_at: Option<Timestamp>,
    /// Name of the remote worker that holds the lease or held the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Time at which the job reached a final state.
    pub finished_at: Option<Timestamp>,
    /// Time at which the job is cancelled if it has not started by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// Maximum duration of an attempt.
    pub timeout: Span,
    /// Pause between attempts; omitted from lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// Whether the job must never run twice.
    pub at_most_once: bool,
    /// Whether a result that is too large is truncated instead of failing the job.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub truncate_result: bool,
    /// Whether the job is running and has been asked to stop.
    pub cancel_requested: bool,
    /// Input of the job; omitted from lists unless requested.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Json>,
    /// Result of the job, `null` until it completes; omitted from lists unless requested.
    #[serde(
        default,
        deserialize_with = "queue::double_option",
        skip_serializing_if = "Option::is_none"
    )]
    pub result: Option<Option<Json>>,
    /// Whether the result was truncated to `max_result_bytes`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub result_truncated: bool,
    /// Error of the last attempt if it failed, or the reason for which the job was cancelled.
    pub error: Option<JobError>,
    /// Failed attempts, oldest first; omitted from lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Vec<Failure>>,
    /// All attempts that count, oldest first; omitted from lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts: Option<Vec<Attempt>>,
    /// Last progress that the attempt reported. A completed job is at 100 percent.
    pub progress: Option<Progress>,
    /// Tags that clients can filter by.
    pub tags: Vec<String>,
    /// JSON object of the application, returned unchanged; omitted from lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
    /// Batch that the job belongs to, if any.
    pub batch: Option<BatchId>,
    /// Webhook that is sent when the job ends; omitted from lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub callback: Option<Callback>,
    /// Job that is submitted when this one completes; omitted from lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub then: Option<Then>,
}

impl Job {
    /// Sets why the job does not run yet.
    pub(crate) fn set_waiting(&mut self, waiting: Waiting) {
        self.waiting_for = Some(waiting.waiting_for);
        self.waiting_until = waiting.until;
        self.waiting_detail = Some(waiting.detail);
    }
}

impl Progress {
    /// Creates a progress report. The percentage is rounded to two decimals, and the message is
    /// truncated to the length that the database accepts; an empty message becomes `None`.
    pub fn new(percent: f64, message: impl Into<String>) -> Self {
        let message = outcome::truncate(message.into(), JobError::MAX_MESSAGE_LEN);
        let message = Some(message).filter(|message| !message.is_empty());
        Self { percent: two_decimals(percent), message }
    }

    /// Returns this progress as a job in `state` shows it. A completed job is at 100 percent, however
    /// far its last report was; a job that failed or was cancelled keeps its last report.
    #[must_use]
    pub fn of_job_in(self, state: State) -> Self {
        let percent = match state {
            State::Completed => 100.0,
            // Earlier versions stored percentages with all their decimals.
            _ => two_decimals(self.percent),
        };
        Self { percent, ..self }
    }
}

impl Job {
    /// Returns the result, unless the job has none or it was omitted.
    pub fn result_json(&self) -> Option<&Json> {
        self.result.as_ref()?.as_ref()
    }
}

/// Rounds a percentage to two decimals, so that JSON has no `25.035170233333332`.
fn two_decimals(percent: f64) -> f64 {
    (percent * 100.0).round() / 100.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_has_at_most_two_decimals() {
        for (reported, json) in [
            (25.035_170_233_333_332, "25.04"),
            (100.0 / 3.0, "33.33"),
            (0.1 + 0.2, "0.3"),
            (1e-300, "0.0"),
            (99.994_999, "99.99"),
            (50.0, "50.0"),
        ] {
            let reported = Progress::new(reported, "");
            assert_eq!(
                serde_json::to_string(&reported).unwrap(),
                format!("{{\"percent\":{json}}}")
            );
            let stored = Progress { percent: reported.percent + 1e-9, message: None };
            assert_eq!(stored.of_job_in(State::Running), reported);
        }
    }

    #[test]
    fn a_completed_job_is_at_100_percent_and_keeps_its_message() {
        for state in State::ALL {
            let shown = Progress::new(83.33, "5s of 6s").of_job_in(state);
            let percent = if state == State::Completed { 100.0 } else { 83.33 };
            assert_eq!(shown, Progress::new(percent, "5s of 6s"), "{state}");
        }
    }
}
