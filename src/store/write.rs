//! What can be asked of the table, and what it answers.

use std::sync::Arc;

use crate::job::batch::Batch;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::outcome::Outcome;
use crate::job::queue::{QueueChange, QueueName, QueueSettings};
use crate::job::roster::Order;
use crate::job::tally::Stretch;
use crate::job::{BatchId, JobId, Lane, Log, NewJob, Progress, Span, State, Timestamp};

/// One change to the table. A group of them is one transaction.
#[derive(Debug, Clone)]
pub enum Write {
    /// Adds jobs, all or none.
    Submit(Submit),
    /// Leases queued jobs.
    Lease(LeaseRequest),
    /// Reports the outcome of an attempt.
    Finish(Finish),
    /// Extends leases.
    Renew(Renew),
    /// Notes how far an attempt is.
    Report(Lease, Progress),
    /// Adds to a job's log.
    Log(LogLines),
    /// Calls off a job: at once if it does not run, else its worker is to stop.
    Cancel(JobId),
    /// Calls off every job of a batch.
    CancelBatch(BatchId),
    /// Queues a final job once more, or one that waits for its next attempt.
    Retry(JobId),
    /// Removes a final job.
    Delete(JobId),
    /// Queues scheduled and retrying jobs that are due.
    Stage {
        /// How many at most.
        limit: u32,
    },
    /// Calls off jobs that expired before they started.
    Expire {
        /// How many at most.
        limit: u32,
    },
    /// Takes back jobs whose worker is gone.
    Rescue {
        /// Which.
        scope: RescueScope,
        /// How many at most.
        limit: u32,
    },
    /// Removes those of the given jobs that became final before a time.
    Prune {
        /// Candidates.
        jobs: Vec<JobId>,
        /// Only those that ended before this.
        finished_before: Timestamp,
    },
    /// Several writes, each taken or refused by itself, with one answer for all.
    Each(Vec<Write>),
    /// Writes down what happened, for the charts.
    Tally(Vec<Stretch>),
    /// Changes a queue's settings; makes the queue if it is new.
    Configure {
        /// Which queue.
        queue: QueueName,
        /// What to change.
        change: QueueChange,
    },
}

impl Write {
    /// A submission that depends on nothing but room for its queues: it has no key and no batch.
    pub fn plain_submit(&self) -> Option<&Submit> {
        match self {
            Self::Submit(submit) => {
                let Submit { jobs, key, batch } = submit;
                (!jobs.is_empty() && key.is_none() && batch.is_none()).then_some(submit)
            }
            _ => None,
        }
    }
}

/// Jobs to add, all or none.
#[derive(Debug, Clone)]
pub struct Submit {
    /// The jobs; at least one. Shared, for the caller needs them again to answer.
    pub jobs: Arc<[NewJob]>,
    /// Makes a repetition give the first submission's jobs.
    pub key: Option<IdempotencyKey>,
    /// Puts the jobs into a batch.
    pub batch: Option<NewBatch>,
}

/// What makes a repeated submission known as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The client's key.
    pub key: String,
    /// The hash of what was submitted under it.
    pub fingerprint: [u8; 32],
}

/// A batch to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    /// What the client calls it.
    pub name: Option<String>,
}

/// A wish for leases.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// How many of which queue and lane.
    pub order: Order,
    /// How long the leases last; with remote workers no longer than an attempt may take.
    pub lease: Span,
    /// What the remote worker calls itself.
    pub worker: Option<String>,
}

/// The outcome of an attempt.
#[derive(Debug, Clone)]
pub struct Finish {
    /// The lease under which it ran.
    pub lease: Lease,
    /// What it gave.
    pub outcome: Outcome,
    /// Who tells it.
    pub holder: Holder,
    /// Where the job stands, as a worker of this process knows from its lease: saves a look.
    pub place: Option<Place>,
    /// When the attempt began, as a worker of this process knows as well.
    pub started_at: Option<Timestamp>,
}

/// Where a job stands for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The job.
    pub job: JobId,
    /// Its queue.
    pub queue: QueueName,
    /// Its lane.
    pub lane: Lane,
    /// Its batch, if it is in one.
    pub batch: Option<BatchId>,
}

impl Place {
    /// Where a leased job stands.
    pub fn of(job: &LeasedJob) -> Self {
        Self { job: job.lease.job, queue: job.queue.clone(), lane: job.lane, batch: job.batch }
    }
}

/// Who holds a lease. Neither sort ends what the other holds: the tokens of two jobs may be equal,
/// and a remote worker may name a wrong job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// A worker of this process.
    Local,
    /// A remote worker.
    Remote,
}

impl Holder {
    /// Who holds the leases of a lane.
    pub fn of(lane: Lane) -> Self {
        if lane == Lane::Remote { Self::Remote } else { Self::Local }
    }

    /// Whether jobs of this lane are its own.
    pub fn holds(self, lane: Lane) -> bool {
        self == Self::of(lane)
    }
}

/// Leases to extend. Extending never shortens.
#[derive(Debug, Clone)]
pub struct Renew {
    /// Which.
    pub leases: Vec<Lease>,
    /// How long they last from now, as at first if none; with remote workers no longer than an
    /// attempt may take.
    pub lease: Option<Span>,
    /// Who asks for it.
    pub holder: Holder,
    /// How far the attempts are, where that is told as well.
    pub progress: Option<Progress>,
}

/// What an attempt said since it said something last.
#[derive(Debug, Clone)]
pub struct LogLines {
    /// The lease under which it runs.
    pub lease: Lease,
    /// Who tells it.
    pub holder: Holder,
    /// The lines. Positions in it count from the end of what was said before.
    pub log: Log,
}

/// Whose jobs a rescue takes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RescueScope {
    /// Those whose lease has run out.
    Expired {
        /// By when: the time at which the rescue was decided. It may be written later, and leases
        /// that were renewed late must not suffer from that.
        by: Timestamp,
    },
    /// Those of local lanes, whose process has died, and all of an earlier epoch. Only right before
    /// any worker starts. Turns back as well what the process put off by a clock that was set back
    /// since.
    Dead,
}

impl RescueScope {
    /// Those whose lease has run out by the time of the transaction.
    pub fn expired_now() -> Self {
        Self::Expired { by: Timestamp::from_millis(i64::MAX) }
    }
}

/// What a write gave.
#[derive(Debug, Clone)]
pub enum Answer {
    /// To [`Write::Submit`].
    Submitted(Submitted),
    /// To [`Write::Lease`].
    Leased(Leased),
    /// To [`Write::Finish`].
    Finished(Finished),
    /// To [`Write::Renew`].
    Renewed(Renewed),
    /// To [`Write::Cancel`] and [`Write::CancelBatch`]: how many jobs ended at once and which run
    /// still and are to stop.
    Cancelled {
        /// How many are cancelled.
        ended: usize,
        /// Which are to be stopped by their workers.
        running: Vec<JobId>,
    },
    /// To [`Write::Stage`], [`Write::Expire`] and [`Write::Rescue`].
    Moved(Moved),
    /// To [`Write::Delete`] and [`Write::Prune`]: how many jobs were removed.
    Removed(usize),
    /// To [`Write::Each`], in the order of the writes.
    Each(Vec<Result<Answer, Refusal>>),
    /// To [`Write::Configure`]: the settings from now on.
    Configured(QueueSettings),
    /// To [`Write::Retry`], [`Write::Report`], [`Write::Log`] and [`Write::Tally`].
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
pub struct Moved {
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

/// A job that moved from one state to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The job.
    pub job: JobId,
    /// Its queue.
    pub queue: QueueName,
    /// Its lane.
    pub lane: Lane,
    /// Its kind, where it comes back to the remote lane, whose workers may take some kinds only.
    pub remote_kind: Option<Arc<str>>,
    /// Its batch, if it is in one.
    pub batch: Option<BatchId>,
    /// From where; none if it is new.
    pub from: Option<State>,
    /// Whereto; none if it was removed.
    pub to: Option<State>,
    /// When it is due, where it waits for that.
    pub due_at: Option<Timestamp>,
    /// How long it was due before this attempt, where it starts; how long its attempt took, where
    /// that ends and its begin is known.
    pub took: Option<Span>,
}

/// What a committed group gave.
#[derive(Debug, Clone, Default)]
pub struct Committed {
    /// One answer a write, in their order.
    pub answers: Vec<Result<Answer, Refusal>>,
    /// Every job that moved, in order.
    pub changes: Vec<Change>,
    /// Jobs whose attempt told how far it is, or added to the log.
    pub reported: Vec<JobId>,
    /// Batches whose last job became final.
    pub ended_batches: Vec<BatchId>,
    /// Queues that are new or have new settings.
    pub configured: Vec<(QueueName, QueueSettings)>,
}
