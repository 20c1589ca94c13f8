//! Jobs that were validated and have no id yet.

use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::limit::provider::ProviderName;
use crate::job::outcome::retry::Backoff;
use crate::job::payload::Json;
use crate::job::queue::QueueName;
use crate::job::submission::on_end::OnEnd;
use crate::job::submission::on_end::follow_up::FollowUp;
use crate::job::submission::{Kind, Tag};
use crate::job::time::{Span, Timestamp};
use crate::job::{Job, JobId, KeyId, State};

/// A valid job that has no id yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NewJob {
    /// Name of the executor or handler that runs the job.
    pub kind: Kind,
    /// Pool of workers that runs the job.
    pub lane: Lane,
    /// Queue that the job belongs to.
    pub queue: QueueName,
    /// Priority from -100 to 100.
    pub priority: i8,
    /// Earliest time at which the job may start.
    pub run_at: Timestamp,
    /// Whether `run_at` was in the future when the submission was validated.
    pub is_scheduled: bool,
    /// Maximum duration of an attempt.
    pub timeout: Span,
    /// Maximum number of attempts.
    pub max_attempts: u32,
    /// Pause between attempts.
    pub backoff: Backoff,
    /// Whether the job must never run twice.
    pub at_most_once: bool,
    /// Time at which the job is cancelled if it has not started by then.
    pub expires_at: Option<Timestamp>,
    /// Tags that clients can filter by, without duplicates.
    pub tags: Vec<Tag>,
    /// Whether a result that is too large is truncated, instead of failing the job.
    pub truncate_result: bool,
    /// JSON object of the application.
    pub metadata: Option<Json>,
    /// Provider that the job calls.
    pub provider: Option<ProviderName>,
    /// API key with which the job is submitted, if any.
    pub key: Option<KeyId>,
    /// What happens when the job ends. Boxed, because most jobs have nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_end: Option<Box<OnEnd>>,
    /// Input of the job.
    pub payload: Json,
}

impl NewJob {
    /// Returns the state in which the job is inserted.
    pub fn state(&self) -> State {
        if self.is_scheduled { State::Scheduled } else { State::Queued }
    }

    /// Returns the earliest time at which the job may start if it is inserted at `now`.
    pub fn due_at(&self, now: Timestamp) -> Timestamp {
        if self.is_scheduled { self.run_at } else { now }
    }

    /// Returns the job as it is right after its insertion with `id` at `now`.
    pub fn inserted(&self, id: JobId, now: Timestamp) -> Job {
        Job {
            waiting_for: None,
            waiting_until: None,
            waiting_detail: None,
            id,
            kind: self.kind.as_str().to_owned(),
            queue: self.queue.clone(),
            lane: self.lane,
            state: self.state(),
            priority: self.priority,
            attempt: 0,
            max_attempts: self.max_attempts,
            attempts_granted: None,
            created_at: now,
            run_at: self.due_at(now),
            started_at: None,
            lease_expires_at: None,
            worker: None,
            finished_at: None,
            expires_at: self.expires_at,
            timeout: self.timeout,
            backoff: Some(self.backoff),
            at_most_once: self.at_most_once,
            truncate_result: self.truncate_result,
            cancel_requested: false,
            payload: Some(self.payload.clone()),
            result: Some(None),
            result_truncated: false,
            error: None,
            failures: Some(Vec::new()),
            attempts: Some(Vec::new()),
            progress: None,
            tags: self.tags.iter().map(|tag| tag.as_str().to_owned()).collect(),
            metadata: self.metadata.clone(),
            batch: None,
            callback: self.on_end.as_ref().and_then(|on_end| on_end.callback.clone()),
            then: self
                .on_end
                .as_ref()
                .and_then(|on_end| on_end.then.as_deref())
                .map(FollowUp::shown),
        }
    }
}
