//! Cancelling: at once where nothing runs, by asking the worker where something does.

use diesel::prelude::*;

use super::group::{Applied, Group, PlaceRow, Stop};
use super::statement::statement;
use crate::job::{BatchId, JobId, State};
use crate::store::schema::jobs;
use crate::store::sql_types::{Integer, Nullable};
use crate::store::{Answer, Refusal, state_of};

statement! {
    CancelWaiting =
    "UPDATE jobs
     SET state = 6, finished_at = " [now: Integer as i64]
    ", error_code = 'cancelled', error_message = 'cancelled while it waited'
     WHERE id = " [job: Integer as i64] " AND (state <= 1 OR state = 3)"
}

statement! {
    RequestCancel =
    "UPDATE jobs SET cancel_requested = 1 WHERE id = " [job: Integer as i64] " AND state = 2"
}

statement! {
    /// All jobs of a batch that wait in one state, at once.
    CancelWaitingInBatch -> (Integer, Integer, Integer, Nullable<Integer>) =
    "UPDATE jobs
     SET state = 6, finished_at = " [now: Integer as i64]
    ", error_code = 'cancelled', error_message = 'cancelled while it waited'
     WHERE batch_id = " [batch: Integer as i64] " AND state = " [state: Integer as i64]
    " RETURNING id, queue_id, lane, batch_id"
}

statement! {
    RequestCancelInBatch -> Integer =
    "UPDATE jobs SET cancel_requested = 1
     WHERE batch_id = " [batch: Integer as i64] " AND state = 2 RETURNING id"
}

impl Group<'_> {
    pub(super) fn cancel(&mut self, job: JobId) -> Applied {
        let (row, state) = self.job_at(job)?;
        let mut running = Vec::new();
        match state {
            State::Scheduled | State::Queued | State::Retrying => {
                CancelWaiting { now: self.now.millis(), job: job.0 }.execute(self.connection)?;
                let place = self.place(row)?;
                self.moved(place, Some(state), Some(State::Cancelled));
            }
            State::Running => {
                RequestCancel { job: job.0 }.execute(self.connection)?;
                running.push(job);
            }
            // Asked for before: the wish is fulfilled.
            State::Cancelled => {}
            State::Completed | State::Failed => {
                let why = format!("job {job} is {state} and can no longer be cancelled");
                return Err(Refusal::Conflict { job, state, why }.into());
            }
        }
        let ended = usize::from(running.is_empty() && !state.is_final());
        Ok(Answer::Cancelled { ended, running })
    }

    pub(super) fn cancel_batch(&mut self, batch: BatchId) -> Applied {
        if !self.batch_exists(batch)? {
            return Err(Refusal::NoBatch(batch).into());
        }
        let mut ended = 0;
        for state in [State::Scheduled, State::Queued, State::Retrying] {
            let update = CancelWaitingInBatch {
                now: self.now.millis(),
                batch: batch.0,
                state: state.code(),
            };
            let rows: Vec<PlaceRow> = update.load(self.connection)?;
            ended += rows.len();
            for row in rows {
                let place = self.place(row)?;
                self.moved(place, Some(state), Some(State::Cancelled));
            }
        }
        let running: Vec<i64> = RequestCancelInBatch { batch: batch.0 }.load(self.connection)?;
        Ok(Answer::Cancelled { ended, running: running.into_iter().map(JobId).collect() })
    }

    /// Where a job stands.
    pub(super) fn job_at(&mut self, job: JobId) -> Result<(PlaceRow, State), Stop> {
        let row: Option<(PlaceRow, i64)> = jobs::table
            .find(job.0)
            .select(((jobs::id, jobs::queue_id, jobs::lane, jobs::batch_id), jobs::state))
            .get_result(self.connection)
            .optional()?;
        let (row, state) = row.ok_or(Refusal::NoJob(job))?;
        Ok((row, state_of(state)?))
    }
}
