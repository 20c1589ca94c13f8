//! The job and its rules. Pure: no clock, no input or output; time is an argument.

pub mod batch;
pub mod change;
pub mod counters;
pub mod epoch;
pub mod histogram;
pub mod lane;
pub mod lease;
pub mod log;
pub mod outcome;
pub mod payload;
pub mod problem;
pub mod queue;
pub mod recorder;
pub mod remote;
pub mod retry;
pub mod roster;
mod starts;
pub mod state;
pub mod stats;
pub mod submission;
pub mod time;

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use change::Change;
pub use lane::Lane;
pub use log::Log;
pub use outcome::{Failure, JobError};
pub use payload::Json;
pub use queue::QueueName;
pub use state::State;
pub use stats::Stats;
pub use submission::{NewJob, Submission};
pub use time::{Span, Timestamp};

/// The id of a job: positive, rising, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(pub i64);

/// The id of a batch: positive, rising, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BatchId(pub i64);

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for BatchId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl FromStr for BatchId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

/// How far a running job says it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// 0 to 100.
    pub percent: f64,
    /// What it is doing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A job as it stands: the form in which the API shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Which executor or handler runs it.
    pub kind: String,
    /// Its queue.
    pub queue: QueueName,
    /// The pool that runs it.
    pub lane: Lane,
    /// Where it stands.
    pub state: State,
    /// -100 to 100; higher runs first.
    pub priority: i8,
    /// How many attempts have begun and count.
    pub attempt: u32,
    /// How many there may be.
    pub max_attempts: u32,
    /// When it was submitted.
    pub created_at: Timestamp,
    /// When it may begin, or when its next attempt may.
    pub run_at: Timestamp,
    /// When its latest attempt began.
    pub started_at: Option<Timestamp>,
    /// When its lease runs out unless it is renewed, while it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_expires_at: Option<Timestamp>,
    /// What the remote worker calls itself that holds its lease, or held the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// When it became final.
    pub finished_at: Option<Timestamp>,
    /// When it is called off if it has not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// How long an attempt may take.
    pub timeout: Span,
    /// Whether it must never run twice.
    pub at_most_once: bool,
    /// Whether it runs and is asked to stop.
    pub cancel_requested: bool,
    /// Its input; left out of lists unless asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Json>,
    /// What it gave, `null` while it has not; left out of lists unless asked for.
    #[serde(default, deserialize_with = "queue::named", skip_serializing_if = "Option::is_none")]
    pub result: Option<Option<Json>>,
    /// Whether the result was cut to `max_result_bytes`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub result_truncated: bool,
    /// Why its last attempt failed, or why it was called off.
    pub error: Option<JobError>,
    /// Its failed attempts, oldest first; left out of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<Vec<Failure>>,
    /// How far its attempt says it is.
    pub progress: Option<Progress>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Its batch, if it is in one.
    pub batch: Option<BatchId>,
}

impl Progress {
    /// Progress with its text cut to what the database takes; one that is empty is none.
    pub fn new(percent: f64, message: impl Into<String>) -> Self {
        let message = outcome::cut(message.into(), JobError::MAX_MESSAGE_LEN);
        Self { percent, message: Some(message).filter(|message| !message.is_empty()) }
    }
}

impl Job {
    /// Its result, if it has one and it was not left out.
    pub fn given(&self) -> Option<&Json> {
        self.result.as_ref()?.as_ref()
    }
}
