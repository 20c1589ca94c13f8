//! All messages between actors, and the types of their answers.

use std::sync::{Arc, Weak};

use actix::{Message, Recipient};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot};

use crate::actor::events::failure_log::FailedJob;
use crate::actor::events::feed::Feed;
use crate::auth::access::QueueAccess;
use crate::auth::key_id::KeyId;
use crate::executor::StopReason;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::queue::QueueName;
use crate::job::{BatchId, JobId, Lane, Span, Timestamp};
use crate::roster::{LeaseOrder, WaitingWorker, WaitingWorkerId};
use crate::store::{Answer, ReadStore, Refusal, StoreError, Write};

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

impl Commit {
    /// Returns roughly how many bytes the transaction must read and write for this commit, if they are
    /// many: the texts of the write, and the row of a job that ends, with its payload.
    pub(crate) fn bytes(&self) -> usize {
        let row_bytes = match self.reply {
            Reply::Worker { payload_bytes, .. } => payload_bytes,
            _ => 0,
        };
        self.write.bytes() + row_bytes
    }
}

/// Recipient of the result of a write. It is answered after the write is on disk.
pub(crate) enum Reply {
    /// A caller that waits for the result. The permits bound the requests in progress and are
    /// released with the answer.
    Caller { reply: oneshot::Sender<WriteResult>, permits: Vec<OwnedSemaphorePermit> },
    /// The worker that finished a job of this queue and lane, with a payload of this size. The worker is
    /// idle after the commit.
    Worker {
        lease: Lease,
        queue: QueueName,
        lane: Lane,
        payload_bytes: usize,
        /// Whether the roster knows that the worker is idle.
        is_idle: bool,
    },
    /// The roster, which ordered leases of this duration. Only the Writer itself sends this.
    Lease { order: LeaseOrder, duration: Span },
    /// No recipient: a refusal is only logged.
    Discard,
}

impl Reply {
    /// Returns a reply to a caller, and the channel on which the caller gets the result.
    pub(crate) fn caller(
        permits: Vec<OwnedSemaphorePermit>,
    ) -> (Self, oneshot::Receiver<WriteResult>) {
        let (reply, result) = oneshot::channel();
        (Self::Caller { reply, permits }, result)
    }
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
    /// API key of the worker, which owns its leases.
    pub(crate) key: Option<KeyId>,
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

/// Writer to Announcer: the jobs and batches that ended, the jobs that changed, and the jobs that failed.
///
/// Each of the first lists is filled only if there is a client for it; see [`crate::actor::events::publisher`].
#[derive(Default, Message)]
#[rtype(result = "()")]
pub(crate) struct Announce {
    pub(crate) ended_jobs: Vec<JobId>,
    pub(crate) ended_batches: Vec<BatchId>,
    /// Batches that changed although none of their jobs did.
    pub(crate) closed_batches: Vec<BatchId>,
    pub(crate) changed: Vec<ChangedJob>,
    /// Jobs of remote workers whose attempt ended or should stop.
    pub(crate) stopped: Vec<JobId>,
    /// Jobs that failed for good, for the log of the server; filled without a client as well.
    pub(crate) failed: Vec<FailedJob>,
}

impl Announce {
    pub(crate) fn is_empty(&self) -> bool {
        self.ended_jobs.is_empty()
            && self.ended_batches.is_empty()
            && self.closed_batches.is_empty()
            && self.changed.is_empty()
            && self.stopped.is_empty()
            && self.failed.is_empty()
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

/// Handle to Announcer: notify a remote worker when the attempt of one of these jobs ends or should stop.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct WatchLeases {
    pub(crate) jobs: Arc<[JobId]>,
    pub(crate) notify: Weak<Notify>,
}

/// Handle to Announcer: the remote worker no longer watches these jobs.
#[derive(Message)]
#[rtype(result = "()")]
pub(crate) struct UnwatchLeases {
    pub(crate) jobs: Arc<[JobId]>,
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

/// A read of the database, which a Reader runs with its connection and the current time.
type ReadFn<T> =
    Box<dyn FnOnce(&mut dyn ReadStore, Timestamp) -> Result<T, StoreError> + Send + 'static>;

/// To a Reader: run this read and answer with its result.
///
/// Example: `Read::new(move |store, _| store.job(id))`.
pub(crate) struct Read<T> {
    access: QueueAccess,
    read: ReadFn<T>,
}

impl<T> Read<T> {
    /// Returns a read of all queues.
    pub(crate) fn new(
        read: impl FnOnce(&mut dyn ReadStore, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Self {
        Self::within(QueueAccess::All, read)
    }

    /// Returns a read for which other queues, their jobs and their batches do not exist.
    pub(crate) fn within(
        access: QueueAccess,
        read: impl FnOnce(&mut dyn ReadStore, Timestamp) -> Result<T, StoreError> + Send + 'static,
    ) -> Self {
        Self { access, read: Box::new(read) }
    }

    pub(crate) fn run(self, store: &mut dyn ReadStore, now: Timestamp) -> Result<T, StoreError> {
        store.restrict(&self.access);
        (self.read)(store, now)
    }
}

impl<T: 'static> Message for Read<T> {
    type Result = Result<T, StoreError>;
}
