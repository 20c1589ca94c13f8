//! Cancellations: a waiting job ends at once, a running job is marked so that its worker stops it.

use diesel::prelude::*;

use crate::job::{BatchId, JobId, State};
use crate::store::rows::location::{LocatedRow, LocationRow};
use crate::store::schema::jobs;
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};
use crate::store::{Answer, Refusal};

statement! {
    CancelWaiting =
    "UPDATE jobs
     SET state = " {Cancelled} ", finished_at = " [now: Integer as i64]
    ", error_code = 'cancelled', error_message = 'the job was cancelled while it waited'
     WHERE id = " [job: Integer as i64] " AND (state <= " {Queued} " OR state = " {Retrying} ")"
}

statement! {
    RequestCancel =
    "UPDATE jobs SET cancel_requested = 1 WHERE id = " [job: Integer as i64] " AND state = " {Running} ""
}

statement! {
    /// Cancels all jobs of a batch that wait in one state.
    CancelWaitingInBatch -> Columns<LocationRow> =
    "UPDATE jobs
     SET state = " {Cancelled} ", finished_at = " [now: Integer as i64]
    ", error_code = 'cancelled', error_message = 'the job was cancelled while it waited'
     WHERE batch_id = " [batch: Integer as i64] " AND state = " [state: Integer as i64]
    " RETURNING id, queue_id, lane, batch_id, provider_id, key_id"
}

statement! {
    RequestCancelInBatch -> Integer =
    "UPDATE jobs SET cancel_requested = 1
     WHERE batch_id = " [batch: Integer as i64] " AND state = " {Running} " RETURNING id"
}

impl CommitGroup<'_> {
    pub(crate) fn cancel(&mut self, job: JobId) -> ApplyResult {
        let row = self.find_job(job)?;
        let state = row.state()?;
        let mut running = Vec::new();
        match state {
            State::Scheduled | State::Queued | State::Retrying => {
                CancelWaiting { now: self.now.millis(), job: job.0 }.execute(self.connection)?;
                let location = self.location(row.location)?;
                self.record(location.change(Some(state), Some(State::Cancelled)));
            }
            State::Running => {
                RequestCancel { job: job.0 }.execute(self.connection)?;
                running.push(job);
            }
            // A repeated request changes nothing.
            State::Cancelled => {}
            State::Completed | State::Failed => {
                let reason = format!("job {job} is {state} and can no longer be cancelled");
                return Err(Refusal::Conflict { job, state, reason }.into());
            }
        }
        let ended = usize::from(running.is_empty() && !state.is_final());
        Ok(Answer::Cancelled { ended, running })
    }

    pub(crate) fn cancel_batch(&mut self, batch: BatchId) -> ApplyResult {
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
            let rows: Vec<LocationRow> = update.load(self.connection)?;
            ended += rows.len();
            for row in rows {
                let location = self.location(row)?;
                self.record(location.change(Some(state), Some(State::Cancelled)));
            }
        }
        let running: Vec<i64> = RequestCancelInBatch { batch: batch.0 }.load(self.connection)?;
        Ok(Answer::Cancelled { ended, running: running.into_iter().map(JobId).collect() })
    }

    /// Returns the location and the state of a job, or refuses if it does not exist for the caller.
    pub(crate) fn find_job(&mut self, job: JobId) -> Result<LocatedRow, ApplyError> {
        let row: Option<LocatedRow> = jobs::table
            .find(job.0)
            .select(LocatedRow::as_select())
            .get_result(self.connection)
            .optional()?;
        let row = row.ok_or(Refusal::NoJob(job))?;
        self.check_visible(job, row.location.queue_id)?;
        Ok(row)
    }

    /// Refuses a job in a queue that the caller may not use, as one that does not exist.
    pub(super) fn check_visible(&self, job: JobId, queue_id: i64) -> Result<(), ApplyError> {
        let name = self.queue_ids.name(queue_id);
        if self.visible.is_all() || name.is_some_and(|name| self.visible.allows(name)) {
            return Ok(());
        }
        Err(Refusal::NoJob(job).into())
    }
}
