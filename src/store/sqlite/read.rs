//! Read connections: jobs, batches, queues, logs and time buckets, and the lookups of the Keeper.

mod attempts;
mod batch_jobs;
mod batch_results;
mod batches;
mod deliveries;
mod leases;
mod limits;
mod prunable;
mod queue_rows;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::auth::access::QueueAccess;
use crate::auth::webhook::StoredWebhookSecret;
use crate::config::Config;
use crate::job::batch::Batch;
use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::delivery_status::DeliveryStatus;
use crate::job::queue::{Queue, QueueName, StateCounts};
use crate::job::limit::provider::ProviderState;
use crate::job::limit::waiting::LimitsOfJob;
use crate::job::lease::{Lease, LeaseState};
use crate::job::{BatchId, Job, JobId, KeyId, Log, ProviderName, State, Timestamp};
use crate::metrics::counters::Counters;
use crate::roster::LearnedKind;
use crate::store::group::impossible::ImpossibleRows;
use crate::store::rows::job::{FullJobRow, SummaryRow};
use crate::store::schema::{activity, end_actions, job_extras, jobs, queues, remote_leases, results};
use crate::store::sql_types::Integer;
use crate::store::sqlite::access::VisibleQueues;
use crate::store::sqlite::admin::kept_file::KeptFile;
use crate::store::sqlite::admin::{open, signing_secret};
use crate::store::sqlite::{keys, learned_kinds, list, webhook_secrets};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::leases::provider;
use crate::store::sqlite::write::{log, time_buckets};
use crate::store::{
    BackendDuty, BatchJobs, BatchJobsQuery, BatchPage, BatchUpdate, Checkpoint, EndQuery, JobFilter, JobPage, JobUpdate, OpenError, Prunable, QueueSubset,
    ReadStore, ResultPage, ResultQuery, StoreError, StoredKeys,
};
use queue_rows::QueueReads;

/// Read connection to a SQLite database. See [`ReadStore`].
pub struct SqliteReads {
    connection: SqliteConnection,
    impossible: ImpossibleRows,
    /// Queues of the caller of the current read.
    visible: VisibleQueues,
    /// Dropped after the connection.
    _file: Option<Arc<KeptFile>>,
}

impl SqliteReads {
    /// Opens the configured database for reading. [`crate::store::sqlite::SqliteWrites`] must have opened it before,
    /// which creates its tables.
    ///
    /// # Errors
    /// Returns [`OpenError`] if the database cannot be opened.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        let (connection, file) = open::for_reading(open::file_of(config)?)?;
        let (impossible, visible) = (ImpossibleRows::of_reads(), VisibleQueues::default());
        Ok(Self { connection, impossible, visible, _file: file })
    }
}

statement! {
    RecentlyFailed -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_failed_at
     WHERE state = " {Failed} " AND finished_at > 0 ORDER BY finished_at DESC
     LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    CheckpointLog -> (Integer, Integer, Integer) = "PRAGMA wal_checkpoint(PASSIVE)"
}

/// Result of `PRAGMA wal_checkpoint`.
#[derive(Queryable)]
struct CheckpointRow {
    _is_busy: i64,
    log_pages: i64,
    moved_pages: i64,
}

/// Checkpoints of the write-ahead log, in addition to SQLite's automatic ones.
static DUTIES: [BackendDuty; 1] = [BackendDuty {
    name: "checkpoint",
    interval: Duration::from_secs(30),
    run: |store| {
        let Checkpoint { log_pages, moved_pages } = store.checkpoint()?;
        Ok(format!("{moved_pages} of {log_pages} pages of the write-ahead log are in the file"))
    },
}];

impl ReadStore for SqliteReads {
    fn restrict(&mut self, access: &QueueAccess) {
        self.visible.set(access);
    }

    fn job_and_pause(&mut self, id: JobId) -> Result<Option<(Job, bool)>, StoreError> {
        self.find_job(id).map_err(unreadable)
    }

    fn jobs(&mut self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        list::page(&mut self.connection, filter, &self.visible, &mut self.impossible)
            .map_err(unreadable)
    }

    fn recent_failures(&mut self, limit: u32) -> Result<Vec<Job>, StoreError> {
        if !self.visible.is_all() {
            return self.recent_visible_failures(limit);
        }
        let find = RecentlyFailed { limit: limit.into() };
        let ids: Vec<i64> =
            find.load(&mut self.connection).map_err(|error| unreadable(error.into()))?;
        self.job_summaries(&ids.into_iter().map(JobId).collect::<Vec<_>>())
    }

    fn batch(&mut self, id: BatchId) -> Result<Option<Batch>, StoreError> {
        batches::find(&mut self.connection, id, &self.visible).map_err(unreadable)
    }

    fn batches(&mut self, limit: u32, before: Option<BatchId>) -> Result<BatchPage, StoreError> {
        batches::page(&mut self.connection, limit, before, &self.visible).map_err(unreadable)
    }

    fn batch_results(&mut self, query: &ResultQuery) -> Result<Option<ResultPage>, StoreError> {
        batch_results::page(&mut self.connection, query, &self.visible, &mut self.impossible)
            .map_err(unreadable)
    }

    fn batch_update(&mut self, query: &EndQuery) -> Result<Option<BatchUpdate>, StoreError> {
        batch_results::update(&mut self.connection, query, &self.visible, &mut self.impossible)
            .map_err(unreadable)
    }

    fn deliveries(
        &mut self,
        owner: Owner,
        limit: u32,
    ) -> Result<Option<Vec<DeliveryStatus>>, StoreError> {
        self.find_deliveries(owner, limit).map_err(unreadable)
    }

    fn delivery(&mut self, id: JobId) -> Result<Option<(Owner, DeliveryStatus)>, StoreError> {
        self.find_delivery(id).map_err(unreadable)
    }

    fn queues(&mut self, now: Timestamp) -> Result<Vec<Queue>, StoreError> {
        self.queue_rows().all(now).map_err(unreadable)
    }

    fn deepest_queues(&mut self, limit: usize, now: Timestamp) -> Result<QueueSubset, StoreError> {
        self.queue_rows().deepest(limit, now).map_err(unreadable)
    }

    fn queue(&mut self, name: &QueueName, now: Timestamp) -> Result<Option<Queue>, StoreError> {
        self.queue_rows().find(name, now).map_err(unreadable)
    }

    fn log(&mut self, id: JobId, after: u64) -> Result<Option<Log>, StoreError> {
        self.find_log(id, after).map_err(unreadable)
    }

    fn job_update(&mut self, id: JobId, log_after: u64) -> Result<Option<JobUpdate>, StoreError> {
        self.find_update(id, log_after).map_err(unreadable)
    }

    fn job_summaries(&mut self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        let mut jobs = Vec::with_capacity(ids.len());
        for id in ids {
            let found = self.find_summary(*id).map_err(unreadable);
            jobs.extend(self.impossible.skip(found)?.flatten());
        }
        Ok(jobs)
    }

    fn time_buckets(
        &mut self,
        queue: Option<&QueueName>,
        range: (Timestamp, Timestamp),
    ) -> Result<Vec<(Timestamp, Counters)>, StoreError> {
        if queue.is_none() && !self.visible.is_all() {
            return self.visible_time_buckets(range);
        }
        time_buckets::in_range(&mut self.connection, queue, range, &mut self.impossible)
            .map_err(unreadable)
    }

    fn limits_of_job(
        &mut self,
        id: JobId,
        now: Timestamp,
    ) -> Result<Option<LimitsOfJob>, StoreError> {
        if !self.visible.is_all() {
            let found = self.find_visible_id(id).map_err(|error| unreadable(error.into()))?;
            if found.is_none() {
                return Ok(None);
            }
        }
        limits::of_job(&mut self.connection, id, now, &mut self.impossible).map_err(unreadable)
    }

    fn lease_states(
        &mut self,
        leases: &[Lease],
        key: Option<KeyId>,
    ) -> Result<Vec<LeaseState>, StoreError> {
        leases::states(&mut self.connection, leases, key, &self.visible)
            .map_err(|error| unreadable(error.into()))
    }

    fn providers(&mut self) -> Result<Vec<(ProviderName, ProviderState)>, StoreError> {
        let all = provider::read_visible(&mut self.connection, &mut self.impossible)?;
        Ok(all.into_iter().map(|(_, name, state)| (name, state)).collect())
    }

    fn keys(&mut self) -> Result<StoredKeys, StoreError> {
        keys::read_all(&mut self.connection, &mut self.impossible).map_err(unreadable)
    }

    fn webhook_secrets(&mut self) -> Result<Vec<StoredWebhookSecret>, StoreError> {
        webhook_secrets::read_all(&mut self.connection, &mut self.impossible).map_err(unreadable)
    }

    fn learned_kinds(&mut self) -> Result<Vec<LearnedKind>, StoreError> {
        learned_kinds::read_all(&mut self.connection, &mut self.impossible).map_err(unreadable)
    }

    fn counts(&mut self) -> Result<Vec<(QueueName, StateCounts)>, StoreError> {
        self.queue_rows().counts().map_err(unreadable)
    }

    fn batch_jobs(&mut self, query: &BatchJobsQuery) -> Result<BatchJobs, StoreError> {
        batch_jobs::find(&mut self.connection, query, &self.visible).map_err(unreadable)
    }

    fn prunable(
        &mut self,
        after: JobId,
        finished_before: Timestamp,
    ) -> Result<Prunable, StoreError> {
        self.find_prunable(after, finished_before).map_err(unreadable)
    }

    fn last_activity(&mut self) -> Result<Option<Timestamp>, StoreError> {
        let active_at: Option<Option<i64>> = activity::table
            .select(activity::active_at)
            .get_result(&mut self.connection)
            .optional()
            .map_err(|error| unreadable(error.into()))?;
        Ok(active_at.flatten().map(Timestamp::from_millis))
    }

    fn signing_secret(&mut self) -> Result<[u8; 32], StoreError> {
        signing_secret::read(&mut self.connection).map_err(unreadable)
    }

    fn duties(&self) -> &'static [BackendDuty] {
        &DUTIES
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, StoreError> {
        let row: CheckpointRow = CheckpointLog {}
            .get_result(&mut self.connection)
            .map_err(|error| unreadable(error.into()))?;
        Ok(Checkpoint { log_pages: row.log_pages, moved_pages: row.moved_pages })
    }
}

/// Converts the error of a read, after which nothing is unknown: a read changes nothing.
fn unreadable(error: TransactionError) -> StoreError {
    match StoreError::from(error) {
        StoreError::Unknown(why) => StoreError::Unreadable(why),
        other => other,
    }
}

impl SqliteReads {
    fn queue_rows(&mut self) -> QueueReads<'_> {
        let Self { connection, impossible, visible, .. } = self;
        QueueReads { connection, impossible, visible }
    }

    /// Returns a job, and whether its queue is paused.
    fn find_job(&mut self, id: JobId) -> Result<Option<(Job, bool)>, TransactionError> {
        let find = jobs::table
            .inner_join(queues::table)
            .left_join(results::table)
            .left_join(remote_leases::table)
            .left_join(job_extras::table)
            .left_join(end_actions::table)
            .filter(jobs::id.eq(id.0))
            .select(FullJobRow::as_select());
        let row: QueryResult<FullJobRow> = match self.visible.queue() {
            Some(is_visible) => find.filter(is_visible).get_result(&mut self.connection),
            None => find.get_result(&mut self.connection),
        };
        let Some(row) = row.optional()? else { return Ok(None) };
        let (latest_token, is_paused) = (row.lease_token, row.queue_paused != 0);
        let mut job = row.into_job()?;
        attempts::add_to(&mut self.connection, &mut job, latest_token)?;
        Ok(Some((job, is_paused)))
    }

    /// Returns a job without payload, result and failures.
    fn find_summary(&mut self, id: JobId) -> Result<Option<Job>, TransactionError> {
        let find = jobs::table
            .inner_join(queues::table)
            .left_join(remote_leases::table)
            .filter(jobs::id.eq(id.0))
            .select(SummaryRow::as_select());
        let row: QueryResult<SummaryRow> = match self.visible.queue() {
            Some(is_visible) => find.filter(is_visible).get_result(&mut self.connection),
            None => find.get_result(&mut self.connection),
        };
        Ok(row.optional()?.map(SummaryRow::into_job).transpose()?)
    }

    fn find_log(&mut self, id: JobId, after: u64) -> Result<Option<Log>, TransactionError> {
        if self.find_visible_id(id)?.is_none() {
            return Ok(None);
        }
        Ok(Some(log::find(&mut self.connection, id)?.after(after)))
    }

    /// Returns the id of a job if it exists for the caller.
    fn find_visible_id(&mut self, id: JobId) -> QueryResult<Option<i64>> {
        let find = jobs::table.inner_join(queues::table).filter(jobs::id.eq(id.0)).select(jobs::id);
        let found = match self.visible.queue() {
            Some(is_visible) => find.filter(is_visible).get_result(&mut self.connection),
            None => jobs::table.find(id.0).select(jobs::id).get_result(&mut self.connection),
        };
        found.optional()
    }

    /// Returns the failed jobs with the largest ids. The index of failures by time has those of all queues.
    fn recent_visible_failures(&mut self, limit: u32) -> Result<Vec<Job>, StoreError> {
        let filter = JobFilter { state: Some(State::Failed), limit, ..JobFilter::default() };
        Ok(self.jobs(&filter)?.jobs)
    }

    /// Returns the totals of the queues of the caller.
    fn visible_time_buckets(
        &mut self,
        range: (Timestamp, Timestamp),
    ) -> Result<Vec<(Timestamp, Counters)>, StoreError> {
        let mut totals: BTreeMap<Timestamp, Counters> = BTreeMap::new();
        for (queue, _) in self.counts()? {
            for (started_at, counters) in self.time_buckets(Some(&queue), range)? {
                totals.entry(started_at).or_default().add(&counters);
            }
        }
        Ok(totals.into_iter().collect())
    }

    fn find_update(
        &mut self,
        id: JobId,
        log_after: u64,
    ) -> Result<Option<JobUpdate>, TransactionError> {
        let Some(mut job) = self.find_summary(id)? else { return Ok(None) };
        job.failures = Some(attempts::failures(&mut self.connection, &job)?);
        let log = log::find(&mut self.connection, id)?.after(log_after);
        Ok(Some(JobUpdate { job, log }))
    }
}
