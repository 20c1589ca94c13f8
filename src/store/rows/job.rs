//! Rows of jobs, as reads return them.

use diesel::dsl::Nullable;
use diesel::prelude::*;

use crate::job::{BatchId, Job, JobError, JobId, Json, Progress, Span, Timestamp};
use crate::store::error::StoreError;
use crate::store::rows::end_actions::EndActionsRow;
use crate::store::rows::values::{backoff_of, count_of, lane_of, queue_of_job, state_of, tags_of};
use crate::store::schema::{job_extras, jobs, queues, remote_leases, results};

/// Columns of a job, except its payload.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct JobRow {
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
    /// Converts the row to a job without payload, result and attempts.
    fn into_job(self, queue: &str, worker: Option<String>) -> Result<Job, StoreError> {
        let error = self.error_code.zip(self.error_message);
        let (message, state) = (self.progress_message, state_of(self.id, self.state)?);
        let progress = self.progress_percent.map(|percent| Progress { percent, message });
        Ok(Job {
            waiting_for: None,
            waiting_until: None,
            waiting_detail: None,
            id: JobId(self.id),
            kind: self.kind,
            queue: queue_of_job(self.id, queue)?,
            lane: lane_of(self.id, self.lane)?,
            state,
            priority: i8::try_from(self.priority).unwrap_or(0),
            attempt: count_of(self.attempt),
            max_attempts: count_of(self.max_attempts),
            attempts_granted: None,
            created_at: Timestamp::from_millis(self.created_at),
            run_at: Timestamp::from_millis(self.run_at),
            started_at: self.started_at.map(Timestamp::from_millis),
            lease_expires_at: self.lease_expires_at.map(Timestamp::from_millis),
            worker,
            finished_at: self.finished_at.map(Timestamp::from_millis),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            timeout: Span::from_millis(self.timeout_ms),
            backoff: None,
            at_most_once: self.at_most_once != 0,
            truncate_result: false,
            cancel_requested: self.cancel_requested != 0,
            payload: None,
            result: None,
            result_truncated: false,
            error: error.map(|(code, message)| JobError { code, message }),
            failures: None,
            attempts: None,
            progress: progress.map(|progress| progress.of_job_in(state)),
            tags: tags_of(self.tags.as_deref()),
            metadata: None,
            batch: self.batch_id.map(BatchId),
            callback: None,
            then: None,
        })
    }
}

/// A job with its queue and worker, without payload and result.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct SummaryRow {
    #[diesel(embed)]
    job: JobRow,
    #[diesel(select_expression = queues::name)]
    queue: String,
    #[diesel(select_expression = remote_leases::worker.nullable())]
    #[diesel(select_expression_type = Nullable<remote_leases::worker>)]
    worker: Option<String>,
}

impl SummaryRow {
    /// Converts the row to a job without payload, result and attempts.
    pub(crate) fn into_job(self) -> Result<Job, StoreError> {
        self.job.into_job(&self.queue, self.worker)
    }
}

/// A job of a list, with its payload and result.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct ListedRow {
    #[diesel(embed)]
    summary: SummaryRow,
    #[diesel(select_expression = jobs::payload.nullable())]
    #[diesel(select_expression_type = Nullable<jobs::payload>)]
    payload: Option<String>,
    #[diesel(select_expression = results::result.nullable())]
    #[diesel(select_expression_type = Nullable<results::result>)]
    result: Option<String>,
    #[diesel(select_expression = results::truncated.nullable())]
    #[diesel(select_expression_type = Nullable<results::truncated>)]
    truncated: Option<i64>,
}

impl From<SummaryRow> for ListedRow {
    fn from(summary: SummaryRow) -> Self {
        Self { summary, payload: None, result: None, truncated: None }
    }
}

impl ListedRow {
    /// Returns the number of payload and result bytes.
    pub(crate) fn text_bytes(&self) -> usize {
        self.payload.as_ref().map_or(0, String::len) + self.result.as_ref().map_or(0, String::len)
    }

    /// Converts the row to a job with its payload and result, if they are asked for.
    pub(crate) fn into_job(self, with_payload: bool, with_result: bool) -> Result<Job, StoreError> {
        let mut job = self.summary.into_job()?;
        if with_payload {
            job.payload = self.payload.map(Json::trusted);
        }
        if with_result {
            job.result = Some(self.result.map(Json::trusted));
            job.result_truncated = self.truncated == Some(1);
        }
        Ok(job)
    }
}

/// Seldom-read columns of a job.
#[derive(Debug, Default, Queryable, Selectable)]
#[diesel(table_name = job_extras)]
pub(crate) struct ExtrasRow {
    attempts_granted: Option<i64>,
    truncate_result: i64,
    metadata: Option<String>,
}

/// A job with everything but its attempts.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct FullJobRow {
    #[diesel(embed)]
    job: JobRow,
    pub(crate) lease_token: i64,
    backoff: Option<String>,
    #[diesel(select_expression = queues::name)]
    queue: String,
    /// Whether the queue is paused.
    #[diesel(select_expression = queues::paused)]
    pub(crate) queue_paused: i64,
    payload: String,
    #[diesel(select_expression = results::result.nullable())]
    #[diesel(select_expression_type = Nullable<results::result>)]
    result: Option<String>,
    #[diesel(select_expression = results::truncated.nullable())]
    #[diesel(select_expression_type = Nullable<results::truncated>)]
    truncated: Option<i64>,
    #[diesel(select_expression = remote_leases::worker.nullable())]
    #[diesel(select_expression_type = Nullable<remote_leases::worker>)]
    worker: Option<String>,
    #[diesel(embed)]
    extras: Option<ExtrasRow>,
    #[diesel(embed)]
    end_actions: Option<EndActionsRow>,
}

impl FullJobRow {
    /// Converts the row to a job with its payload and result, without attempts.
    pub(crate) fn into_job(self) -> Result<Job, StoreError> {
        let backoff = backoff_of(self.job.id, self.backoff.as_deref())?;
        let mut job = self.job.into_job(&self.queue, self.worker)?;
        let extras = self.extras.unwrap_or_default();
        job.backoff = Some(backoff);
        job.attempts_granted = extras.attempts_granted.map(count_of);
        job.truncate_result = extras.truncate_result != 0;
        job.metadata = extras.metadata.map(Json::trusted);
        job.payload = Some(Json::trusted(self.payload));
        job.result = Some(self.result.map(Json::trusted));
        (job.callback, job.then) =
            self.end_actions.map_or_else(Default::default, |actions| actions.shown());
        job.result_truncated = self.truncated == Some(1);
        Ok(job)
    }
}
