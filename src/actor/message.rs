//! Every message between actors, with its answer.

use std::sync::Weak;

use actix::{Addr, Message};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

use crate::actor::announcer::Announcer;
use crate::actor::dispatcher::Dispatcher;
use crate::actor::feed::Feed;
use crate::actor::keeper::Keeper;
use crate::executor::StopReason;
use crate::job::batch::Batch;
use crate::job::counters::Counters;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::queue::{Queue, QueueName};
use crate::job::roster::{WaitingWorker, WaitingWorkerId};
use crate::job::{BatchId, Job, JobId, Lane, Log, Span, Timestamp};
use crate::store::{
    Answer, BatchPage, Checkpoint, JobFilter, JobPage, JobUpdate, Prunable, QueueSubset, Refusal,
    StoreError, Write,
};

/// Why a write was not done.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// The rules refuse it.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The disk is full. Nothing was written.
    #[error("the disk is full; nothing was written")]
    Full,
    /// Another process holds the database. Nothing was written.
    #[error("another process holds the database; nothing was written")]
    Busy,
    /// Whether it was written is not known; the server is about to end.
    #[error("whether it was written is not known; the server restarts")]
    Unknown,
}

/// What a write gave.
pub(crate) type WriteResult = Result<Answer, WriteError>;

/// To the Writer, by way of its inbox: do this in the next transaction.
pub(crate) struct Commit {
    pub(crate) write: Write,
    pub(crate) reply: Reply,
}

/// Who is told what a write gave, after it is on disk.
pub(crate) enum Reply {
    /// One who waits for it. The permits bound what is under way and come free with the answer.
    Caller { reply: oneshot::Sender<WriteResult>, permits: Vec<OwnedSemaphorePermit> },
    /// The worker that finished a job of this queue and lane: it is idle from then on.
    Worker { lease: Lease, queue: QueueName, lane: Lane },
    /// Nobody.
    Nobody,
}

/// To the Writer: the others are there, leasing may begin.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StartLeasing {
    pub(crate) dispatcher: Addr<Dispatcher>,
    pub(crate) announcer: Addr<Announcer>,
    pub(crate) keeper: Addr<Keeper>,
}

/// To the Writer: a remote worker waits for jobs.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AddWaitingWorker {
    pub(crate) waiting_worker: WaitingWorker,
    /// Whether it waits until there is something; else it is told at once that there is nothing.
    pub(crate) no_wait: bool,
    /// How long its leases last.
    pub(crate) lease: Span,
    /// What it calls itself.
    pub(crate) worker: Option<String>,
    pub(crate) reply: oneshot::Sender<LeaseReply>,
}

/// What a remote worker got: nothing where there was nothing.
pub(crate) type LeaseReply = Result<Vec<LeasedJob>, WriteError>;

/// To the Writer: a remote worker no longer waits.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RemoveWaitingWorker(pub(crate) WaitingWorkerId);

/// To the Writer, from its inbox and from itself: commit what has come so far.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Flush;

/// To the Writer: lease nothing any more, and tell when that is so.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain(pub(crate) oneshot::Sender<()>);

/// Writer to Dispatcher: what a transaction means for the workers.
#[derive(Default, Message)]
#[rtype(result = "()")]
pub(crate) struct Dispatch {
    /// Their workers are idle.
    pub(crate) ended: Vec<Lease>,
    /// To be handed to workers.
    pub(crate) leased: Vec<LeasedJob>,
    /// To be stopped, for they are cancelled.
    pub(crate) cancelled: Vec<JobId>,
}

/// Keeper to Dispatcher: have the leases of what runs renewed, and those of nobody taken back.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct MaintainLeases;

/// Server to Dispatcher: tell when nothing runs any more.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct NotifyWhenIdle(pub(crate) oneshot::Sender<()>);

/// Server to Dispatcher: stop whatever runs, the server goes down.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StopAll;

/// Dispatcher to Worker: run this job.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Run(pub(crate) LeasedJob);

/// Dispatcher to Worker: stop that attempt, if it still runs.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Stop {
    pub(crate) lease: Lease,
    pub(crate) reason: StopReason,
}

/// Writer to Keeper: a job waits until then.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct DueAt(pub(crate) Timestamp);

/// Writer to Announcer: these have ended, where somebody waits, and moved, where somebody listens.
#[derive(Default, Message)]
#[rtype(result = "()")]
pub(crate) struct Announce {
    pub(crate) jobs: Vec<JobId>,
    pub(crate) batches: Vec<BatchId>,
    pub(crate) changed: Vec<ChangedJob>,
}

impl Announce {
    pub(crate) fn is_empty(&self) -> bool {
        self.jobs.is_empty() && self.batches.is_empty() && self.changed.is_empty()
    }
}

/// A job that moved, or told something of itself, as far as listeners choose by it.
pub(crate) struct ChangedJob {
    pub(crate) job: JobId,
    pub(crate) queue: QueueName,
    pub(crate) batch: Option<BatchId>,
}

/// To the Announcer: tell when this ends.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct WaitForEnd {
    pub(crate) subject: Subject,
    pub(crate) reply: oneshot::Sender<()>,
}

/// To the Announcer: ring whenever this moves, as long as somebody has the notify.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Subscribe {
    pub(crate) subject: Subject,
    pub(crate) notify: Weak<Notify>,
}

/// To the Announcer: add to this whatever moves, as long as somebody has it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SubscribeToAll(pub(crate) Weak<Feed>);

/// What can be waited for, or listened to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Job(JobId),
    Batch(BatchId),
}

/// Keeper to Announcer: forget those who no longer wait.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Sweep;

/// To a Reader: one job.
#[derive(Message)]
#[rtype(result = "Result<Option<Job>, StoreError>")]
pub(crate) struct GetJob(pub(crate) JobId);

/// To a Reader: the end of a job's log from a position on.
#[derive(Message)]
#[rtype(result = "Result<Option<Log>, StoreError>")]
pub(crate) struct GetLog(pub(crate) JobId, pub(crate) u64);

/// To a Reader: one job as it stands, and its log from a position on.
#[derive(Message)]
#[rtype(result = "Result<Option<JobUpdate>, StoreError>")]
pub(crate) struct GetJobUpdate(pub(crate) JobId, pub(crate) u64);

/// To a Reader: those of these jobs that are there.
#[derive(Message)]
#[rtype(result = "Result<Vec<Job>, StoreError>")]
pub(crate) struct GetJobSummaries(pub(crate) Vec<JobId>);

/// To a Reader: what happened in a queue, or in all, from a time to another.
#[derive(Message)]
#[rtype(result = "Result<Vec<(Timestamp, Counters)>, StoreError>")]
pub(crate) struct GetTimeBuckets {
    pub(crate) queue: Option<QueueName>,
    pub(crate) span: (Timestamp, Timestamp),
}

/// To a Reader: the jobs that failed last.
#[derive(Message)]
#[rtype(result = "Result<Vec<Job>, StoreError>")]
pub(crate) struct ListRecentFailures(pub(crate) u32);

/// To a Reader: jobs, newest first.
#[derive(Message)]
#[rtype(result = "Result<JobPage, StoreError>")]
pub(crate) struct ListJobs(pub(crate) JobFilter);

/// To a Reader: one batch.
#[derive(Message)]
#[rtype(result = "Result<Option<Batch>, StoreError>")]
pub(crate) struct GetBatch(pub(crate) BatchId);

/// To a Reader: batches, newest first.
#[derive(Message)]
#[rtype(result = "Result<BatchPage, StoreError>")]
pub(crate) struct ListBatches {
    pub(crate) limit: u32,
    pub(crate) before: Option<BatchId>,
}

/// To a Reader: every queue.
#[derive(Message)]
#[rtype(result = "Result<Vec<Queue>, StoreError>")]
pub(crate) struct ListQueues;

/// To a Reader: the queues with the most live jobs.
#[derive(Message)]
#[rtype(result = "Result<QueueSubset, StoreError>")]
pub(crate) struct ListDeepestQueues(pub(crate) usize);

/// To a Reader: one queue.
#[derive(Message)]
#[rtype(result = "Result<Option<Queue>, StoreError>")]
pub(crate) struct GetQueue(pub(crate) QueueName);

/// To a Reader: jobs that may be pruned, from a place on.
#[derive(Message)]
#[rtype(result = "Result<Prunable, StoreError>")]
pub(crate) struct FindPrunable {
    pub(crate) after: JobId,
    pub(crate) finished_before: Timestamp,
}

/// To a Reader: move the log into the database file.
#[derive(Message)]
#[rtype(result = "Result<Checkpoint, StoreError>")]
pub(crate) struct CheckpointLog;
