//! Inserts of jobs, several rows per statement.
//!
//! Running a statement costs as much as inserting a row: it opens cursors on the table and its indexes,
//! and reads and writes back the largest id so far. So rows are inserted in chunks of 16, then 4, then
//! 1: 23 jobs take one statement of 16, one of 4 and three of 1.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sqlite::{Sqlite, SqliteConnection};

use crate::job::submission::on_end::Owner;
use crate::job::{BatchId, JobId, NewJob, State, Timestamp};
use crate::roster::LARGE_PAYLOAD_BYTES;
use crate::store::rows::values::{backoff_text, tags_text};
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::{Change, JobLocation, StoreError};

/// Start of the statement. It has no RETURNING clause, because SQLite would create a table in memory for
/// it at every run.
const INSERT: &str =
    "INSERT INTO jobs (state, lane, queue_id, priority, max_attempts, created_at, run_at,
         expires_at, at_most_once, timeout_ms, batch_id, provider_id, key_id, backoff, tags, kind, payload)
     VALUES ";

/// Number of rows that the large and the small prepared statement insert; a third one inserts one.
const LARGE_CHUNK: usize = 16;
const SMALL_CHUNK: usize = 4;

/// Column values of a job to insert.
struct NewJobRow<'a> {
    state: i64,
    lane: i64,
    queue_id: i64,
    priority: i64,
    max_attempts: i64,
    created_at: i64,
    run_at: i64,
    expires_at: Option<i64>,
    at_most_once: i64,
    timeout_ms: i64,
    batch_id: Option<i64>,
    provider_id: Option<i64>,
    key_id: Option<i64>,
    backoff: Option<String>,
    tags: Option<String>,
    kind: &'a str,
    payload: &'a str,
}

impl<'a> NewJobRow<'a> {
    fn of(
        job: &'a NewJob,
        (queue_id, provider_id): (i64, Option<i64>),
        batch: Option<BatchId>,
        now: Timestamp,
    ) -> Self {
        Self {
            state: job.state().code(),
            lane: job.lane.code(),
            queue_id,
            priority: job.priority.into(),
            max_attempts: job.max_attempts.into(),
            created_at: now.millis(),
            run_at: job.due_at(now).millis(),
            expires_at: job.expires_at.map(|at| at.millis()),
            at_most_once: job.at_most_once.into(),
            timeout_ms: job.timeout.millis(),
            batch_id: batch.map(|batch| batch.0),
            provider_id,
            key_id: job.key.map(|key| key.0),
            backoff: backoff_text(&job.backoff),
            tags: tags_text(&job.tags),
            kind: job.kind.as_str(),
            payload: job.payload.as_str(),
        }
    }

    /// Binds the values in the order of the columns in [`INSERT`].
    fn bind<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let numbers = [
            &self.state,
            &self.lane,
            &self.queue_id,
            &self.priority,
            &self.max_attempts,
            &self.created_at,
            &self.run_at,
        ];
        out.push_sql("(");
        for number in numbers {
            out.push_bind_param::<Integer, _>(number)?;
            out.push_sql(", ");
        }
        out.push_bind_param::<Nullable<Integer>, _>(&self.expires_at)?;
        for number in [&self.at_most_once, &self.timeout_ms] {
            out.push_sql(", ");
            out.push_bind_param::<Integer, _>(number)?;
        }
        for id in [&self.batch_id, &self.provider_id, &self.key_id] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Integer>, _>(id)?;
        }
        for text in [&self.backoff, &self.tags] {
            out.push_sql(", ");
            out.push_bind_param::<Nullable<Text>, _>(text)?;
        }
        for text in [&self.kind, &self.payload] {
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(text)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

/// Statement that inserts `N` rows.
struct InsertJobs<'a, const N: usize>(&'a [NewJobRow<'a>]);

/// Identifies the statement for `N` rows in Diesel's cache, whatever values are bound to it.
struct StatementId<const N: usize>(PhantomData<()>);

impl<const N: usize> QueryId for InsertJobs<'_, N> {
    type QueryId = StatementId<N>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const N: usize> QueryFragment<Sqlite> for InsertJobs<'_, N> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(INSERT);
        for (index, row) in self.0.iter().enumerate() {
            if index > 0 {
                out.push_sql(", ");
            }
            row.bind(&mut out)?;
        }
        Ok(())
    }
}

impl<const N: usize> RunQueryDsl<SqliteConnection> for InsertJobs<'_, N> {}

statement! {
    LastInsertId -> Integer = "SELECT last_insert_rowid()"
}

statement! {
    InsertTag<'a> =
    "INSERT INTO job_tags (tag, job_id)
     VALUES (" [tag: Text as &'a str] ", " [job_id: Integer as i64] ")"
}

statement! {
    InsertExtras<'a> =
    "INSERT INTO job_extras (job_id, truncate_result, metadata)
     VALUES (" [job: Integer as i64] ", " [truncate_result: Integer as i64]
    ", " [metadata: Nullable<Text> as Option<&'a str>] ")"
}

impl CommitGroup<'_> {
    /// Inserts jobs in order, and returns the id of the first, or `None` if there are no jobs.
    ///
    /// Their queues must exist. The ids are consecutive, because there is only one write connection.
    pub(crate) fn insert_jobs<'j>(
        &mut self,
        jobs: impl Iterator<Item = &'j NewJob> + Clone,
        batch: Option<BatchId>,
    ) -> Result<Option<JobId>, TransactionError> {
        let mut rows = Vec::new();
        for job in jobs.clone() {
            let queue_id = self.queue_ids.id(&job.queue).ok_or_else(|| {
                StoreError::Corrupt(format!("the queue {} was not created", job.queue))
            })?;
            let provider_id = job.provider.as_ref().and_then(|name| self.provider_ids.id(name));
            rows.push(NewJobRow::of(job, (queue_id, provider_id), batch, self.now));
        }
        if rows.is_empty() {
            return Ok(None);
        }
        self.insert_rows(&rows)?;
        let last: i64 = LastInsertId {}.get_result(self.connection)?;
        let first = last - rows.len() as i64 + 1;
        for (id, job) in (first..).zip(jobs) {
            self.record_new_job(JobId(id), job, batch)?;
        }
        Ok(Some(JobId(first)))
    }

    fn insert_rows(&mut self, rows: &[NewJobRow<'_>]) -> Result<(), TransactionError> {
        let (chunks, remainder) = rows.as_chunks::<LARGE_CHUNK>();
        for rows in chunks {
            InsertJobs::<LARGE_CHUNK>(rows).execute(self.connection)?;
        }
        let (chunks, remainder) = remainder.as_chunks::<SMALL_CHUNK>();
        for rows in chunks {
            InsertJobs::<SMALL_CHUNK>(rows).execute(self.connection)?;
        }
        for row in remainder {
            InsertJobs::<1>(std::slice::from_ref(row)).execute(self.connection)?;
        }
        Ok(())
    }

    fn record_new_job(
        &mut self,
        id: JobId,
        job: &NewJob,
        batch: Option<BatchId>,
    ) -> Result<(), TransactionError> {
        *self.may_have_large_payloads |= job.payload.as_str().len() > LARGE_PAYLOAD_BYTES;
        for tag in &job.tags {
            InsertTag { tag: tag.as_str(), job_id: id.0 }.execute(self.connection)?;
        }
        if job.truncate_result || job.metadata.is_some() {
            let metadata = job.metadata.as_ref().map(|json| json.as_str());
            let truncate_result = job.truncate_result.into();
            InsertExtras { job: id.0, truncate_result, metadata }.execute(self.connection)?;
        }
        if let Some(on_end) = &job.on_end {
            self.insert_end_actions(Owner::Job(id), on_end)?;
        }
        let location = JobLocation {
            job: id,
            queue: job.queue.clone(),
            lane: job.lane,
            batch,
            provider: job.provider.clone(),
            key: job.key,
        };
        let state = job.state();
        let due_at = (state == State::Scheduled).then_some(job.run_at);
        self.record(Change { due_at, ..location.change(None, Some(state)) });
        Ok(())
    }
}
