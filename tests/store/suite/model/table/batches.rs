//! Writes of the model on one batch.

use longshore::job::{BatchId, JobId, State};
use longshore::store::Answer;

use super::{ApplyResult, Model};

impl Model {
    pub(super) fn retry_batch(
        &mut self,
        batch: BatchId,
        jobs: &[JobId],
        states: &[State],
    ) -> ApplyResult {
        self.batch_jobs(batch)?;
        let mut retried = 0;
        for id in jobs {
            let Some(row) = self.jobs.get(id) else { continue };
            let is_meant = row.job.batch == Some(batch) && states.contains(&row.job.state);
            retried += usize::from(is_meant && self.retry(*id).is_ok());
        }
        Ok(Answer::Retried(retried))
    }
}
