//! Listening to one batch.

use crate::actor::message::Subject;
use crate::job::BatchId;
use crate::job::batch::Batch;
use crate::server::error::Error;
use crate::server::events::Listening;
use crate::server::handle::Handle;

/// How a batch stands, again and again, until its last job is final.
pub struct BatchEvents {
    handle: Handle,
    id: BatchId,
    listening: Listening,
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
    pub async fn events_of_batch(&self, id: BatchId) -> Result<BatchEvents, Error> {
        let listening = self.listen(Subject::Batch(id))?;
        let first = Some(self.look_at_batch(id).await?);
        Ok(BatchEvents { handle: self.clone(), id, listening, told: None, first })
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
            if !self.listening.due(&self.handle).await {
                return None;
            }
            let batch = self.handle.look_at_batch(self.id).await.ok()?;
            self.listening.looked();
            if self.told.as_ref() != Some(&batch) {
                self.first = Some(batch);
            }
        }
    }
}
