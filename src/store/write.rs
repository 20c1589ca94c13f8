//! What can be asked of the table.

use std::sync::Arc;

use crate::job::counters::TimeBucket;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::outcome::Outcome;
use crate::job::queue::{QueueChange, QueueName};
use crate::job::roster::LeaseOrder;
use crate::job::{BatchId, JobId, Lane, Log, NewJob, Progress, Span, Timestamp};

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
    TimeBuckets(Vec<Arc<TimeBucket>>),
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
    pub order: LeaseOrder,
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
    pub location: Option<JobLocation>,
    /// When the attempt began, as a worker of this process knows as well.
    pub started_at: Option<Timestamp>,
}

/// Where a job stands for good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLocation {
    /// The job.
    pub job: JobId,
    /// Its queue.
    pub queue: QueueName,
    /// Its lane.
    pub lane: Lane,
    /// Its batch, if it is in one.
    pub batch: Option<BatchId>,
}

impl JobLocation {
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
