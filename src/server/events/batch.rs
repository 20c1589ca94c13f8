//! Subscription to one batch.

use crate::actor::message::Subject;
use crate::job::BatchId;
use crate::job::batch::Batch;
use crate::server::error::Error;
use crate::server::events::Subscription;
use crate::server::handle::Handle;

/// The stream of states of a batch, until its last job is final.
pub struct BatchEvents {
    handle: Handle,
    id: BatchId,
    subscription: Subscription,
    /// The state that was returned last.
    returned: Option<Batch>,
    /// A newer state that has been read and not returned yet.
    ready: Option<Batch>,
}

impl Handle {
    /// Subscribes to a batch. The first event is its current state.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the batch does not exist, and [`Error::Overloaded`] if there are too
    /// many subscribers already.
    pub async fn batch_events(&self, id: BatchId) -> Result<BatchEvents, Error> {
        let subscription = self.subscribe(Subject::Batch(id))?;
        let ready = Some(self.read_batch(id).await?);
        Ok(BatchEvents { handle: self.clone(), id, subscription, returned: None, ready })
    }
}

impl BatchEvents {
    /// Returns whether all jobs of the batch were final at the last read.
    pub fn has_ended(&self) -> bool {
        let latest = self.ready.as_ref().or(self.returned.as_ref());
        latest.is_some_and(|batch| batch.finished_at.is_some())
    }

    /// Returns the next state of the batch; `None` after its end, or if the server stops.
    ///
    /// The future may be dropped at any time without losing a state.
    pub async fn next(&mut self) -> Option<Batch> {
        loop {
            if let Some(batch) = self.ready.take() {
                self.returned = Some(batch.clone());
                return Some(batch);
            }
            if self.has_ended() {
                return None;
            }
            if !self.subscription.changed(&self.handle).await {
                return None;
            }
            let batch = self.handle.read_batch(self.id).await.ok()?;
            self.subscription.mark_read();
            if self.returned.as_ref() != Some(&batch) {
                self.ready = Some(batch);
            }
        }
    }
}
