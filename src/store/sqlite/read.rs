//! Read connections: jobs, batches, queues, logs and time buckets, and the lookups of the Keeper.

mod queue_rows;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::config::Config;
use crate::job::batch::Batch;
use crate::job::queue::{Queue, QueueName, StateCounts};
use crate::job::{BatchId, Failure as JobFailure, Job, JobError, JobId, Json, Progress};
use crate::job::{Log, Span, State, Timestamp};
use crate::metrics::counters::Counters;
use crate::store::schema::{failures, jobs, queues, remote_leases, results};
use crate::store::sql_types::{Integer, Nullable};
use crate::store::sqlite::admin::open;
use crate::store::sqlite::list;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::queue::parse_queue_name;
use crate::store::sqlite::write::tags_of;
use crate::store::sqlite::write::{batch, log, time_buckets};
use crate::store::{
    BatchPage, Checkpoint, JobFilter, JobPage, JobUpdate, OpenError, Prunable, QueueSubset,
    ReadStore, StoreError, lane_of, state_of,
};

/// Read connection to a SQLite database. See [`ReadStore`].
pub struct SqliteReads {
    connection: SqliteConnection,
}

impl SqliteReads {
    /// Opens the configured database for reading. [`crate::store::sqlite::SqliteWrites`] must have opened it before,
    /// which creates its tables.
    ///
    /// # Errors
    /// Returns [`OpenError`] if the database cannot be opened.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        Ok(Self { connection: open::for_reading(&config.database)? })
    }
}

/// Columns of a job, except its payload.
#[derive(Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(super) struct JobRow {
    id: i64,
    state: i64,
    lane: i64,
    priority: i64,
    attempt: i64,
    max_attempts: i64,
    created_at: i64,
    run_at: i64,
    started_at: Option<i64>,
    lease_expires_at: Option<i64>,
    finished_at: Option<i64>,
    expires_at: Option<i64>,
    at_most_once: i64,
    cancel_requested: i64,
    timeout_ms: i64,
    batch_id: Option<i64>,
    progress_percent: Option<f64>,
    progress_message: Option<String>,
    error_code: Option<String>,
    error_message: Option<String>,
    tags: Option<String>,
    kind: String,
}

impl JobRow {
    /// Converts the row to a job without payload, result and failures.
    pub(super) fn into_job(self, queue: &str) -> Result<Job, StoreError> {
        let error = self.error_code.zip(self.error_message);
        let message = self.progress_message;
        Ok(Job {
            id: JobId(self.id),
            kind: self.kind,
            queue: parse_queue_name(queue)?,
            lane: lane_of(self.lane)?,
            state: state_of(self.state)?,
            priority: i8::try_from(self.priority).unwrap_or(0),
            attempt: u32::try_from(self.attempt).unwrap_or(u32::MAX),
            max_attempts: u32::try_from(self.max_attempts).unwrap_or(u32::MAX),
            created_at: Timestamp::from_millis(self.created_at),
            run_at: Timestamp::from_millis(self.run_at),
            started_at: self.started_at.map(Timestamp::from_millis),
            lease_expires_at: self.lease_expires_at.map(Timestamp::from_millis),
            worker: None,
            finished_at: self.finished_at.map(Timestamp::from_millis),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            timeout: Span::from_millis(self.timeout_ms),
            at_most_once: self.at_most_once != 0,
            cancel_requested: self.cancel_requested != 0,
            payload: None,
            result: None,
            result_truncated: false,
            error: error.map(|(code, message)| JobError { code, message }),
            failures: None,
            progress: self.progress_percent.map(|percent| Progress { percent, message }),
            tags: tags_of(self.tags.as_deref()),
            batch: self.batch_id.map(BatchId),
        })
    }
}

/// Job, queue name, payload, result, whether the result was truncated, and worker.
type FullJobRow = (JobRow, String, String, Option<String>, Option<i64>, Option<String>);

statement! {
    /// Finds the jobs in a range of ids that became final before a time.
    OldJobsInRange -> Integer =
    "SELECT id FROM jobs
     WHERE id > " [after: Integer as i64] " AND id <= " [until: Integer as i64]
    " AND finished_at < " [finished_before: Integer as i64]
}

statement! {
    RecentlyFailed -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_failed_at
     WHERE state = 5 AND finished_at > 0 ORDER BY finished_at DESC
     LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    LastId -> Nullable<Integer> = "SELECT max(id) FROM jobs"
}

statement! {
    FirstAfter -> (Integer, Integer) =
    "SELECT id, created_at FROM jobs WHERE id > " [after: Integer as i64] " ORDER BY id LIMIT 1"
}

statement! {
    CheckpointLog -> (Integer, Integer, Integer) = "PRAGMA wal_checkpoint(PASSIVE)"
}

/// Difference between the last and the first id that one prune step scans, which bounds its rows.
const PRUNE_STEP_IDS: i64 = 2_000;

impl ReadStore for SqliteReads {
    fn job(&mut self, id: JobId) -> Result<Option<Job>, StoreError> {
        self.find_job(id).map_err(unreadable)
    }

    fn jobs(&mut self, filter: &JobFilter) -> Result<JobPage, StoreError> {
        list::page(&mut self.connection, filter).map_err(unreadable)
    }

    fn recent_failures(&mut self, limit: u32) -> Result<Vec<Job>, StoreError> {
        let find = RecentlyFailed { limit: limit.into() };
        let ids: Vec<i64> = find.load(&mut self.connection).map_err(TransactionError::from)?;
        self.job_summaries(&ids.into_iter().map(JobId).collect::<Vec<_>>())
    }

    fn batch(&mut self, id: BatchId) -> Result<Option<Batch>, StoreError> {
        batch::find(&mut self.connection, id).map_err(|error| unreadable(error.into()))
    }

    fn batches(&mut self, limit: u32, before: Option<BatchId>) -> Result<BatchPage, StoreError> {
        batch::page(&mut self.connection, limit, before).map_err(unreadable)
    }

    fn queues(&mut self, now: Timestamp) -> Result<Vec<Queue>, StoreError> {
        queue_rows::all(&mut self.connection, now).map_err(unreadable)
    }

    fn deepest_queues(&mut self, limit: usize, now: Timestamp) -> Result<QueueSubset, StoreError> {
        queue_rows::deepest(&mut self.connection, limit, now).map_err(unreadable)
    }

    fn queue(&mut self, name: &QueueName, now: Timestamp) -> Result<Option<Queue>, StoreError> {
        queue_rows::find(&mut self.connection, name, now).map_err(unreadable)
    }

    fn log(&mut self, id: JobId, after: u64) -> Result<Option<Log>, StoreError> {
        self.find_log(id, after).map_err(unreadable)
    }

    fn job_update(&mut self, id: JobId, log_after: u64) -> Result<Option<JobUpdate>, StoreError> {
        self.find_update(id, log_after).map_err(unreadable)
    }

    fn job_summaries(&mut self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        let found = ids.iter().filter_map(|id| self.find_summary(*id).transpose());
        found.collect::<Result<_, _>>().map_err(unreadable)
    }

    fn time_buckets(
        &mut self,
        queue: Option<&QueueName>,
        range: (Timestamp, Timestamp),
    ) -> Result<Vec<(Timestamp, Counters)>, StoreError> {
        time_buckets::in_range(&mut self.connection, queue, range).map_err(unreadable)
    }

    fn counts(&mut self) -> Result<Vec<(QueueName, StateCounts)>, StoreError> {
        queue_rows::counts(&mut self.connection).map_err(unreadable)
    }

    fn prunable(
        &mut self,
        after: JobId,
        finished_before: Timestamp,
    ) -> Result<Prunable, StoreError> {
        self.find_prunable(after, finished_before).map_err(unreadable)
    }

    fn checkpoint(&mut self) -> Result<Checkpoint, StoreError> {
        let row: (i64, i64, i64) =
            CheckpointLog {}.get_result(&mut self.connection).map_err(TransactionError::from)?;
        Ok(Checkpoint { log_pages: row.1, moved_pages: row.2 })
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
    fn find_job(&mut self, id: JobId) -> Result<Option<Job>, TransactionError> {
        let row: Option<FullJobRow> = jobs::table
            .inner_join(queues::table)
            .left_join(results::table)
            .left_join(remote_leases::table)
            .filter(jobs::id.eq(id.0))
            .select((
                JobRow::as_select(),
                queues::name,
                jobs::payload,
                results::result.nullable(),
                results::truncated.nullable(),
                remote_leases::worker.nullable(),
            ))
            .get_result(&mut self.connection)
            .optional()?;
        let Some((row, queue, payload, result, truncated, worker)) = row else { return Ok(None) };
        let mut job = row.into_job(&queue)?;
        job.worker = worker;
        job.payload = Some(Json::trusted(payload));
        job.result = Some(result.map(Json::trusted));
        job.result_truncated = truncated == Some(1);
        job.failures = Some(self.find_job_failures(&job)?);
        Ok(Some(job))
    }

    /// Returns a job without payload, result and failures.
    fn find_summary(&mut self, id: JobId) -> Result<Option<Job>, TransactionError> {
        let row: Option<(JobRow, String, Option<String>)> = jobs::table
            .inner_join(queues::table)
            .left_join(remote_leases::table)
            .filter(jobs::id.eq(id.0))
            .select((JobRow::as_select(), queues::name, remote_leases::worker.nullable()))
            .get_result(&mut self.connection)
            .optional()?;
        let Some((row, queue, worker)) = row else { return Ok(None) };
        Ok(Some(Job { worker, ..row.into_job(&queue)? }))
    }

    fn find_log(&mut self, id: JobId, after: u64) -> Result<Option<Log>, TransactionError> {
        let exists: Option<i64> =
            jobs::table.find(id.0).select(jobs::id).get_result(&mut self.connection).optional()?;
        if exists.is_none() {
            return Ok(None);
        }
        Ok(Some(log::find(&mut self.connection, id)?.after(after)))
    }

    fn find_update(
        &mut self,
        id: JobId,
        log_after: u64,
    ) -> Result<Option<JobUpdate>, TransactionError> {
        let Some(mut job) = self.find_summary(id)? else { return Ok(None) };
        job.failures = Some(self.find_job_failures(&job)?);
        let log = log::find(&mut self.connection, id)?.after(log_after);
        Ok(Some(JobUpdate { job, log }))
    }

    /// Returns the failures of a job, without a query if it cannot have any.
    fn find_job_failures(&mut self, job: &Job) -> Result<Vec<JobFailure>, TransactionError> {
        // A first attempt that is running or has completed has no failures. The error column does not
        // show it, because a retry and a release clear it.
        let is_running_or_completed = matches!(job.state, State::Running | State::Completed);
        let may_have_failures = job.attempt > 1 || job.attempt == 1 && !is_running_or_completed;
        if may_have_failures { self.find_failures(job.id) } else { Ok(Vec::new()) }
    }

    fn find_failures(&mut self, id: JobId) -> Result<Vec<JobFailure>, TransactionError> {
        let rows: Vec<(i64, i64, String, String)> = failures::table
            .filter(failures::job_id.eq(id.0))
            .order(failures::lease_token)
            .select((failures::attempt, failures::failed_at, failures::code, failures::message))
            .load(&mut self.connection)?;
        let failures = rows.into_iter().map(|(attempt, at, code, message)| JobFailure {
            attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
            at: Timestamp::from_millis(at),
            error: JobError { code, message },
        });
        Ok(failures.collect())
    }

    fn find_prunable(
        &mut self,
        after: JobId,
        finished_before: Timestamp,
    ) -> Result<Prunable, TransactionError> {
        // Removed jobs leave gaps between ids: start at the first job that exists.
        let first: Option<(i64, i64)> =
            FirstAfter { after: after.0 }.get_result(&mut self.connection).optional()?;
        let Some((first, created_at)) = first else { return Ok(Prunable::default()) };
        if created_at >= finished_before.millis() {
            // A job ends after it was created, and jobs with larger ids were created later.
            return Ok(Prunable::default());
        }
        let until = first + PRUNE_STEP_IDS;
        let query =
            OldJobsInRange { after: first - 1, until, finished_before: finished_before.millis() };
        let found: Vec<i64> = query.load(&mut self.connection)?;
        let last: Option<i64> = LastId {}.get_result(&mut self.connection)?;
        let next = last.filter(|last| *last > until).map(|_| JobId(until));
        Ok(Prunable { jobs: found.into_iter().map(JobId).collect(), next })
    }
}
