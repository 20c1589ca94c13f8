//! Removal of final jobs: one by id, or many old ones.

use diesel::prelude::*;

use crate::job::{JobId, Timestamp};
use crate::store::rows::location::RemovedRow;
use crate::store::rows::values::tags_of;
use crate::store::sql_types::{Integer, Text};
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};
use crate::store::{Answer, Refusal};

statement! {
    /// Removes a final job. Foreign keys cascade to its result, attempts, log and remote lease.
    DeleteJob -> Columns<RemovedRow> =
    "DELETE FROM jobs
     WHERE id = " [job: Integer as i64] " AND finished_at < " [finished_before: Integer as i64]
    " RETURNING id, queue_id, lane, batch_id, provider_id, key_id, state, tags"
}

statement! {
    DeleteTag<'a> =
    "DELETE FROM job_tags WHERE tag = " [tag: Text as &'a str] " AND job_id = " [job: Integer as i64]
}

statement! {
    /// Removes the idempotency key of a job if no job of its submission is left.
    DeleteEmptySubmission =
    "DELETE FROM submissions
     WHERE (key_id, idempotency_key) = (
         SELECT key_id, idempotency_key FROM submissions
         WHERE first_job_id > 0 AND first_job_id <= " [job: Integer as i64] " ORDER BY first_job_id DESC LIMIT 1)
     AND NOT EXISTS (
         SELECT 1 FROM jobs
         WHERE id >= submissions.first_job_id AND id < submissions.first_job_id + submissions.jobs)"
}

impl CommitGroup<'_> {
    pub(crate) fn delete(&mut self, job: JobId) -> ApplyResult {
        let state = self.find_job(job)?.state()?;
        if !state.is_final() {
            let reason = format!("job {job} is {state}; only a final job can be deleted");
            return Err(Refusal::Conflict { job, state, reason }.into());
        }
        self.run_end_actions_before_change(job)?;
        let removed = self.remove(job, i64::MAX)?;
        Ok(Answer::Removed(usize::from(removed)))
    }

    pub(crate) fn prune(&mut self, jobs: &[JobId], finished_before: Timestamp) -> ApplyResult {
        let mut removed = 0;
        for job in jobs.iter().copied() {
            if self.impossible.contains(job) {
                continue;
            }
            let is_removed =
                self.on_row(Some(job), |group| group.remove(job, finished_before.millis()))?;
            removed += usize::from(is_removed == Some(true));
        }
        Ok(Answer::Removed(removed))
    }

    fn remove(&mut self, job: JobId, finished_before: i64) -> Result<bool, ApplyError> {
        let delete = DeleteJob { job: job.0, finished_before };
        let row: Option<RemovedRow> = delete.get_result(self.connection).optional()?;
        let Some(row) = row else { return Ok(false) };
        for tag in tags_of(row.tags.as_deref()) {
            DeleteTag { tag: &tag, job: job.0 }.execute(self.connection)?;
        }
        DeleteEmptySubmission { job: job.0 }.execute(self.connection)?;
        let location = self.location(row.located.location)?;
        self.record(location.change(Some(row.located.state()?), None));
        Ok(true)
    }
}
