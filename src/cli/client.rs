//! A small client for the HTTP API.

mod batches;
mod connector;
mod event_stream;
mod events;
mod outage;
mod reply;
mod transport;

use std::path::Path;
use std::time::Duration;

use actix_web::http::header::CONTENT_TYPE;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use event_stream::EventStream;
pub use events::Event;
pub use reply::Reply;
pub(crate) use connector::UNIX;
use transport::Transport;

use crate::api::batches::NewBatch;
use crate::api::webhooks::deliveries::DeliveryList;
use crate::api::events::EventQuery;
use crate::api::jobs::{JobListQuery, JobPage, SubmittedJobs};
use crate::api::keys::{CreatedKey, KeyList, KeyRequest};
use crate::api::providers::{Provider, Providers};
use crate::api::pruning::Pruning;
use crate::api::queues::QueueList;
use crate::api::webhooks::secrets::{
    RevealedWebhookSecret, RotationRequest, WebhookSecretList, WebhookSecretRequest,
};
use crate::auth::api_key::ApiKey;
use crate::auth::key_id::KeyId;
use crate::cli::error::CliError;
use crate::job::batch::{Batch, BatchOptions};
use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::delivery_status::DeliveryStatus;
use crate::job::queue::{Queue, QueueChange, QueueName};
use crate::job::{
    BatchId, IdempotencyKey, Job, JobId, JobPatch, Log, ProviderName, Submission, WebhookSecretName,
};
use crate::metrics::Stats;

/// A client for one server.
pub struct Client(Transport);

impl Client {
    /// Creates a client for the server at `base_url`, which may be `unix:PATH`, without sending anything. It
    /// trusts the certificates in the file `ca` beside the public ones.
    ///
    /// # Errors
    /// Returns [`CliError::Usage`] if the file cannot be used.
    pub fn new(base_url: &str, ca: Option<&Path>) -> Result<Self, CliError> {
        Self::with_key(base_url, ca, None)
    }

    /// As [`new`](Self::new), and sends an API key with each request.
    ///
    /// # Errors
    /// Returns [`CliError::Usage`] if the file cannot be used.
    pub fn with_key(
        base_url: &str,
        ca: Option<&Path>,
        key: Option<&str>,
    ) -> Result<Self, CliError> {
        Transport::new(base_url, ca, key).map(Self)
    }

    /// Returns the base URL of the server.
    pub fn base_url(&self) -> &str {
        self.0.base_url()
    }

    /// Returns the URL of a job in the API.
    pub fn job_url(&self, id: JobId) -> String {
        self.0.url(&format!("/v1/jobs/{id}"))
    }

    /// Returns the URL of a batch in the API.
    pub fn batch_url(&self, id: BatchId) -> String {
        self.0.url(&format!("/v1/batches/{id}"))
    }

    /// Submits one job.
    pub async fn submit(
        &self,
        submission: &Submission,
        idempotency_key: Option<&IdempotencyKey>,
    ) -> Result<Reply<Job>, CliError> {
        let mut request = self.0.post("/v1/jobs");
        if let Some(key) = idempotency_key {
            request = request.insert_header(("Idempotency-Key", key.as_str()));
        }
        self.0.send_json(request, submission).await
    }

    /// Submits many jobs, one JSON object per line. Either all or none are accepted.
    pub async fn submit_lines(&self, lines: Vec<u8>) -> Result<Reply<SubmittedJobs>, CliError> {
        let request = self.0.post("/v1/jobs").insert_header((CONTENT_TYPE, "application/x-ndjson"));
        self.0.send_body(request, lines).await
    }

    /// Submits jobs as one batch. With [`Json`](crate::job::Json) as `T` they are sent unchanged.
    pub async fn submit_batch<T: Serialize>(
        &self,
        BatchOptions { name, callback, then, open }: BatchOptions,
        jobs: &[T],
        idempotency_key: Option<&IdempotencyKey>,
    ) -> Result<Reply<Batch>, CliError> {
        let mut request = self.0.post("/v1/batches");
        if let Some(key) = idempotency_key {
            request = request.insert_header(("Idempotency-Key", key.as_str()));
        }
        self.0.send_json(request, &NewBatch { name, callback, then, open, jobs }).await
    }

    /// Reads the current state of a job.
    pub async fn job(&self, id: JobId) -> Result<Reply<Job>, CliError> {
        self.0.send(self.0.get(&format!("/v1/jobs/{id}"))).await
    }

    /// Reads the current state of a batch.
    pub async fn batch(&self, id: BatchId) -> Result<Reply<Batch>, CliError> {
        self.0.send(self.0.get(&format!("/v1/batches/{id}"))).await
    }

    /// Waits until a job is final or `timeout` has passed, and returns its state.
    ///
    /// The wait survives an outage of the server of up to five minutes. `on_outage` is called once
    /// per outage, with its first error.
    pub async fn wait_for_job(
        &self,
        id: JobId,
        timeout: Option<Duration>,
        on_outage: &dyn Fn(&CliError),
    ) -> Result<Reply<Job>, CliError> {
        let ended = |job: &Job| job.state.is_final();
        self.0.wait_until(&format!("/v1/jobs/{id}"), timeout, ended, on_outage).await
    }

    /// Waits until a batch has ended.
    ///
    /// Outages are handled as in [`wait_for_job`](Self::wait_for_job).
    pub async fn wait_for_batch(
        &self,
        id: BatchId,
        on_outage: &dyn Fn(&CliError),
    ) -> Result<Reply<Batch>, CliError> {
        let ended = |batch: &Batch| batch.finished_at.is_some();
        self.0.wait_until(&format!("/v1/batches/{id}"), None, ended, on_outage).await
    }

    /// Reads the log of a job after the byte position `after`.
    pub async fn log(&self, id: JobId, after: u64) -> Result<Reply<Log>, CliError> {
        self.0.send(self.0.get(&format!("/v1/jobs/{id}/log?after={after}"))).await
    }

    /// Reads the server's statistics: the present state and the last hour.
    pub async fn stats(&self) -> Result<Reply<Stats>, CliError> {
        self.0.send(self.0.get("/v1/stats")).await
    }

    /// Reads whether old final jobs are deleted.
    pub async fn pruning(&self) -> Result<Reply<Pruning>, CliError> {
        self.0.send(self.0.get("/v1/pruning")).await
    }

    /// Confirms that old final jobs may be deleted.
    pub async fn confirm_pruning(&self) -> Result<Reply<Pruning>, CliError> {
        self.0.send(self.0.post("/v1/pruning")).await
    }

    /// Opens the event stream of a job.
    pub fn job_events(&self, id: JobId) -> EventStream<'_> {
        EventStream::new(&self.0, format!("/v1/jobs/{id}/events"))
    }

    /// Opens the event stream of a batch.
    pub fn batch_events(&self, id: BatchId) -> EventStream<'_> {
        EventStream::new(&self.0, format!("/v1/batches/{id}/events"))
    }

    /// Opens the event stream of all jobs that match a filter.
    pub fn events(&self, query: &EventQuery) -> EventStream<'_> {
        EventStream::new(&self.0, format!("/v1/events{query}"))
    }

    /// Lists one page of jobs.
    pub async fn list<T: DeserializeOwned>(
        &self,
        query: &JobListQuery,
    ) -> Result<JobPage<T>, CliError> {
        let request = self.0.with_query(self.0.get("/v1/jobs"), query)?;
        let reply = self.0.send(request).await?;
        Ok(reply.value)
    }

    /// Cancels a job, or asks a running one to stop.
    pub async fn cancel(&self, id: JobId) -> Result<Reply<Job>, CliError> {
        self.0.send(self.0.post(&format!("/v1/jobs/{id}/cancel"))).await
    }

    /// Runs a final job again, or starts a waiting retry at once.
    pub async fn retry(&self, id: JobId) -> Result<Reply<Job>, CliError> {
        self.0.send(self.0.post(&format!("/v1/jobs/{id}/retry"))).await
    }

    /// Changes a job that waits.
    pub async fn update(&self, id: JobId, patch: &JobPatch) -> Result<Reply<Job>, CliError> {
        self.0.send_json(self.0.patch(&format!("/v1/jobs/{id}")), patch).await
    }

    /// Lists the latest deliveries of the webhook of a job or batch.
    pub async fn deliveries(&self, owner: Owner) -> Result<Reply<DeliveryList>, CliError> {
        self.0.send(self.0.get(&deliveries_path(owner))).await
    }

    /// Sends a webhook of a job or batch again.
    pub async fn retry_delivery(
        &self,
        owner: Owner,
        delivery: JobId,
    ) -> Result<Reply<DeliveryStatus>, CliError> {
        let path = format!("{}/{delivery}/retry", deliveries_path(owner));
        self.0.send(self.0.post(&path)).await
    }

    /// Lists all queues.
    pub async fn queues(&self) -> Result<Reply<QueueList>, CliError> {
        self.0.send(self.0.get("/v1/queues")).await
    }

    /// Lists all API keys.
    pub async fn keys(&self) -> Result<Reply<KeyList>, CliError> {
        self.0.send(self.0.get("/v1/keys")).await
    }

    /// Creates an API key.
    pub async fn create_key(&self, key: &KeyRequest) -> Result<Reply<CreatedKey>, CliError> {
        self.0.send_json(self.0.post("/v1/keys"), key).await
    }

    /// Revokes an API key.
    pub async fn revoke_key(&self, id: KeyId) -> Result<Reply<ApiKey>, CliError> {
        self.0.send(self.0.delete(&format!("/v1/keys/{id}"))).await
    }

    /// Lists all webhook secrets, without their values.
    pub async fn webhook_secrets(&self) -> Result<Reply<WebhookSecretList>, CliError> {
        self.0.send(self.0.get("/v1/webhook-secrets")).await
    }

    /// Creates a webhook secret.
    pub async fn create_webhook_secret(
        &self,
        secret: &WebhookSecretRequest,
    ) -> Result<Reply<RevealedWebhookSecret>, CliError> {
        self.0.send_json(self.0.post("/v1/webhook-secrets"), secret).await
    }

    /// Replaces the value of a webhook secret.
    pub async fn rotate_webhook_secret(
        &self,
        name: &WebhookSecretName,
        rotation: &RotationRequest,
    ) -> Result<Reply<RevealedWebhookSecret>, CliError> {
        self.0.send_json(self.0.post(&format!("/v1/webhook-secrets/{name}/rotate")), rotation).await
    }

    /// Deletes a webhook secret.
    pub async fn delete_webhook_secret(&self, name: &WebhookSecretName) -> Result<(), CliError> {
        self.0.send_for_nothing(self.0.delete(&format!("/v1/webhook-secrets/{name}"))).await
    }

    /// Lists all providers.
    pub async fn providers(&self) -> Result<Reply<Providers>, CliError> {
        self.0.send(self.0.get("/v1/providers")).await
    }

    /// Reads the state of a provider.
    pub async fn provider(&self, name: &ProviderName) -> Result<Reply<Provider>, CliError> {
        self.0.send(self.0.get(&format!("/v1/providers/{name}"))).await
    }

    /// Changes the settings of a queue.
    pub async fn change_queue(
        &self,
        name: &QueueName,
        change: &QueueChange,
    ) -> Result<Reply<Queue>, CliError> {
        self.0.send_json(self.0.patch(&format!("/v1/queues/{name}")), change).await
    }
}

fn deliveries_path(owner: Owner) -> String {
    match owner {
        Owner::Job(id) => format!("/v1/jobs/{id}/deliveries"),
        Owner::Batch(id) => format!("/v1/batches/{id}/deliveries"),
    }
}
