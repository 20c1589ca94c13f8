//! Forms of `/v1/leases`: what remote workers send and receive.

mod report;
mod request;
mod watch;

use serde::Serialize;

use crate::api::problem::EntryProblem;
use crate::job::lease::{LeaseToken, LeasedJob};
use crate::job::{BatchId, JobId, Json, QueueName, Span, State, Timestamp};

pub use report::{
    CheckedLeaseAction, CheckedLeaseReport, LeaseAction, LeaseReport, ReportedError,
    ReportedProgress, UnusableResult,
};
pub use request::{
    CheckedLeaseJobsRequest, LEASE_RANGE, LeaseJobsRequest, MAX_NAMES, MAX_WORKER_LEN,
};
pub use watch::{
    CheckedWatchLeasesRequest, MAX_WATCHED, UnreadableLease, WatchLeasesRequest, WatchedLeaseView,
    WatchedLeases,
};

/// Response to a [`LeaseJobsRequest`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeasedJobs {
    /// The leased jobs; empty if none was available in time.
    pub jobs: Vec<LeasedJobView>,
}

/// A leased job, as its remote worker gets it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeasedJobView {
    /// Id of the job.
    pub id: JobId,
    /// Kind of the job, which says how to run it.
    pub kind: String,
    /// Queue that the job belongs to.
    pub queue: QueueName,
    /// Number of the attempt, counted from 1.
    pub attempt: u32,
    /// Maximum number of attempts.
    pub max_attempts: u32,
    /// Maximum duration of the attempt.
    pub timeout: Span,
    /// Time at which the attempt must have ended, however often the lease is renewed.
    pub deadline_at: Timestamp,
    /// Batch that the job belongs to, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchId>,
    /// Fencing token of the lease.
    pub lease_token: LeaseToken,
    /// Time at which the lease expires unless it is renewed.
    pub lease_expires_at: Timestamp,
    /// Tags of the job, if it has any.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// JSON object of the application, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Json>,
    /// Input of the job.
    pub payload: Json,
}

impl From<LeasedJob> for LeasedJobView {
    fn from(job: LeasedJob) -> Self {
        Self {
            id: job.lease.job,
            deadline_at: job.started_at.plus(job.timeout.duration()),
            kind: job.kind,
            queue: job.queue,
            attempt: job.attempt,
            max_attempts: job.max_attempts,
            timeout: job.timeout,
            batch: job.batch,
            lease_token: job.lease.token,
            lease_expires_at: job.lease_expires_at,
            tags: job.tags,
            metadata: job.metadata,
            payload: job.payload,
        }
    }
}

/// Results of a list of actions, in the order of the request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeaseAnswers {
    /// One answer for each action.
    pub answers: Vec<LeaseAnswer>,
}

/// Result of an action on a lease.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LeaseAnswer {
    /// Id of the job; `null` if it could not be read.
    pub id: Option<JobId>,
    /// Fencing token of the lease; `null` if it could not be read.
    pub lease_token: Option<LeaseToken>,
    /// HTTP status that the action alone would have had; only in a list.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// State of the job after its attempt was ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// `true` if the result was truncated to `max_result_bytes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result_truncated: Option<bool>,
    /// `true` if the same finish was reported before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeated: Option<bool>,
    /// Time at which the renewed lease expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lease_expires_at: Option<Timestamp>,
    /// Whether the job of the renewed lease was cancelled, so that the worker should stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel: Option<bool>,
    /// Why the action was refused; only in a list.
    #[serde(flatten)]
    pub problem: Option<EntryProblem>,
}

impl LeaseAnswer {
    /// Creates an answer without any optional field.
    pub fn new(id: Option<JobId>, lease_token: Option<LeaseToken>) -> Self {
        Self {
            id,
            lease_token,
            status: None,
            state: None,
            result_truncated: None,
            repeated: None,
            lease_expires_at: None,
            cancel: None,
            problem: None,
        }
    }
}
