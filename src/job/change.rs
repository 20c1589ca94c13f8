//! A committed change of a job's state.

use std::sync::Arc;

use crate::job::queue::QueueName;
use crate::job::{BatchId, JobId, Lane, Span, State, Timestamp};

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
    /// The state before the change; `None` if the job is new.
    pub from: Option<State>,
    /// The state after the change; `None` if the job was removed.
    pub to: Option<State>,
    /// Time at which the job becomes due, if it now waits for one.
    pub due_at: Option<Timestamp>,
    /// When an attempt starts: how long it had been due. When an attempt ends: how long it ran, if
    /// its start is known.
    pub took: Option<Span>,
}
