//! What writes gave: an answer each, and what moved.

use crate::job::batch::Batch;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::queue::{QueueName, QueueSettings};
use crate::job::{BatchId, Change, JobId, State, Timestamp};

/// What a write gave.
#[derive(Debug, Clone)]
pub enum Answer {
    /// To [`Write::Submit`](crate::store::Write::Submit).
    Submitted(Submitted),
    /// To [`Write::Lease`](crate::store::Write::Lease).
    Leased(Leased),
    /// To [`Write::Finish`](crate::store::Write::Finish).
    Finished(Finished),
    /// To [`Write::Renew`](crate::store::Write::Renew).
    Renewed(Renewed),
    /// To [`Write::Cancel`](crate::store::Write::Cancel) and [`Write::CancelBatch`](crate::store::Write::CancelBatch): how many jobs ended at once and which run
    /// still and are to stop.
    Cancelled {
        /// How many are cancelled.
        ended: usize,
        /// Which are to be stopped by their workers.
        running: Vec<JobId>,
    },
    /// To [`Write::Stage`](crate::store::Write::Stage), [`Write::Expire`](crate::store::Write::Expire) and [`Write::Rescue`](crate::store::Write::Rescue).
    Moved(MoveSummary),
    /// To [`Write::Delete`](crate::store::Write::Delete) and [`Write::Prune`](crate::store::Write::Prune): how many jobs were removed.
    Removed(usize),
    /// To [`Write::Each`](crate::store::Write::Each), in the order of the writes.
    Each(Vec<Result<Answer, Refusal>>),
    /// To [`Write::Configure`](crate::store::Write::Configure): the settings from now on.
    Configured(QueueSettings),
    /// To [`Write::Retry`](crate::store::Write::Retry), [`Write::Report`](crate::store::Write::Report), [`Write::Log`](crate::store::Write::Log) and [`Write::TimeBuckets`](crate::store::Write::TimeBuckets).
    Done,
}

impl Answer {
    /// Adds the jobs that are to be stopped by their workers.
    pub(crate) fn note_cancelled(&self, jobs: &mut Vec<JobId>) {
        match self {
            Self::Cancelled { running, .. } => jobs.extend(running),
            Self::Each(answers) => {
                answers.iter().flatten().for_each(|answer| answer.note_cancelled(jobs));
            }
            _ => {}
        }
    }
}

/// What a lease gave.
#[derive(Debug, Clone, Default)]
pub struct Leased {
    /// The jobs, those to run first at the front.
    pub jobs: Vec<LeasedJob>,
    /// Whether there is nothing more to lease there. Fewer jobs than were asked for do not tell, for
    /// large payloads come in portions.
    pub is_empty: bool,
}

/// What a submission gave.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// The first job's id; the others follow it one by one.
    pub first: JobId,
    /// How many jobs.
    pub count: usize,
    /// The batch, as it stood right after the submission.
    pub batch: Option<Batch>,
    /// When it was submitted.
    pub at: Timestamp,
    /// Whether these jobs come from an earlier submission with the same key.
    pub is_repeat: bool,
}

impl Submitted {
    /// The ids of the jobs, in the order of their submission.
    pub fn ids(&self) -> impl Iterator<Item = JobId> + use<> {
        let first = self.first.0;
        (0..self.count).map(move |offset| JobId(first + offset as i64))
    }
}

/// How a finish was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// It decided the job's next state.
    Accepted(State),
    /// It is the same finish as before; nothing changed.
    Repeated,
}

/// What became of leases that were to be extended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Those that still hold, with the time when they run out.
    pub held: Vec<(Lease, Timestamp)>,
    /// Of those, the jobs that are to stop.
    pub cancelled: Vec<JobId>,
}

/// What a stage, an expiry or a rescue did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MoveSummary {
    /// How many jobs it moved.
    pub count: usize,
    /// When the next is due, if any waits.
    pub next_at: Option<Timestamp>,
}

/// Why one write was not applied. The others of its group are unharmed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such job.
    #[error("there is no job {0}")]
    NoJob(JobId),
    /// There is no such batch.
    #[error("there is no batch {0}")]
    NoBatch(BatchId),
    /// The job's state does not allow it.
    #[error("{why}")]
    Conflict {
        /// The job.
        job: JobId,
        /// Where it stands.
        state: State,
        /// Why that does not go.
        why: String,
    },
    /// The lease was taken from the worker, or its job has ended otherwise.
    #[error(
        "the lease is no longer held: its token is not the latest, or the job has ended otherwise"
    )]
    StaleLease,
    /// The idempotency key was used for another submission.
    #[error("the idempotency key was used before, with another body")]
    KeyReused,
    /// There are as many queues as may be.
    #[error("there are {0} queues already, which is the most that may be")]
    TooManyQueues(usize),
    /// The database refused this write by itself: a bug, for the rules above should have.
    #[error("the database refused the write: {0}")]
    Rejected(String),
}

/// What a committed group gave.
#[derive(Debug, Clone, Default)]
pub struct Committed {
    /// One answer a write, in their order.
    pub answers: Vec<Result<Answer, Refusal>>,
    /// Every job that moved, in order.
    pub changes: Vec<Change>,
    /// Jobs whose attempt told how far it is, or added to the log, with their queues.
    pub reported: Vec<(JobId, QueueName)>,
    /// Batches whose last job became final.
    pub ended_batches: Vec<BatchId>,
    /// Queues that are new or have new settings.
    pub configured: Vec<(QueueName, QueueSettings)>,
}
