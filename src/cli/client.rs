//! A small client of the HTTP API.

mod absence;
mod events;
mod form;
mod listening;
mod transport;

use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use events::Event;
pub use form::{EventFilter, JobFilter, JobPage, QueueList, Reply};
pub use listening::Listening;
use transport::Transport;

use crate::cli::error::CliError;
use crate::job::batch::Batch;
use crate::job::queue::{Queue, QueueChange, QueueName};
use crate::job::{BatchId, Job, JobId, Log, Stats, Submission};

/// A client of one server.
pub struct Client(Transport);

#[derive(Serialize)]
struct NewBatch<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    jobs: &'a [T],
}

impl Client {
    /// A client of the server at `base_url`. Nothing is sent yet.
    pub fn new(base_url: &str) -> Self {
        Self(Transport::new(base_url))
    }

    /// Where the server is.
    pub fn base_url(&self) -> &str {
        self.0.base_url()
    }

    /// Where a job's state can be asked for.
    pub fn job_url(&self, id: JobId) -> String {
        format!("{}/v1/jobs/{id}", self.0.base_url())
    }

    /// Where a batch can be asked for.
    pub fn batch_url(&self, id: BatchId) -> String {
        format!("{}/v1/batches/{id}", self.0.base_url())
    }

    /// Submits one job.
    pub async fn submit(
        &self,
        submission: &Submission,
        idempotency_key: Option<&str>,
    ) -> Result<Reply<Job>, CliError> {
        let mut request = self.0.post("/v1/jobs");
        if let Some(key) = idempotency_key {
            request = request.insert_header(("Idempotency-Key", key));
        }
        self.0.send_json(request, submission).await
    }

    /// Submits many jobs, one JSON object a line; all or none are taken.
    pub async fn submit_lines(&self, lines: Vec<u8>) -> Result<Reply<JobPage>, CliError> {
        let request = self.0.post("/v1/jobs").insert_header((CONTENT_TYPE, "application/x-ndjson"));
        self.0.send_body(request, lines).await
    }

    /// Submits jobs as one batch; with [`Json`](crate::job::Json) for `T`, as they are.
    pub async fn submit_batch<T: Serialize>(
        &self,
        name: Option<&str>,
        jobs: &[T],
        idempotency_key: Option<&str>,
    ) -> Result<Reply<Batch>, CliError> {
        let mut request = self.0.post("/v1/batches");
        if let Some(key) = idempotency_key {
            request = request.insert_header(("Idempotency-Key", key));
        }
        self.0.send_json(request, &NewBatch { name, jobs }).await
    }

    /// A job as it stands.
    pub async fn job(&self, id: JobId) -> Result<Reply<Job>, CliError> {
        self.0.send(self.0.get(&format!("/v1/jobs/{id}"))).await
    }

    /// A batch as it stands.
    pub async fn batch(&self, id: BatchId) -> Result<Reply<Batch>, CliError> {
        self.0.send(self.0.get(&format!("/v1/batches/{id}"))).await
    }

    /// Waits until a job is final, or until `timeout` is over. `tell` has the error with which the
    /// server goes away for a while.
    pub async fn wait_for_job(
        &self,
        id: JobId,
        timeout: Option<Duration>,
        tell: &dyn Fn(&CliError),
    ) -> Result<Reply<Job>, CliError> {
        let ended = |job: &Job| job.state.is_final();
        self.0.wait_until(&format!("/v1/jobs/{id}"), timeout, ended, tell).await
    }

    /// Waits until a batch has ended. `tell` has the error with which the server goes away for a
    /// while.
    pub async fn wait_for_batch(
        &self,
        id: BatchId,
        tell: &dyn Fn(&CliError),
    ) -> Result<Reply<Batch>, CliError> {
        let ended = |batch: &Batch| batch.finished_at.is_some();
        self.0.wait_until(&format!("/v1/batches/{id}"), None, ended, tell).await
    }

    /// What a job has logged after a position.
    pub async fn log(&self, id: JobId, after: u64) -> Result<Reply<Log>, CliError> {
        self.0.send(self.0.get(&format!("/v1/jobs/{id}/log?after={after}"))).await
    }

    /// How the server does, now and in the last hour.
    pub async fn stats(&self) -> Result<Reply<Stats>, CliError> {
        self.0.send(self.0.get("/v1/stats")).await
    }

    /// What happens to a job.
    pub fn job_events(&self, id: JobId) -> Listening<'_> {
        Listening::new(&self.0, format!("/v1/jobs/{id}/events"))
    }

    /// What happens to a batch.
    pub fn batch_events(&self, id: BatchId) -> Listening<'_> {
        Listening::new(&self.0, format!("/v1/batches/{id}/events"))
    }

    /// What happens to all jobs that a filter lets through.
    pub fn events(&self, filter: &EventFilter) -> Listening<'_> {
        Listening::new(&self.0, format!("/v1/events{}", filter.query()))
    }

    /// Lists jobs, a page of them.
    pub async fn list<T: DeserializeOwned>(
        &self,
        filter: &JobFilter,
    ) -> Result<JobPage<T>, CliError> {
        let request = self.0.with_query(self.0.get("/v1/jobs"), filter)?;
        let reply = self.0.send(request).await?;
        Ok(reply.value)
    }

    /// Cancels a job, or asks a running one to stop.
    pub async fn cancel(&self, id: JobId) -> Result<Reply<Job>, CliError> {
        self.0.send(self.0.post(&format!("/v1/jobs/{id}/cancel"))).await
    }

    /// Runs a final job again.
    pub async fn retry(&self, id: JobId) -> Result<Reply<Job>, CliError> {
        self.0.send(self.0.post(&format!("/v1/jobs/{id}/retry"))).await
    }

    /// All queues.
    pub async fn queues(&self) -> Result<Reply<QueueList>, CliError> {
        self.0.send(self.0.get("/v1/queues")).await
    }

    /// Changes a queue's settings.
    pub async fn change_queue(
        &self,
        name: &QueueName,
        change: &QueueChange,
    ) -> Result<Reply<Queue>, CliError> {
        self.0.send_json(self.0.patch(&format!("/v1/queues/{name}")), change).await
    }
}
