//! Removing final jobs: one by its id, or many that are old.

use diesel::prelude::*;

use super::group::{Applied, Group, PlaceRow, Stop};
use super::statement::statement;
use crate::job::{JobId, State, Timestamp};
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::{Answer, Refusal, state_of};

statement! {
    /// Results and failures go with their job.
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
    /// An idempotency key goes with the last of its jobs.
    DeleteEmptySubmission =
    "DELETE FROM submissions
     WHERE idempotency_key = (
         SELECT idempotency_key FROM submissions
         WHERE first_job_id <= " [job: Integer as i64] " ORDER BY first_job_id DESC LIMIT 1)
     AND NOT EXISTS (
         SELECT 1 FROM jobs
         WHERE id >= submissions.first_job_id AND id < submissions.first_job_id + submissions.jobs)"
}

type DeletedRow = (PlaceRow, i64, Option<String>);

impl Group<'_> {
    pub(super) fn delete(&mut self, job: JobId) -> Applied {
        let (_, state) = self.job_at(job)?;
        if !state.is_final() {
            let why = format!("job {job} is {state}; only a final job can be deleted");
            return Err(Refusal::Conflict { job, state, why }.into());
        }
        let removed = self.remove(job, i64::MAX)?;
        Ok(Answer::Removed(usize::from(removed)))
    }

    pub(super) fn prune(&mut self, jobs: &[JobId], finished_before: Timestamp) -> Applied {
        let mut removed = 0;
        for job in jobs {
            removed += usize::from(self.remove(*job, finished_before.millis())?);
        }
        Ok(Answer::Removed(removed))
    }

    fn remove(&mut self, job: JobId, finished_before: i64) -> Result<bool, Stop> {
        let delete = DeleteJob { job: job.0, finished_before };
        let row: Option<DeletedRow> = delete.get_result(self.connection).optional()?;
        let Some((row, state, tags)) = row else { return Ok(false) };
        for tag in tags_of(tags.as_deref()) {
            DeleteTag { tag: &tag, job: job.0 }.execute(self.connection)?;
        }
        DeleteEmptySubmission { job: job.0 }.execute(self.connection)?;
        let state: State = state_of(state)?;
        let place = self.place(row)?;
        self.moved(place, Some(state), None);
        Ok(true)
    }
}

/// The tags of their column.
pub(super) fn tags_of(text: Option<&str>) -> Vec<String> {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
