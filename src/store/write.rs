//! The writes that a store applies.

mod attempt;
mod submission;

use std::sync::Arc;

use crate::auth::access::{QueueAccess, QueuePattern};
use crate::auth::api_key::NewKey;
use crate::auth::key_id::KeyId;
use crate::auth::secret::KeyDigest;
use crate::auth::webhook::WebhookSecret;
use crate::job::lease::Lease;
use crate::job::outcome::Outcome;
use crate::job::queue::{QueueChange, QueueName};
use crate::job::submission::JobChange;
use crate::job::{
    AttemptDetail, BatchId, JobId, Progress, Span, State, Timestamp, WebhookSecretName,
};
use crate::metrics::time_bucket::TimeBucket;
use crate::roster::{KindChanges, LeaseOrder};

pub use attempt::{Finish, Holder, JobLocation, LogLines, Renew, RescueScope};
pub use submission::{NewBatch, SubmissionKey, Submit};

/// Maximum number of jobs that one stage, expire or rescue moves in a transaction.
pub(crate) const MOVE_AT_ONCE: u32 = 1_000;

/// Maximum number of API keys that are not revoked, and of revoked keys that are kept.
pub const MAX_KEYS: u32 = 1_000;

/// Maximum number of webhook secrets.
pub const MAX_WEBHOOK_SECRETS: u32 = 100;

/// One write. A commit group applies several of them in one transaction.
///
/// `now` below is the time that [`WriteStore::commit`](crate::store::WriteStore::commit) is given.
/// A write that names a job or batch which does not exist is refused with
/// [`NoJob`](crate::store::Refusal::NoJob) or [`NoBatch`](crate::store::Refusal::NoBatch), one under
/// a lease that is no longer held with [`StaleLease`](crate::store::Refusal::StaleLease), and one that
/// the job's state does not allow with [`Conflict`](crate::store::Refusal::Conflict).
#[derive(Debug, Clone)]
pub enum Write {
    /// Inserts jobs, all or none, as `scheduled` or `queued`, with consecutive ids.
    ///
    /// New queues are created with the configured settings; the submission is refused with
    /// [`TooManyQueues`](crate::store::Refusal::TooManyQueues) if that would exceed `max_queues`.
    /// If any job of an earlier submission with the same key still exists, nothing is inserted: the
    /// answer is that submission, or [`KeyReused`](crate::store::Refusal::KeyReused) if the
    /// fingerprint differs. A submission without jobs is
    /// [`Rejected`](crate::store::Refusal::Rejected). Answer: [`Submitted`](crate::store::Submitted).
    Submit(Submit),
    /// Leases queued jobs of one queue and lane, highest priority first, then smallest id.
    ///
    /// Each leased job becomes `running`: `attempt` rises by one, the token becomes
    /// `max(token + 1, token_floor)`, `started_at` is `now`, the lease expires at `now + duration`, and
    /// the progress is cleared. A job that expired before it ever started is not leased; the write
    /// cancels such jobs, a bounded number at a time. Pauses, `max_running` and rates are not checked:
    /// the roster plans the orders. A queue that does not exist is not created.
    /// Answer: [`Leased`](crate::store::Leased).
    Lease(LeaseRequest),
    /// Reports the outcome of an attempt; [`settle`](crate::job::outcome::settle) decides the next
    /// state of its job.
    ///
    /// The lease must be the latest of a running job, and in a lane of the given [`Holder`]. A finish
    /// that repeats the one which ended the attempt is answered with
    /// [`Repeated`](crate::store::Finished::Repeated), unless its token is of an earlier epoch.
    /// Answer: [`Finished`](crate::store::Finished).
    Finish(Finish),
    /// Extends leases. Leases that are not held are omitted from the answer, except that a remote
    /// worker's request for a single lease is refused. Answer: [`Renewed`](crate::store::Renewed).
    Renew(Renew),
    /// Stores the progress of a running attempt, 0 to 100 percent.
    /// Answer: [`Done`](crate::store::Answer::Done).
    Report(Lease, Progress),
    /// Appends lines to the log of a running job. Answer: [`Done`](crate::store::Answer::Done).
    Log(LogLines),
    /// Cancels a job: at once if it waits; if it runs, sets `cancel_requested` so that its worker
    /// stops it. Cancelling a cancelled job changes nothing; a completed or failed job is refused.
    /// Answer: [`Cancelled`](crate::store::Answer::Cancelled).
    Cancel(JobId),
    /// Cancels every job of a batch that has not ended.
    /// Answer: [`Cancelled`](crate::store::Answer::Cancelled).
    CancelBatch(BatchId),
    /// Queues a final or `retrying` job again, due `now`.
    ///
    /// Clears result, error, progress and `expires_at`, and keeps the attempts. A final job is granted as
    /// many further attempts as it was submitted with. Refused in any other state, if the payload could not be filled in, and if the job has `at_most_once` and an
    /// attempt of it has started. Answer: [`Done`](crate::store::Answer::Done).
    Retry(JobId),
    /// Queues those of the given jobs again, as [`Write::Retry`] does, that belong to the batch and are in one
    /// of the states; skips all others, and those that [`Write::Retry`] refuses. Refused if the batch does
    /// not exist. Answer: [`Retried`](crate::store::Answer::Retried).
    RetryBatch {
        /// Batch of the jobs.
        batch: BatchId,
        /// Candidates, as found by [`ReadStore::jobs`](crate::store::ReadStore::jobs).
        jobs: Vec<JobId>,
        /// States in which jobs are queued again.
        states: Vec<State>,
    },
    /// Inserts jobs into an open batch, all or none, and keeps it open. An idempotency key works as in
    /// [`Write::Submit`], also after the batch was closed. Refused if the batch does not exist, and with
    /// [`BatchClosed`](crate::store::Refusal::BatchClosed).
    /// Answer: [`Submitted`](crate::store::Answer::Submitted) with the batch.
    AddJobs {
        /// Batch of the jobs.
        batch: BatchId,
        /// The jobs, without a batch to create.
        submit: Submit,
        /// Time for which the batch stays open from now on, unless it does so for longer already.
        open_for: Span,
    },
    /// Closes an open batch. It ends if none of its jobs is live. A batch that is closed already stays as it
    /// is. Answer: [`Done`](crate::store::Answer::Done).
    CloseBatch(BatchId),
    /// Closes the batches whose time to be open is over, earliest first.
    /// Answer: [`Moved`](crate::store::Answer::Moved).
    CloseBatches {
        /// Maximum number of batches to close.
        limit: u32,
    },
    /// Removes those of the given batches that have no jobs and ended before `finished_before`; skips all others.
    /// Answer: [`Removed`](crate::store::Answer::Removed).
    PruneBatches {
        /// Candidates, as found by [`ReadStore::prunable`](crate::store::ReadStore::prunable).
        batches: Vec<BatchId>,
        /// Only batches whose `finished_at` is before this time are removed.
        finished_before: Timestamp,
    },
    /// Changes a job that waits. A new start in the future makes the job wait for it, any other
    /// queues it; a new queue is created if needed. Refused in any other state. Answer:
    /// [`Done`](crate::store::Answer::Done).
    Update(JobId, JobChange),
    /// Removes a final job with everything that belongs to it. A batch or idempotency key is removed
    /// with its last job. Answer: [`Removed`](crate::store::Answer::Removed).
    Delete(JobId),
    /// Queues due `scheduled` and `retrying` jobs, longest due first.
    /// Answer: [`Moved`](crate::store::Answer::Moved).
    Stage {
        /// Maximum number of jobs to queue.
        limit: u32,
    },
    /// Cancels `scheduled` and `queued` jobs that reached `expires_at` and never started, earliest
    /// first, with the error code `expired`. Answer: [`Moved`](crate::store::Answer::Moved).
    Expire {
        /// Maximum number of jobs to cancel.
        limit: u32,
    },
    /// Ends attempts whose worker is gone as [`Lost`](crate::job::outcome::Outcome::Lost), with the
    /// error code `lost`, or `timeout` if a remote attempt used up its time.
    /// Answer: [`Moved`](crate::store::Answer::Moved).
    Rescue {
        /// Jobs to rescue.
        scope: RescueScope,
        /// Maximum number of jobs to rescue.
        limit: u32,
    },
    /// Removes those of the given jobs that are final and ended before `finished_before`; skips all
    /// others. Answer: [`Removed`](crate::store::Answer::Removed).
    Prune {
        /// Candidates, as found by [`ReadStore::prunable`](crate::store::ReadStore::prunable).
        jobs: Vec<JobId>,
        /// Only jobs whose `finished_at` is before this time are removed.
        finished_before: Timestamp,
    },
    /// Applies several writes in order, each applied or refused by itself.
    /// Answer: [`Each`](crate::store::Answer::Each).
    Each(Vec<Write>),
    /// Applies a write of a caller that may only use some queues. Jobs of other queues do not exist for it, and
    /// neither do batches with such jobs. Answer: that of the write.
    Within(QueueAccess, Box<Write>),
    /// Adds closed time buckets to the stored ones, and removes those that charts no longer show.
    /// Queues that do not exist are skipped. Answer: [`Done`](crate::store::Answer::Done).
    TimeBuckets(Vec<Arc<TimeBucket>>),
    /// Stores `now` as the time of the last activity of the server, see
    /// [`ReadStore::last_activity`](crate::store::ReadStore::last_activity).
    /// Answer: [`Done`](crate::store::Answer::Done).
    RecordActivity,
    /// Changes a counter that nothing reads, to find out whether the database can be written.
    /// Answer: [`Done`](crate::store::Answer::Done).
    Probe,
    /// Changes the settings of a queue, and creates the queue if it is new. Refused with
    /// [`InvalidSettings`](crate::store::Refusal::InvalidSettings) if the stored settings with the change
    /// would be invalid.
    /// Answer: [`Configured`](crate::store::Answer::Configured).
    Configure {
        /// Queue to change or create.
        queue: QueueName,
        /// Settings to change.
        change: QueueChange,
    },
    /// Creates an API key. Refused with [`KeyNameTaken`](crate::store::Refusal::KeyNameTaken) if a key
    /// that is not revoked has the name, and with [`TooManyKeys`](crate::store::Refusal::TooManyKeys)
    /// if there are [`MAX_KEYS`] of them. Of the revoked keys the latest [`MAX_KEYS`] are kept.
    /// Answer: [`Key`](crate::store::Answer::Key).
    CreateKey(NewKey, KeyDigest),
    /// Revokes an API key at `now`. Changes nothing if it is revoked already; refused with
    /// [`NoKey`](crate::store::Refusal::NoKey) if it does not exist.
    /// Answer: [`Key`](crate::store::Answer::Key).
    RevokeKey(KeyId),
    /// Stores when keys were used last, unless a later time is stored. Keys that do not exist are
    /// skipped. Answer: [`Done`](crate::store::Answer::Done).
    TouchKeys(Vec<(KeyId, Timestamp)>),
    /// Creates a webhook secret that signs webhooks of jobs in the queues of these patterns, or of all queues if there
    /// are none. Refused with
    /// [`WebhookSecretExists`](crate::store::Refusal::WebhookSecretExists) if one has the name, and with
    /// [`TooManyWebhookSecrets`](crate::store::Refusal::TooManyWebhookSecrets) if there are
    /// [`MAX_WEBHOOK_SECRETS`]. Answer: [`WebhookSecret`](crate::store::Answer::WebhookSecret).
    CreateWebhookSecret(WebhookSecretName, WebhookSecret, Vec<QueuePattern>),
    /// Replaces the value of a webhook secret; the one before signs as well for the time of the overlap.
    /// Refused with [`NoWebhookSecret`](crate::store::Refusal::NoWebhookSecret) if it does not exist.
    /// Answer: [`WebhookSecret`](crate::store::Answer::WebhookSecret).
    RotateWebhookSecret(WebhookSecretName, WebhookSecret, Span),
    /// Deletes a webhook secret. Refused as a rotation. Answer: [`Done`](crate::store::Answer::Done).
    DeleteWebhookSecret(WebhookSecretName),
    /// Stores kinds that remote workers asked for, each with the time, and removes those that are forgotten.
    /// Answer: [`Done`](crate::store::Answer::Done).
    LearnKinds(KindChanges),
}

impl Write {
    /// Returns the size of the texts that this write stores, in bytes: payloads, metadata, results, errors
    /// with what is known about them, log lines and progress messages.
    pub fn bytes(&self) -> usize {
        match self {
            Self::Submit(submit) | Self::AddJobs { submit, .. } => submit.bytes(),
            Self::Finish(finish) => outcome_bytes(&finish.outcome),
            Self::Log(lines) => lines.log.text.len(),
            Self::Report(_, progress) => message_bytes(progress),
            Self::Renew(renew) => renew.progress.as_ref().map_or(0, message_bytes),
            Self::Each(writes) => writes.iter().map(Self::bytes).sum(),
            Self::Within(_, write) => write.bytes(),
            _ => 0,
        }
    }
}

fn message_bytes(progress: &Progress) -> usize {
    progress.message.as_ref().map_or(0, String::len)
}

fn outcome_bytes(outcome: &Outcome) -> usize {
    let own = match outcome {
        Outcome::Completed(result) => result.json.as_str().len(),
        Outcome::Failed { error, .. } | Outcome::Lost(error) => {
            error.code.len() + error.message.len()
        }
        Outcome::Deferred(deferral) => deferral.error.code.len() + deferral.error.message.len(),
        Outcome::Released | Outcome::NotStarted | Outcome::Cancelled(_) => 0,
    };
    own + outcome.detail().map_or(0, AttemptDetail::bytes)
}

/// A request for leases.
#[derive(Debug, Clone)]
pub struct LeaseRequest {
    /// Queue, lane, kinds and maximum number of jobs.
    pub order: LeaseOrder,
    /// Duration of the leases. In the remote lane a lease never outlasts the job's timeout.
    pub duration: Span,
    /// Name of the remote worker.
    pub worker: Option<String>,
    /// API key of the remote worker, which owns the leases.
    pub key: Option<KeyId>,
}
