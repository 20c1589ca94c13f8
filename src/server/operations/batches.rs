//! Calls on one batch: its results, its close, and another try of its failed jobs.

use std::time::{Duration, Instant};

use crate::job::batch::{Batch, RetriedBatch};
use crate::job::{BatchId, JobId, State};
use crate::server::bulk::MAX_BULK_ACTIONS;
use crate::server::error::Error;
use crate::server::handle::{Handle, MAX_WAIT};
use crate::store::{Answer, JobFilter, Refusal, ResultPage, ResultQuery, Write};

/// Maximum number of results on a page.
pub const MAX_RESULTS: u32 = 1_000;

/// Number of bytes of results at which a page ends early.
const MAX_PAGE_BYTES: usize = 8 << 20;

impl Handle {
    /// Returns one page of the results of a batch, in the order of submission: at most `limit` jobs with an
    /// id above `after`. A page ends early if its results have more than 8 MiB.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist.
    pub async fn batch_results(
        &self,
        batch: BatchId,
        after: JobId,
        limit: u32,
    ) -> Result<ResultPage, Error> {
        let max_bytes = MAX_PAGE_BYTES;
        self.read_results(ResultQuery { batch, after, limit, max_bytes }).await
    }

    /// Returns one page as [`Handle::batch_results`] does, as soon as its first job is final or `span` is over,
    /// which counts up to [`MAX_WAIT`].
    ///
    /// # Errors
    /// The same as [`Handle::batch_results`], and [`Error::Overloaded`] if too many clients wait already.
    pub async fn wait_batch_results(
        &self,
        batch: BatchId,
        after: JobId,
        limit: u32,
        span: Duration,
    ) -> Result<ResultPage, Error> {
        let end = Instant::now() + span.min(MAX_WAIT);
        let page = self.batch_results(batch, after, limit).await?;
        let Some(first) = page.results.first().filter(|first| !first.state.is_final()) else {
            return Ok(page);
        };
        match self.wait(first.id, end.saturating_duration_since(Instant::now())).await {
            // It was deleted, so another job is the first one.
            Ok(_) | Err(Error::Refused(Refusal::NoJob(_))) => {}
            Err(error) => return Err(error),
        }
        self.batch_results(batch, after, limit).await
    }

    /// Returns one page of the results of a batch.
    pub(crate) async fn read_results(&self, query: ResultQuery) -> Result<ResultPage, Error> {
        let _permit = self.list_read_permit()?;
        let page = self.list_read(move |store, _| store.batch_results(&query)).await?;
        page.ok_or_else(|| Error::no_batch(query.batch))
    }

    /// Closes an open batch: no more jobs can be added, and it ends with the last of its jobs, at once if none is
    /// left. A batch that is closed already stays as it is.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist.
    pub async fn close_batch(&self, id: BatchId) -> Result<Batch, Error> {
        let _permit = self.point_read_permit()?;
        self.write(self.within_access(Write::CloseBatch(id)), 0).await?;
        self.read_batch(id).await
    }

    /// Queues the jobs of a batch again that are in one of these final states, and returns the batch with their
    /// number. Jobs that must not run again, as by `at_most_once`, stay as they are.
    ///
    /// Each transaction queues at most [`MAX_BULK_ACTIONS`] jobs. If a call is interrupted, some jobs are queued;
    /// another call queues the rest.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist.
    pub async fn retry_batch(
        &self,
        id: BatchId,
        states: Vec<State>,
    ) -> Result<RetriedBatch, Error> {
        // First, so that a batch that does not exist is refused, and a full server before it changes anything.
        self.batch(id).await?;
        let mut retried = 0;
        for state in states {
            retried += self.retry_in_state(id, state).await?;
        }
        Ok(RetriedBatch { batch: self.batch(id).await?, retried })
    }

    async fn retry_in_state(&self, batch: BatchId, state: State) -> Result<usize, Error> {
        let limit = u32::try_from(MAX_BULK_ACTIONS).unwrap_or(u32::MAX);
        let candidates =
            JobFilter { batch: Some(batch), state: Some(state), limit, ..JobFilter::default() };
        let (mut retried, mut before) = (0, None);
        loop {
            let page = self.jobs(JobFilter { before, ..candidates.clone() }).await?;
            let jobs: Vec<JobId> = page.jobs.iter().map(|job| job.id).collect();
            retried += self.retry_those(batch, state, jobs).await?;
            before = page.next;
            if before.is_none() {
                return Ok(retried);
            }
        }
    }

    async fn retry_those(
        &self,
        batch: BatchId,
        state: State,
        jobs: Vec<JobId>,
    ) -> Result<usize, Error> {
        if jobs.is_empty() {
            return Ok(0);
        }
        let bytes = jobs.len() * size_of::<JobId>();
        let write = Write::RetryBatch { batch, jobs, states: vec![state] };
        match self.write(self.within_access(write), bytes).await? {
            Answer::Retried(retried) => Ok(retried),
            _ => Err(Error::Unknown),
        }
    }
}
