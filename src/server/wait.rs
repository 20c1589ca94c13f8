//! Waits for the end of a job or a batch.

use std::time::Duration;

use tokio::sync::oneshot;

use crate::actor::events::publisher::CountGuard;
use crate::actor::message::{Subject, WaitForEnd};
use crate::actor::send;
use crate::job::batch::Batch;
use crate::job::{BatchId, Job, JobId};
use crate::server::error::Error;
use crate::server::handle::bounds::HeldPermit;
use crate::server::handle::{Handle, MAX_WAIT};

impl Handle {
    /// Waits until a job is final, for at most `span` and at most [`MAX_WAIT`], and returns the job.
    ///
    /// The job is not final if the time passed or the server stopped first.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the job does not exist, and [`Error::Overloaded`] if too many
    /// clients wait already.
    pub async fn wait(&self, id: JobId, span: Duration) -> Result<Job, Error> {
        let waiter = self.add_waiter(Subject::Job(id))?;
        // No read permit is needed: the permit of the waiter covers its reads. Otherwise waiters would
        // be refused when many jobs end at the same time.
        let job = self.read_job(id).await?;
        if job.state.is_final() {
            return Ok(job);
        }
        let _waiter = self.wait_until_ended(waiter, span).await;
        self.read_job_with_waiting(id).await
    }

    /// Waits until all jobs of a batch are final, for at most `span` and at most [`MAX_WAIT`], and
    /// returns the batch.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist, and [`Error::Overloaded`] if too many
    /// clients wait already.
    pub async fn wait_batch(&self, id: BatchId, span: Duration) -> Result<Batch, Error> {
        let waiter = self.add_waiter(Subject::Batch(id))?;
        let batch = self.read_batch(id).await?;
        if batch.finished_at.is_some() {
            return Ok(batch);
        }
        let _waiter = self.wait_until_ended(waiter, span).await;
        self.read_batch(id).await
    }

    /// Registers a waiting client. This must happen before the table is read, so that an end between
    /// the two is not missed.
    fn add_waiter(&self, subject: Subject) -> Result<Waiter, Error> {
        let connections = self.connections();
        let permit = self.wait_permit()?;
        let count = CountGuard::new(&connections.publisher.client_counts.waiters);
        let (reply, ended) = oneshot::channel();
        let waiter = Waiter { ended, _count: count, _permit: permit };
        if send(&connections.announcer, WaitForEnd { subject, reply }) {
            Ok(waiter)
        } else {
            Err(Error::Stopped)
        }
    }

    /// Waits until the end is announced, the time has passed or the server stops. Returns the waiter, so
    /// that its permit is held during the read that follows.
    async fn wait_until_ended(&self, mut waiter: Waiter, span: Duration) -> Waiter {
        tokio::select! {
            _ = &mut waiter.ended => {}
            () = tokio::time::sleep(span.min(MAX_WAIT)) => {}
            () = self.stopped() => {}
        }
        waiter
    }
}

/// A registered waiting client; dropping it frees its permit.
struct Waiter {
    ended: oneshot::Receiver<()>,
    _count: CountGuard,
    _permit: HeldPermit,
}
