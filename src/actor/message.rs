//! All messages between actors, and the types of their answers.

use std::sync::Weak;

use actix::{Message, Recipient};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

use crate::actor::events::feed::Feed;
use crate::executor::StopReason;
use crate::job::batch::Batch;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::queue::{Queue, QueueName};
use crate::job::{BatchId, Job, JobId, Lane, Log, Span, Timestamp};
use crate::metrics::counters::Counters;
use crate::roster::{WaitingWorker, WaitingWorkerId};
use crate::store::{
    Answer, BatchPage, Checkpoint, JobFilter, JobPage, JobUpdate, Prunable, QueueSubset, Refusal,
    StoreError, Write,
};

/// Reason why a write was not applied, or may not have been.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WriteError {
    /// A rule refuses the write in the current state of the database. The caller must change its
    /// request; the refusal says why.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The disk is full. Nothing was written; the caller may try again when there is room.
    #[error("the disk is full; nothing was written")]
    Full,
    /// Another process holds the database. Nothing was written; the caller may try again shortly.
    #[error("another process holds the database; nothing was written")]
    Busy,
    /// It is unknown whether the write was applied, and the server is about to end. The caller must
    /// look up the state after the restart.
    #[error("it is unknown whether the write was stored; the server must restart")]
    Unknown,
}

/// Result of a write.
pub(crate) type WriteResult = Result<Answer, WriteError>;

/// To the Writer, through its inbox: apply this write in the next transaction.
pub(crate) struct Commit {
    pub(crate) write: Write,
    pub(crate) reply: Reply,
}

/// Recipient of the result of a write. It is answered after the write is on disk.
pub(crate) enum Reply {
    /// A caller that waits for the result. The permits bound the requests in progress and are
    /// released with the answer.
    Caller { reply: oneshot::Sender<WriteResult>, permits: Vec<OwnedSemaphorePermit> },
    /// The worker that finished a job of this queue and lane. The worker is idle after the commit.
    Worker { lease: Lease, queue: QueueName, lane: Lane },
    /// No recipient: a refusal is only logged.
    Discard,
}

/// Server to Writer: the other actors are running, leasing may start.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StartLeasing {
    /// The Dispatcher.
    pub(crate) dispatch: Recipient<Dispatch>,
    /// The Announcer.
    pub(crate) announce: Recipient<Announce>,
    /// The Keeper.
    pub(crate) due_at: Recipient<DueAt>,
}

/// Handle to Writer: a remote worker waits for jobs.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct AddWaitingWorker {
    pub(crate) waiting_worker: WaitingWorker,
    /// Whether the worker is answered at once, with an empty list if no job is available, instead of
    /// waiting for one.
    pub(crate) no_wait: bool,
    /// Duration of its leases.
    pub(crate) lease_duration: Span,
    /// Name that the worker gives itself.
    pub(crate) worker: Option<String>,
    pub(crate) reply: oneshot::Sender<LeaseReply>,
}

/// Jobs leased for a remote worker; an empty list if none were available.
pub(crate) type LeaseReply = Result<Vec<LeasedJob>, WriteError>;

/// Handle to Writer: a remote worker no longer waits.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct RemoveWaitingWorker(pub(crate) WaitingWorkerId);

/// To the Writer, from its inbox and from itself: commit all pending writes.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Flush;

/// Server to Writer: stop leasing, and answer when no more jobs will be leased.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Drain(pub(crate) oneshot::Sender<()>);

/// Writer to Dispatcher: the consequences of a transaction for the workers.
#[derive(Default, Message)]
#[rtype(result = "()")]
pub(crate) struct Dispatch {
    /// Leases whose attempt has ended; their workers are idle.
    pub(crate) ended: Vec<Lease>,
    /// Jobs to pass to idle workers.
    pub(crate) leased: Vec<LeasedJob>,
    /// Jobs whose attempts must stop because the jobs are cancelled.
    pub(crate) cancelled: Vec<JobId>,
}

/// Keeper to Dispatcher: renew the leases of running jobs, and rescue the jobs whose lease expired.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct MaintainLeases;

/// Server to Dispatcher: answer when no job is running.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct NotifyWhenIdle(pub(crate) oneshot::Sender<()>);

/// Server to Dispatcher: stop all running attempts because the server shuts down.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct StopAll;

/// Dispatcher to Worker: run this job.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Run(pub(crate) LeasedJob);

/// Dispatcher to Worker: stop this attempt, if it still runs.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Stop {
    pub(crate) lease: Lease,
    pub(crate) reason: StopReason,
}

/// Writer to Keeper: a job becomes due at this time.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct DueAt(pub(crate) Timestamp);

/// Writer to Announcer: the jobs and batches that ended, and the jobs that changed.
///
/// Each list is filled only if there is a client for it; see [`crate::actor::events::publisher`].
#[derive(Default, Message)]
#[rtype(result = "()")]
pub(crate) struct Announce {
    pub(crate) ended_jobs: Vec<JobId>,
    pub(crate) ended_batches: Vec<BatchId>,
    pub(crate) changed: Vec<ChangedJob>,
}

impl Announce {
    pub(crate) fn is_empty(&self) -> bool {
        self.ended_jobs.is_empty() && self.ended_batches.is_empty() && self.changed.is_empty()
    }
}

/// A job that changed state or reported progress or log lines, with the fields by which
/// subscribers select jobs.
pub(crate) struct ChangedJob {
    pub(crate) job: JobId,
    pub(crate) queue: QueueName,
    pub(crate) batch: Option<BatchId>,
}

/// Handle to Announcer: answer when the subject ends.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct WaitForEnd {
    pub(crate) subject: Subject,
    pub(crate) reply: oneshot::Sender<()>,
}

/// Handle to Announcer: notify a subscriber of every change of the subject, until the subscriber
/// drops its `Notify`.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Subscribe {
    pub(crate) subject: Subject,
    pub(crate) notify: Weak<Notify>,
}

/// Handle to Announcer: add every job that changes to this feed, until the subscriber drops it.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct SubscribeToAll(pub(crate) Weak<Feed>);

/// The job or batch that a client waits for or subscribes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Job(JobId),
    Batch(BatchId),
}

/// Keeper to Announcer: forget waiting clients and subscribers that have gone away.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct Sweep;

/// To a Reader: read one job with its payload and result.
#[derive(Message)]
#[rtype(result = "Result<Option<Job>, StoreError>")]
pub(crate) struct GetJob(pub(crate) JobId);

/// To a Reader: read a job's log after a position.
#[derive(Message)]
#[rtype(result = "Result<Option<Log>, StoreError>")]
pub(crate) struct GetLog(pub(crate) JobId, pub(crate) u64);

/// To a Reader: read one job without payload and result, and its log after a position.
#[derive(Message)]
#[rtype(result = "Result<Option<JobUpdate>, StoreError>")]
pub(crate) struct GetJobUpdate(pub(crate) JobId, pub(crate) u64);

/// To a Reader: read those of these jobs that exist, without payloads and results.
#[derive(Message)]
#[rtype(result = "Result<Vec<Job>, StoreError>")]
pub(crate) struct GetJobSummaries(pub(crate) Vec<JobId>);

/// To a Reader: read the time buckets of one queue, or of all queues together.
#[derive(Message)]
#[rtype(result = "Result<Vec<(Timestamp, Counters)>, StoreError>")]
pub(crate) struct GetTimeBuckets {
    pub(crate) queue: Option<QueueName>,
    /// Start times of the first and the last time bucket.
    pub(crate) range: (Timestamp, Timestamp),
}

/// To a Reader: list the jobs that failed most recently, at most this many.
#[derive(Message)]
#[rtype(result = "Result<Vec<Job>, StoreError>")]
pub(crate) struct ListRecentFailures(pub(crate) u32);

/// To a Reader: list jobs, newest first.
#[derive(Message)]
#[rtype(result = "Result<JobPage, StoreError>")]
pub(crate) struct ListJobs(pub(crate) JobFilter);

/// To a Reader: read one batch.
#[derive(Message)]
#[rtype(result = "Result<Option<Batch>, StoreError>")]
pub(crate) struct GetBatch(pub(crate) BatchId);

/// To a Reader: list batches, newest first.
#[derive(Message)]
#[rtype(result = "Result<BatchPage, StoreError>")]
pub(crate) struct ListBatches {
    pub(crate) limit: u32,
    pub(crate) before: Option<BatchId>,
}

/// To a Reader: list all queues.
#[derive(Message)]
#[rtype(result = "Result<Vec<Queue>, StoreError>")]
pub(crate) struct ListQueues;

/// To a Reader: list the queues with the most live jobs, at most this many.
#[derive(Message)]
#[rtype(result = "Result<QueueSubset, StoreError>")]
pub(crate) struct ListDeepestQueues(pub(crate) usize);

/// To a Reader: read one queue.
#[derive(Message)]
#[rtype(result = "Result<Option<Queue>, StoreError>")]
pub(crate) struct GetQueue(pub(crate) QueueName);

/// Keeper to Reader: find jobs that may be pruned, among those after an id.
#[derive(Message)]
#[rtype(result = "Result<Prunable, StoreError>")]
pub(crate) struct FindPrunable {
    pub(crate) after: JobId,
    pub(crate) finished_before: Timestamp,
}

/// Keeper to Reader: copy the write-ahead log into the database file.
#[derive(Message)]
#[rtype(result = "Result<Checkpoint, StoreError>")]
pub(crate) struct CheckpointLog;
