//! Retrying: a job that ended, or waits for its next attempt, is queued at once.

use diesel::prelude::*;

use super::group::{Applied, Group};
use super::statement::statement;
use crate::job::{JobId, State};
use crate::store::schema::{jobs, results};
use crate::store::sql_types::Integer;
use crate::store::{Answer, Refusal};

statement! {
    /// One attempt more where all are used up. What expired does not expire again.
    RequeueJob =
    "UPDATE jobs
     SET state = 1, run_at = " [now: Integer as i64]
    ", finished_at = NULL, expires_at = NULL, max_attempts = max(max_attempts, attempt + 1)
     , error_code = NULL, error_message = NULL, progress_percent = NULL, progress_message = NULL
     WHERE id = " [job: Integer as i64] " AND state IN (3, 4, 5, 6)"
}

impl Group<'_> {
    pub(super) fn retry(&mut self, job: JobId) -> Applied {
        let (row, state) = self.job_at(job)?;
        let conflict = |why: String| Refusal::Conflict { job, state, why };
        if matches!(state, State::Scheduled | State::Queued | State::Running) {
            return Err(conflict(format!("job {job} is {state} and has not ended yet")).into());
        }
        let (at_most_once, attempt): (i64, i64) = jobs::table
            .find(job.0)
            .select((jobs::at_most_once, jobs::attempt))
            .get_result(self.connection)?;
        if at_most_once != 0 && attempt > 0 {
            let why = format!(
                "job {job} has at_most_once and has run; submit a new one if it may run again"
            );
            return Err(conflict(why).into());
        }
        RequeueJob { now: self.now.millis(), job: job.0 }.execute(self.connection)?;
        diesel::delete(results::table.find(job.0)).execute(self.connection)?;
        let place = self.place(row)?;
        self.moved(place, Some(state), Some(State::Queued));
        Ok(Answer::Done)
    }
}
