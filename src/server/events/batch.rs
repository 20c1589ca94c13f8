//! Subscription to one batch.

use crate::actor::message::Subject;
use crate::job::BatchId;
use crate::job::batch::Batch;
use crate::server::error::Error;
use crate::server::events::Subscription;
use crate::server::handle::Handle;

/// How a batch stands, again and again, until its last job is final.
pub struct BatchEvents {
    handle: Handle,
    id: BatchId,
    subscription: Subscription,
    told: Option<Batch>,
    /// What was read and is not told yet.
    first: Option<Batch>,
}

impl Handle {
    /// How a batch stands from now on.
    ///
    /// # Errors
    /// [`Error::Refused`] where there is no such batch; [`Error::Overloaded`] where as many listen as
    /// may.
    pub async fn batch_events(&self, id: BatchId) -> Result<BatchEvents, Error> {
        let subscription = self.listen(Subject::Batch(id))?;
        let first = Some(self.read_batch(id).await?);
        Ok(BatchEvents { handle: self.clone(), id, subscription, told: None, first })
    }
}

impl BatchEvents {
    /// Whether its last job is final by now, as was read last.
    pub fn has_ended(&self) -> bool {
        let latest = self.first.as_ref().or(self.told.as_ref());
        latest.is_some_and(|batch| batch.finished_at.is_some())
    }

    /// How it stands next; none at the end. May be dropped in the middle without losing anything.
    pub async fn next(&mut self) -> Option<Batch> {
        loop {
            if let Some(batch) = self.first.take() {
                self.told = Some(batch.clone());
                return Some(batch);
            }
            if self.has_ended() {
                return None;
            }
            if !self.subscription.due(&self.handle).await {
                return None;
            }
            let batch = self.handle.read_batch(self.id).await.ok()?;
            self.subscription.mark_read();
            if self.told.as_ref() != Some(&batch) {
                self.first = Some(batch);
            }
        }
    }
}
