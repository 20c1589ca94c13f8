//! Answers to writes, and the result of a commit group.

use crate::auth::api_key::{ApiKey, KeyName};
use crate::auth::key_id::KeyId;
use crate::auth::webhook::StoredWebhookSecret;
use crate::job::batch::Batch;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::limit::Held;
use crate::job::submission::on_end::Owner;
use crate::job::queue::{QueueName, QueueSettings};
use crate::job::{BatchId, Change, JobId, ProviderName, State, Timestamp, WebhookSecretName};
use crate::roster::LeaseOrder;
use crate::store::provider::ProviderStatus;

/// Answer of the store to one write.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Answer to [`Write::Submit`](crate::store::Write::Submit).
    Submitted(Submitted),
    /// Answer to [`Write::Lease`](crate::store::Write::Lease).
    Leased(Leased),
    /// Answer to [`Write::Finish`](crate::store::Write::Finish).
    Finished(Finished),
    /// Answer to [`Write::Renew`](crate::store::Write::Renew).
    Renewed(Renewed),
    /// Answer to [`Write::Cancel`](crate::store::Write::Cancel) and
    /// [`Write::CancelBatch`](crate::store::Write::CancelBatch).
    Cancelled {
        /// Number of jobs that were cancelled at once.
        ended: usize,
        /// Running jobs, in any order, that their workers must stop.
        running: Vec<JobId>,
    },
    /// Answer to [`Write::Stage`](crate::store::Write::Stage),
    /// [`Write::Expire`](crate::store::Write::Expire) and
    /// [`Write::Rescue`](crate::store::Write::Rescue).
    Moved(MoveSummary),
    /// Answer to [`Write::Delete`](crate::store::Write::Delete) and
    /// [`Write::Prune`](crate::store::Write::Prune): number of jobs removed. Answer to
    /// [`Write::PruneBatches`](crate::store::Write::PruneBatches): number of batches removed.
    Removed(usize),
    /// Answer to [`Write::RetryBatch`](crate::store::Write::RetryBatch): number of jobs queued again.
    Retried(usize),
    /// Answer to [`Write::Each`](crate::store::Write::Each): one entry per write, in their order.
    Each(Vec<Result<Answer, Refusal>>),
    /// Answer to [`Write::Configure`](crate::store::Write::Configure): the settings after the change.
    Configured(QueueSettings),
    /// Answer to [`Write::CreateKey`](crate::store::Write::CreateKey) and
    /// [`Write::RevokeKey`](crate::store::Write::RevokeKey): the key after the write.
    Key(Box<ApiKey>),
    /// Answer to [`Write::CreateWebhookSecret`](crate::store::Write::CreateWebhookSecret) and
    /// [`Write::RotateWebhookSecret`](crate::store::Write::RotateWebhookSecret): the secret after the write.
    WebhookSecret(Box<StoredWebhookSecret>),
    /// Answer to [`Write::Retry`](crate::store::Write::Retry),
    /// [`Write::Report`](crate::store::Write::Report), [`Write::Log`](crate::store::Write::Log),
    /// [`Write::TimeBuckets`](crate::store::Write::TimeBuckets),
    /// [`Write::CloseBatch`](crate::store::Write::CloseBatch),
    /// [`Write::DeleteWebhookSecret`](crate::store::Write::DeleteWebhookSecret) and
    /// [`Write::LearnKinds`](crate::store::Write::LearnKinds).
    Done,
}

impl Answer {
    /// Adds the running jobs that their workers must stop to `jobs`.
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

/// Jobs leased by one request.
#[derive(Debug, Clone, Default)]
pub struct Leased {
    /// The jobs, ordered by descending priority, then by ascending id.
    pub jobs: Vec<LeasedJob>,
    /// Whether no further job matches the order.
    ///
    /// Fewer jobs than requested do not imply that, because a transaction leases a limited number of
    /// payload bytes to remote workers. A store may return `false` although nothing is left, but
    /// then the next request must return `true`.
    pub is_empty: bool,
    /// The limit that held further jobs back, if the order wanted more than it allowed.
    pub held: Option<Held>,
    /// Whether the next job has a large payload for which the order had no room.
    pub is_large_next: bool,
    /// Providers of the order of which no further job is queued.
    pub empty_providers: Vec<ProviderName>,
}

impl Leased {
    /// Returns the result of an order for which no job of any of its lines is queued.
    pub fn empty(order: &LeaseOrder) -> Self {
        let empty_providers = order.providers.iter().map(|share| share.provider.clone()).collect();
        Self { is_empty: true, empty_providers, ..Self::default() }
    }

    /// Returns the result of an order without jobs.
    pub fn none(is_empty: bool) -> Self {
        Self { is_empty, ..Self::default() }
    }
}

/// Result of a submission.
#[derive(Debug, Clone)]
pub struct Submitted {
    /// Id of the first job; the others have the ids that follow it. 0 if there are no jobs.
    pub first: JobId,
    /// Number of jobs.
    pub count: usize,
    /// The batch, if the submission has one: as inserted or, for a repetition, with its current counts.
    pub batch: Option<Box<Batch>>,
    /// Time of the first submission.
    pub at: Timestamp,
    /// Whether this repeats an earlier submission with the same key, which inserted the jobs.
    pub is_repeat: bool,
}

impl Submitted {
    /// Returns the ids of the jobs, in the order of their submission.
    pub fn ids(&self) -> impl Iterator<Item = JobId> + use<> {
        let first = self.first.0;
        (0..self.count).map(move |offset| JobId(first + offset as i64))
    }
}

/// Result of a finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The outcome was applied; this is the new state of the job.
    Accepted(State),
    /// The finish repeats the one that ended the attempt; nothing changed.
    Repeated,
}

/// Result of a renewal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewed {
    /// Leases that are still held, with the time at which they expire.
    pub held: Vec<(Lease, Timestamp)>,
    /// Jobs of held leases that the worker must stop.
    pub cancelled: Vec<JobId>,
}

/// Result of a stage, an expiry or a rescue.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MoveSummary {
    /// Number of jobs moved, or of batches closed.
    pub count: usize,
    /// Earliest time at which another job is due; in the past if the limit was reached. `None` if
    /// there is none.
    pub next_at: Option<Timestamp>,
}

/// Reason why one write was not applied. Other writes of its group are not affected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The job does not exist.
    #[error("job {0} does not exist")]
    NoJob(JobId),
    /// The batch does not exist.
    #[error("batch {0} does not exist")]
    NoBatch(BatchId),
    /// The job or batch has no such delivery of a webhook.
    #[error("{0} has no delivery {1}")]
    NoDelivery(Owner, JobId),
    /// The state of the job does not allow the write.
    #[error("{reason}")]
    Conflict {
        /// Id of the job.
        job: JobId,
        /// Current state of the job.
        state: State,
        /// Sentence that names the job and says why its state does not allow the write.
        reason: String,
    },
    /// The lease is not the latest of its job, belongs to the other kind of worker, or its attempt
    /// has already ended with another outcome.
    #[error(
        "the lease is no longer held: its token is not the latest, or its attempt has already ended"
    )]
    StaleLease,
    /// The idempotency key belongs to a submission with another fingerprint, whose first job is named.
    #[error("the idempotency key was used before with a different request, whose first job is {0}")]
    KeyReused(JobId),
    /// The idempotency key belongs to a submission with another fingerprint, of this batch without jobs.
    #[error("the idempotency key was used before with a different request, which submitted batch {0}")]
    KeyReusedByBatch(BatchId),
    /// Jobs cannot be added to the batch, because it is closed.
    #[error("batch {0} is closed; submit the jobs as another batch")]
    BatchClosed(BatchId),
    /// The write needs a new queue, and there are already `max_queues` queues.
    #[error("there are already {0} queues, which is the maximum")]
    TooManyQueues(usize),
    /// The API key would have more unfinished jobs than `key_limits.max_unfinished_jobs` allows.
    #[error("the key would have more than {0} unfinished jobs, which is its limit")]
    TooManyUnfinished(u32),
    /// The API key does not exist.
    #[error("key {0} does not exist")]
    NoKey(KeyId),
    /// An API key that is not revoked has the name.
    #[error("a key with the name {0} exists; revoke it first, or choose another name")]
    KeyNameTaken(KeyName),
    /// There are as many API keys as there may be.
    #[error("there are already {0} keys, which is the maximum; revoke some first")]
    TooManyKeys(u32),
    /// The webhook secret does not exist.
    #[error("webhook secret {0} does not exist")]
    NoWebhookSecret(WebhookSecretName),
    /// A webhook secret has the name.
    #[error("a webhook secret with the name {0} exists; rotate it, or choose another name")]
    WebhookSecretExists(WebhookSecretName),
    /// There are as many webhook secrets as there may be.
    #[error("there are already {0} webhook secrets, which is the maximum; delete some first")]
    TooManyWebhookSecrets(u32),
    /// The settings of the queue after the change would be invalid.
    #[error("{pointer}: {detail}")]
    InvalidSettings {
        /// JSON pointer of the invalid field.
        pointer: String,
        /// What the field must be.
        detail: String,
    },
    /// A row that the write needs has a value that no version of this program writes. The store has
    /// logged it, and `longshore verify` shows it.
    #[error("the database holds an impossible row: {0}")]
    ImpossibleRow(String),
    /// A constraint of the tables refused the write. This is a bug: an earlier check should have
    /// refused it.
    #[error("the database refused the write: {0}")]
    Rejected(String),
}

/// Result of a committed group.
#[derive(Debug, Clone, Default)]
pub struct Committed {
    /// Time that the group used as now.
    pub at: Timestamp,
    /// One answer or refusal per write, in the order of the writes.
    pub answers: Vec<Result<Answer, Refusal>>,
    /// Every change of a job's state, creation and removal, in the order in which they were applied.
    /// `remote_kind` is set for jobs that are queued again in the remote lane, but not for new jobs,
    /// whose kinds the caller knows.
    pub changes: Vec<Change>,
    /// Index in `changes` of the first one that the end of another job or batch has caused. These follow all
    /// writes of the group, so its leases did not see their jobs.
    pub caused_from: usize,
    /// Jobs whose progress or log changed, with their queues.
    pub reported: Vec<(JobId, QueueName)>,
    /// Batches that ended in this group: they are closed and none of their jobs is live after it. Before it they
    /// were open, had a live job, or did not exist.
    pub ended_batches: Vec<BatchId>,
    /// Batches that were closed in this group, or submitted in it without jobs.
    pub closed_batches: Vec<BatchId>,
    /// Queues that were created or configured, with their settings.
    pub configured: Vec<(QueueName, QueueSettings)>,
    /// Providers of jobs that started or ended, after the group.
    pub providers: Vec<ProviderStatus>,
}
