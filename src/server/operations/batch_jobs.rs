//! Calls that change many jobs of one batch: its cancellation, and another try of its failed jobs.
//!
//! Other writes wait for a transaction. So those of a large batch are changed in pieces, each in one of its own.

use std::time::{Duration, Instant};

use crate::job::batch::{Batch, RetriedBatch};
use crate::job::{BatchId, JobId, State};
use crate::server::bulk::{JobAction, MAX_BULK_ACTIONS};
use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::store::{Answer, BatchJobs, BatchJobsQuery, Write};

/// Maximum number of jobs of a batch that are changed in one transaction.
const MAX_TOGETHER: usize = 10_000;

/// Time after which a retry of a batch stops between two transactions.
const RETRY_SPAN: Duration = Duration::from_secs(20);

impl Handle {
    /// Cancels every job of a batch that is not final. If the batch has more than 10,000 jobs, each transaction
    /// cancels at most [`MAX_BULK_ACTIONS`].
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist.
    pub async fn cancel_batch(&self, id: BatchId) -> Result<Batch, Error> {
        let total = usize::try_from(self.batch(id).await?.total).unwrap_or(0);
        if total <= MAX_TOGETHER {
            self.write(self.within_access(Write::CancelBatch(id)), 0).await?;
            return self.batch(id).await;
        }
        let states = vec![State::Scheduled, State::Queued, State::Running, State::Retrying];
        let mut after = JobId(0);
        // Bounded, because more jobs may be added to an open batch all the time.
        for _ in 0..=total / MAX_TOGETHER + 1 {
            let part = self.batch_jobs(id, &states, after).await?;
            for jobs in part.jobs.chunks(MAX_BULK_ACTIONS) {
                // A job that has ended since is refused by itself.
                self.apply_to_all(JobAction::Cancel, jobs.to_vec()).await?;
            }
            let Some(next) = part.next else { break };
            after = next;
        }
        self.batch(id).await
    }

    /// Queues the jobs of a batch again that are in one of these final states and have an id above `after`,
    /// smallest id first, and returns the batch with their number. Jobs that must not run again, as by
    /// `at_most_once`, stay as they are.
    ///
    /// Up to 10,000 jobs are queued in one transaction. If there are more, each transaction queues at most
    /// [`MAX_BULK_ACTIONS`], and the call stops after 20 seconds with [`RetriedBatch::next_after`].
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist.
    pub async fn retry_batch(
        &self,
        id: BatchId,
        states: Vec<State>,
        after: JobId,
    ) -> Result<RetriedBatch, Error> {
        let counts = self.batch(id).await?.counts;
        let count: i64 = states.iter().map(|state| counts.get(*state)).sum();
        let (retried, next_after) = if count <= MAX_TOGETHER as i64 {
            (self.retry_together(id, &states, after).await?, None)
        } else {
            self.retry_in_pieces(id, &states, after, Instant::now() + RETRY_SPAN).await?
        };
        Ok(RetriedBatch { batch: self.batch(id).await?, retried, next_after })
    }

    /// Queues all jobs at once, so that the batch cannot end with some of them before the others are queued.
    async fn retry_together(
        &self,
        batch: BatchId,
        states: &[State],
        mut after: JobId,
    ) -> Result<usize, Error> {
        let mut jobs = Vec::new();
        loop {
            let part = self.batch_jobs(batch, states, after).await?;
            jobs.extend(part.jobs);
            // More have ended since they were counted.
            jobs.truncate(MAX_TOGETHER);
            match part.next {
                Some(next) if jobs.len() < MAX_TOGETHER => after = next,
                _ => return self.retry_those(batch, states, jobs).await,
            }
        }
    }

    /// Returns the number of jobs that were queued until `end`, and the last one that was looked at if there may be
    /// more.
    async fn retry_in_pieces(
        &self,
        batch: BatchId,
        states: &[State],
        mut after: JobId,
        end: Instant,
    ) -> Result<(usize, Option<JobId>), Error> {
        let mut retried = 0;
        loop {
            let part = self.batch_jobs(batch, states, after).await?;
            for jobs in part.jobs.chunks(MAX_BULK_ACTIONS) {
                retried += self.retry_those(batch, states, jobs.to_vec()).await?;
                if Instant::now() >= end {
                    return Ok((retried, jobs.last().copied()));
                }
            }
            match part.next {
                Some(next) if Instant::now() < end => after = next,
                next => return Ok((retried, next)),
            }
        }
    }

    async fn retry_those(
        &self,
        batch: BatchId,
        states: &[State],
        jobs: Vec<JobId>,
    ) -> Result<usize, Error> {
        if jobs.is_empty() {
            return Ok(0);
        }
        self.note_jobs(&jobs);
        let bytes = jobs.len() * size_of::<JobId>();
        let write = Write::RetryBatch { batch, jobs, states: states.to_vec() };
        match self.write(self.within_access(write), bytes).await? {
            Answer::Retried(retried) => Ok(retried),
            _ => Err(Error::Unknown),
        }
    }

    /// Returns the next jobs of a batch in these states, smallest id first.
    async fn batch_jobs(
        &self,
        batch: BatchId,
        states: &[State],
        after: JobId,
    ) -> Result<BatchJobs, Error> {
        let _permit = self.list_read_permit()?;
        let query = BatchJobsQuery { batch, states: states.to_vec(), after };
        self.list_read(move |store, _| store.batch_jobs(&query)).await
    }
}
