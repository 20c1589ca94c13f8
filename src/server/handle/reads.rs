//! Reads of single jobs and batches.

use super::Handle;
use crate::job::batch::Batch;
use crate::job::limit::waiting::Waiting;
use crate::job::{BatchId, Job, JobId, State};
use crate::server::error::Error;

impl Handle {
    /// Reads one job. The caller must hold a permit.
    pub(in crate::server) async fn read_job(&self, id: JobId) -> Result<Job, Error> {
        Ok(self.read_job_and_pause(id).await?.0)
    }

    /// Reads one job, and whether its queue is paused. The caller must hold a permit.
    async fn read_job_and_pause(&self, id: JobId) -> Result<(Job, bool), Error> {
        let untaken = &self.inner.bounds.untaken;
        let bytes = untaken.bytes.clone();
        let read = self.point_read(move |store, _| {
            if bytes.is_exceeded() {
                return Ok(None);
            }
            let found = store.job_and_pause(id)?;
            let is_paused = found.as_ref().is_some_and(|(_, is_paused)| *is_paused);
            Ok(Some((bytes.count(found.map(|(job, _)| job)), is_paused)))
        });
        let found = match read.await? {
            Some((job, is_paused)) => job.take().map(|job| (job, is_paused)),
            None => {
                let _turn = untaken.turns.acquire().await;
                self.point_read(move |store, _| store.job_and_pause(id)).await?
            }
        };
        let (job, is_paused) = found.ok_or_else(|| Error::no_job(id))?;
        Ok((self.shown(job), is_paused))
    }

    /// Reads one job, with what it waits for. The caller must hold a permit.
    pub(in crate::server) async fn read_job_with_waiting(&self, id: JobId) -> Result<Job, Error> {
        let (mut job, is_queue_paused) = self.read_job_and_pause(id).await?;
        if job.state == State::Queued && is_queue_paused {
            job.set_waiting(Waiting::for_queue(&job.queue));
        } else {
            self.add_waiting(&mut job).await?;
        }
        Ok(job)
    }

    /// Reads one batch. The caller must hold a permit.
    pub(in crate::server) async fn read_batch(&self, id: BatchId) -> Result<Batch, Error> {
        let batch = self.point_read(move |store, _| store.batch(id)).await?;
        Ok(self.shown(batch.ok_or_else(|| Error::no_batch(id))?))
    }
}
