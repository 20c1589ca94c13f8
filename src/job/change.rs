//! A committed change of a job's state.

use std::sync::Arc;

use crate::job::limit::provider::ProviderName;
use crate::job::queue::QueueName;
use crate::job::{BatchId, JobId, KeyId, Lane, Span, State, Timestamp};

/// One job that was created, moved to another state, or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The job.
    pub job: JobId,
    /// The job's queue.
    pub queue: QueueName,
    /// The job's lane.
    pub lane: Lane,
    /// The job's kind, set only if the job becomes available to remote workers, which lease by kind.
    pub remote_kind: Option<Arc<str>>,
    /// The job's batch, if it belongs to one.
    pub batch: Option<BatchId>,
    /// The provider that the job calls, if any.
    pub provider: Option<ProviderName>,
    /// The API key with which the job was submitted, if any.
    pub key: Option<KeyId>,
    /// The queue before the change, if the job was moved to another.
    pub from_queue: Option<QueueName>,
    /// The state before the change; `None` if the job is new.
    pub from: Option<State>,
    /// The state after the change; `None` if the job was removed.
    pub to: Option<State>,
    /// Time at which the job becomes due, if it now waits for one.
    pub due_at: Option<Timestamp>,
    /// When an attempt starts: how long it had been due. When an attempt ends: how long it ran, if
    /// its start is known.
    pub took: Option<Span>,
    /// The last attempt, if the job failed for good. Boxed, because most changes have none.
    pub failed: Option<Box<FailedAttempt>>,
}

/// The attempt with which a job failed for good, as the log of the server reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedAttempt {
    /// The job's kind.
    pub kind: String,
    /// Number of the attempt.
    pub attempt: u32,
    /// Error code of the job.
    pub code: String,
}

impl Change {
    /// Returns by how much the number of jobs that have not ended changes.
    pub(crate) fn unfinished_delta(&self) -> i64 {
        let is_unfinished = |state: Option<State>| state.is_some_and(|state| !state.is_final());
        i64::from(is_unfinished(self.to)) - i64::from(is_unfinished(self.from))
    }

    /// Returns whether the job has ended.
    pub(crate) fn is_end(&self) -> bool {
        let is_final = |state: Option<State>| state.is_some_and(State::is_final);
        is_final(self.to) && !is_final(self.from)
    }

    /// Returns whether the counters of a queue, which never fall, count the new state: they count the
    /// submissions of jobs, and the entries to the states that a waiting job leaves for.
    pub(crate) fn is_counted_entry(&self) -> bool {
        match self.to {
            Some(State::Scheduled | State::Queued) => self.from.is_none(),
            // Not a job that was moved back by an update.
            Some(State::Retrying) => self.from == Some(State::Running),
            to => to != self.from,
        }
    }
}
