//! The read side of a backend.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::auth::access::QueueAccess;
use crate::auth::api_key::StoredKey;
use crate::auth::webhook::StoredWebhookSecret;
use crate::job::batch::Batch;
use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::delivery_status::DeliveryStatus;
use crate::job::queue::{Queue, QueueName, StateCounts};
use crate::job::limit::provider::ProviderState;
use crate::job::limit::waiting::LimitsOfJob;
use crate::job::lease::{Lease, LeaseState};
use crate::job::{BatchId, Job, JobId, KeyId, Log, Timestamp, ProviderName};
use crate::metrics::counters::Counters;
use crate::roster::LearnedKind;
use crate::store::error::StoreError;
use crate::store::filter::{BatchJobsQuery, EndQuery, JobFilter, ResultQuery};
use crate::store::page::{BatchJobs, BatchPage, BatchUpdate, JobPage, ResultPage};

/// Read side of a backend. There may be several; reads never wait for the write side.
///
/// Each call sees everything that was committed before it started. Except for
/// [`ReadStore::checkpoint`] nothing is written. `now` is used only to compute ages.
///
/// Reads of many rows skip the impossible ones, each of which is logged once.
///
/// # Errors
/// Every method returns [`StoreError::Unreadable`] if the database cannot be read, and
/// [`StoreError::Corrupt`] if the row of the job or batch that it names contains an impossible value.
pub trait ReadStore: Send {
    /// Makes all further reads those of a caller that may only use some queues. Other queues, their jobs, and
    /// batches with jobs in them do not exist for it.
    fn restrict(&mut self, access: &QueueAccess);

    /// Returns a job with its payload, result and failures (oldest first), but without its log.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError> {
        Ok(self.job_and_pause(id)?.map(|(job, _)| job))
    }

    /// Returns a job as [`ReadStore::job`] does, and whether its queue is paused.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn job_and_pause(&mut self, id: JobId) -> Result<Option<(Job, bool)>, StoreError>;

    /// Returns one page of the jobs that match `filter`, by descending id, without failures.
    ///
    /// The page may have fewer than `limit` jobs, or none, and still name a next page: a backend
    /// bounds the work per page. Payloads and results are included only if the filter asks for them.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn jobs(&mut self, filter: &JobFilter) -> Result<JobPage, StoreError>;

    /// Returns up to `limit` failed jobs, latest `finished_at` first, as [`ReadStore::job_summaries`]
    /// returns them.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn recent_failures(&mut self, limit: u32) -> Result<Vec<Job>, StoreError>;

    /// Returns a batch with its current counts.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn batch(&mut self, id: BatchId) -> Result<Option<Batch>, StoreError>;

    /// Returns up to `limit` batches by descending id, only those with an id below `before`.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn batches(&mut self, limit: u32, before: Option<BatchId>) -> Result<BatchPage, StoreError>;

    /// Returns one page of the results of a batch, by ascending job id, which is the order of submission;
    /// `None` if there is no such batch. Jobs that have not ended are on it without a result.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn batch_results(&mut self, query: &ResultQuery) -> Result<Option<ResultPage>, StoreError>;

    /// Looks at a bounded number of jobs of a batch and returns those in some states, smallest id first; none if
    /// the batch does not exist. Call it again with [`BatchJobs::next`] for those after them.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn batch_jobs(&mut self, query: &BatchJobsQuery) -> Result<BatchJobs, StoreError>;

    /// Returns a batch, and its jobs that have ended after a position; `None` if there is no such batch.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn batch_update(&mut self, query: &EndQuery) -> Result<Option<BatchUpdate>, StoreError>;

    /// Returns the latest `limit` deliveries of webhooks of a job or batch, oldest first; `None` if there is
    /// no such job or batch. A caller that may read the job or batch may read them, although they are jobs
    /// of another queue.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn deliveries(
        &mut self,
        owner: Owner,
        limit: u32,
    ) -> Result<Option<Vec<DeliveryStatus>>, StoreError>;

    /// Returns a delivery of a webhook, by the id of the job that sends it, and the job or batch that it
    /// belongs to; `None` if there is no such delivery, or if that job or batch does not exist for the caller.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn delivery(&mut self, id: JobId) -> Result<Option<(Owner, DeliveryStatus)>, StoreError>;

    /// Returns all queues, ordered by name.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn queues(&mut self, now: Timestamp) -> Result<Vec<Queue>, StoreError>;

    /// Returns the `limit` queues with the most live jobs, ordered by name.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn deepest_queues(&mut self, limit: usize, now: Timestamp) -> Result<QueueSubset, StoreError>;

    /// Returns a queue with its settings and current counts.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn queue(&mut self, name: &QueueName, now: Timestamp) -> Result<Option<Queue>, StoreError>;

    /// Returns the stored log of a job from the byte position `after` on; `None` if there is no such
    /// job. The log of a job that has logged nothing is empty.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn log(&mut self, id: JobId, after: u64) -> Result<Option<Log>, StoreError>;

    /// Returns a job with its failures but without payload and result, and its log from the byte
    /// position `log_after` on; `None` if there is no such job.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn job_update(&mut self, id: JobId, log_after: u64) -> Result<Option<JobUpdate>, StoreError>;

    /// Returns the jobs of `ids` that exist, in the order of `ids`, but without their payloads, results
    /// and failures.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn job_summaries(&mut self, ids: &[JobId]) -> Result<Vec<Job>, StoreError>;

    /// Returns the time buckets of a queue, or the totals of all queues if `queue` is `None`, that
    /// start within `range` (both ends included), oldest first.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn time_buckets(
        &mut self,
        queue: Option<&QueueName>,
        range: (Timestamp, Timestamp),
    ) -> Result<Vec<(Timestamp, Counters)>, StoreError>;

    /// Returns what limits a job at `now`: its queue, and the provider that it calls. `None` if there is no
    /// such job.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn limits_of_job(&mut self, id: JobId, now: Timestamp) -> Result<Option<LimitsOfJob>, StoreError>;

    /// Returns for each lease whether the remote worker with this key holds it, in the order of `leases`, as a
    /// renewal would find. The state of a lease in a queue that the caller may not use is
    /// [`LeaseState::Stale`].
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn lease_states(
        &mut self,
        leases: &[Lease],
        key: Option<KeyId>,
    ) -> Result<Vec<LeaseState>, StoreError>;

    /// Returns the state of all providers, ordered by name.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn providers(&mut self) -> Result<Vec<(ProviderName, ProviderState)>, StoreError>;

    /// Returns all API keys, also revoked ones, by ascending id.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn keys(&mut self) -> Result<StoredKeys, StoreError>;

    /// Returns all webhook secrets with their values, ordered by name.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn webhook_secrets(&mut self) -> Result<Vec<StoredWebhookSecret>, StoreError>;

    /// Returns the kinds that remote workers made known, in any order.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn learned_kinds(&mut self) -> Result<Vec<LearnedKind>, StoreError>;

    /// Returns the number of jobs of every queue by state, in any order.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn counts(&mut self) -> Result<Vec<(QueueName, StateCounts)>, StoreError>;

    /// Scans a bounded range of ids above `after` for jobs that became final before
    /// `finished_before`, except for those of open batches. From the start it also looks for batches without
    /// jobs that ended before then. Call it again with [`Prunable::next`] for the next range.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn prunable(
        &mut self,
        after: JobId,
        finished_before: Timestamp,
    ) -> Result<Prunable, StoreError>;

    /// Returns the time that [`Write::RecordActivity`](crate::store::Write::RecordActivity) stored
    /// last, or the time of the newest job if an older version wrote the database; `None` in a new one.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn last_activity(&mut self) -> Result<Option<Timestamp>, StoreError>;

    /// Returns the secret with which tokens are signed.
    ///
    /// # Errors
    /// See [`ReadStore`].
    fn signing_secret(&mut self) -> Result<[u8; 32], StoreError>;

    /// Returns the duties of this backend that the Keeper performs.
    fn duties(&self) -> &'static [BackendDuty];

    /// Copies pages from the write-ahead log into the database file, as far as open snapshots of
    /// readers allow. A backend without such a log keeps the default, which does nothing and returns
    /// zeros.
    ///
    /// # Errors
    /// Returns [`StoreError`] if the database cannot be written.
    fn checkpoint(&mut self) -> Result<Checkpoint, StoreError> {
        Ok(Checkpoint::default())
    }
}

/// A periodic duty of a backend.
#[derive(Debug)]
pub struct BackendDuty {
    /// Name of the duty, for the log.
    pub name: &'static str,
    /// Interval between two runs.
    pub interval: Duration,
    /// Does the duty, and returns what was done, for the log.
    pub run: fn(&mut dyn ReadStore) -> Result<String, StoreError>,
}

/// A job and the part of its log after a given position.
#[derive(Debug, Clone, PartialEq)]
pub struct JobUpdate {
    /// The job without payload and result, with its failures.
    pub job: Job,
    /// The log after the given position.
    pub log: Log,
}

/// The API keys of a database.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoredKeys {
    /// All keys, by ascending id.
    pub keys: Vec<StoredKey>,
    /// Whether a key was ever created. It is also true if all keys are impossible rows, which are
    /// skipped: a fault in the database must not open the server.
    pub any_existed: bool,
}

/// A selection of queues.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct QueueSubset {
    /// The selected queues, ordered by name.
    pub queues: Vec<Queue>,
    /// Number of queues in the database.
    pub total: usize,
}

/// Old final jobs found in one range of ids, and old batches without jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prunable {
    /// Jobs that may be removed.
    pub jobs: Vec<JobId>,
    /// Batches without jobs that may be removed; only with the first range.
    pub batches: Vec<BatchId>,
    /// Id after which the next range starts; `None` at the end of the table.
    pub next: Option<JobId>,
}

/// Progress of a checkpoint of the write-ahead log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Number of pages in the log.
    pub log_pages: i64,
    /// Number of those pages that are also in the database file.
    pub moved_pages: i64,
}
