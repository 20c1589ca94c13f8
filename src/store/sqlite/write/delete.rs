//! Removal of final jobs: one by id, or many old ones.

use diesel::prelude::*;

use crate::job::{JobId, State, Timestamp};
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::{
    ApplyError, ApplyResult, CommitGroup, LocationRow,
};
use crate::store::{Answer, Refusal, state_of};

statement! {
    /// Removes a final job. Foreign keys cascade to its result, failures, log and remote lease.
    DeleteJob -> ((Integer, Integer, Integer, Nullable<Integer>), Integer, Nullable<Text>) =
    "DELETE FROM jobs
     WHERE id = " [job: Integer as i64] " AND finished_at < " [finished_before: Integer as i64]
    " RETURNING id, queue_id, lane, batch_id, state, tags"
}

statement! {
    DeleteTag<'a> =
    "DELETE FROM job_tags WHERE tag = " [tag: Text as &'a str] " AND job_id = " [job: Integer as i64]
}

statement! {
    /// Removes the idempotency key of a job if no job of its submission is left.
    DeleteEmptySubmission =
    "DELETE FROM submissions
     WHERE idempotency_key = (
         SELECT idempotency_key FROM submissions
         WHERE first_job_id <= " [job: Integer as i64] " ORDER BY first_job_id DESC LIMIT 1)
     AND NOT EXISTS (
         SELECT 1 FROM jobs
         WHERE id >= submissions.first_job_id AND id < submissions.first_job_id + submissions.jobs)"
}

type DeletedRow = (LocationRow, i64, Option<String>);

impl CommitGroup<'_> {
    pub(crate) fn delete(&mut self, job: JobId) -> ApplyResult {
        let (_, state) = self.find_location(job)?;
        if !state.is_final() {
            let reason = format!("job {job} is {state}; only a final job can be deleted");
            return Err(Refusal::Conflict { job, state, reason }.into());
        }
        let removed = self.remove(job, i64::MAX)?;
        Ok(Answer::Removed(usize::from(removed)))
    }

    pub(crate) fn prune(&mut self, jobs: &[JobId], finished_before: Timestamp) -> ApplyResult {
        let mut removed = 0;
        for job in jobs {
            removed += usize::from(self.remove(*job, finished_before.millis())?);
        }
        Ok(Answer::Removed(removed))
    }

    fn remove(&mut self, job: JobId, finished_before: i64) -> Result<bool, ApplyError> {
        let delete = DeleteJob { job: job.0, finished_before };
        let row: Option<DeletedRow> = delete.get_result(self.connection).optional()?;
        let Some((row, state, tags)) = row else { return Ok(false) };
        for tag in tags_of(tags.as_deref()) {
            DeleteTag { tag: &tag, job: job.0 }.execute(self.connection)?;
        }
        DeleteEmptySubmission { job: job.0 }.execute(self.connection)?;
        let state: State = state_of(state)?;
        let location = self.location(row)?;
        self.record_move(location, Some(state), None);
        Ok(true)
    }
}

/// Returns the tags of a `tags` column.
pub(crate) fn tags_of(text: Option<&str>) -> Vec<String> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
