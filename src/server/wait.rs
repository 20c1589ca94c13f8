//! Waiting for the end of a job or a batch.

use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::actor::message::{Subject, WaitForEnd};
use crate::actor::publisher::CountGuard;
use crate::actor::send;
use crate::job::batch::Batch;
use crate::job::{BatchId, Job, JobId};
use crate::server::error::Error;
use crate::server::handle::{Handle, MAX_WAIT};

impl Handle {
    /// Waits until a job is final, at most `span` (and [`MAX_WAIT`]); gives it as it then stands.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such job; [`Error::Overloaded`] where as many wait as may.
    pub async fn wait(&self, id: JobId, span: Duration) -> Result<Job, Error> {
        let ended = self.watch(Subject::Job(id))?;
        // A place among those who wait is a permit to look as well: all may end at once.
        let job = self.read_job(id).await?;
        if job.state.is_final() {
            return Ok(job);
        }
        let _waiting = self.until(ended, span).await;
        self.read_job(id).await
    }

    /// Waits until all jobs of a batch are final, at most `span` (and [`MAX_WAIT`]).
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such batch; [`Error::Overloaded`] where as many wait as
    /// may.
    pub async fn wait_batch(&self, id: BatchId, span: Duration) -> Result<Batch, Error> {
        let ended = self.watch(Subject::Batch(id))?;
        let batch = self.read_batch(id).await?;
        if batch.finished_at.is_some() {
            return Ok(batch);
        }
        let _waiting = self.until(ended, span).await;
        self.read_batch(id).await
    }

    /// A place among those who wait. Taken before the table is read, so that no end falls between.
    fn watch(&self, subject: Subject) -> Result<Waiting, Error> {
        let connections = self.connections();
        let permit = self.wait_permit()?;
        let count = CountGuard::take(&connections.publisher.subscriber_counts.waiters);
        let (reply, ended) = oneshot::channel();
        let waiting = Waiting { ended, _count: count, _permit: permit };
        if send(&connections.announcer, WaitForEnd { subject, reply }) {
            Ok(waiting)
        } else {
            Err(Error::Stopped)
        }
    }

    async fn until(&self, mut waiting: Waiting, span: Duration) -> Waiting {
        tokio::select! {
            _ = &mut waiting.ended => {}
            () = tokio::time::sleep(span.min(MAX_WAIT)) => {}
            () = self.stopped() => {}
        }
        waiting
    }
}

/// A place among those who wait, given up when dropped.
struct Waiting {
    ended: oneshot::Receiver<()>,
    _count: CountGuard,
    _permit: OwnedSemaphorePermit,
}
