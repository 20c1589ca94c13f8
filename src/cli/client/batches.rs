//! Calls on one batch.

use super::{Client, Reply};
use crate::api::batches::{AddedJobs, BatchResults, MoreJobs};
use crate::cli::error::CliError;
use crate::job::batch::{Batch, RetriedBatch};
use crate::job::{BatchId, IdempotencyKey, JobId, Json};

/// Number of results on a page.
const PAGE_SIZE: u32 = 1_000;

impl Client {
    /// Adds jobs to an open batch.
    pub async fn add_jobs(
        &self,
        id: BatchId,
        jobs: &[Json],
        idempotency_key: Option<&IdempotencyKey>,
    ) -> Result<Reply<AddedJobs>, CliError> {
        let mut request = self.0.post(&format!("/v1/batches/{id}/jobs"));
        if let Some(key) = idempotency_key {
            request = request.insert_header(("Idempotency-Key", key.as_str()));
        }
        self.0.send_json(request, &MoreJobs { jobs }).await
    }

    /// Closes an open batch.
    pub async fn close_batch(&self, id: BatchId) -> Result<Reply<Batch>, CliError> {
        self.0.send(self.0.post(&format!("/v1/batches/{id}/close"))).await
    }

    /// Queues the failed jobs of a batch with an id above `after` again, and the cancelled ones if `with_cancelled`
    /// is set.
    pub async fn retry_batch(
        &self,
        id: BatchId,
        with_cancelled: bool,
        after: JobId,
    ) -> Result<Reply<RetriedBatch>, CliError> {
        let states = if with_cancelled { "failed,cancelled" } else { "failed" };
        let path = format!("/v1/batches/{id}/retry?state={states}&after={after}");
        self.0.send(self.0.post(&path)).await
    }

    /// Reads a page of the results of a batch: those of jobs with a larger id than `after`.
    pub async fn batch_results(
        &self,
        id: BatchId,
        after: JobId,
    ) -> Result<BatchResults<Json>, CliError> {
        let path = format!("/v1/batches/{id}/results?after={after}&limit={PAGE_SIZE}");
        Ok(self.0.send(self.0.get(&path)).await?.value)
    }
}
