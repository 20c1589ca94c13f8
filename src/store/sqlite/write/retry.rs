//! Manual retries: queue a job that has ended or waits for its next attempt.

use diesel::prelude::*;

use crate::job::{JobId, State};
use crate::store::schema::{jobs, results};
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyResult;
use crate::store::{Answer, Refusal};

statement! {
    /// Queues a job again. Allows one more attempt if all are used up, and clears `expires_at`, so that a
    /// job that expired does not expire again.
    RequeueJob =
    "UPDATE jobs
     SET state = " {Queued} ", run_at = " [now: Integer as i64]
    ", finished_at = NULL, expires_at = NULL, max_attempts = max(max_attempts, attempt + 1)
     , error_code = NULL, error_message = NULL, progress_percent = NULL, progress_message = NULL
     WHERE id = " [job: Integer as i64] " AND state IN (" {Retrying} ", " {Completed} ", " {Failed} ", " {Cancelled} ")"
}

impl CommitGroup<'_> {
    pub(crate) fn retry(&mut self, job: JobId) -> ApplyResult {
        let row = self.find_job(job)?;
        let state = row.state()?;
        let conflict = |reason: String| Refusal::Conflict { job, state, reason };
        if matches!(state, State::Scheduled | State::Queued | State::Running) {
            return Err(conflict(format!("job {job} is {state} and has not ended yet")).into());
        }
        let (at_most_once, attempt): (i64, i64) = jobs::table
            .find(job.0)
            .select((jobs::at_most_once, jobs::attempt))
            .get_result(self.connection)?;
        if at_most_once != 0 && attempt > 0 {
            let reason = format!(
                "job {job} has at_most_once and has already run; submit a new job to run it again"
            );
            return Err(conflict(reason).into());
        }
        RequeueJob { now: self.now.millis(), job: job.0 }.execute(self.connection)?;
        diesel::delete(results::table.find(job.0)).execute(self.connection)?;
        let location = self.location(row.location)?;
        self.record(location.change(Some(state), Some(State::Queued)));
        Ok(Answer::Done)
    }
}
