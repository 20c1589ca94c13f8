//! Updates: change the time, priority, expiry or queue of a job that waits.

use diesel::prelude::*;

use crate::job::submission::{JobChange, Start};
use crate::job::{JobId, State, Timestamp};
use crate::store::rows::location::WaitingRow;
use crate::store::schema::jobs;
use crate::store::sql_types::{Integer, Nullable};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};
use crate::store::{Answer, Change, Refusal};

statement! {
    UpdateJob =
    "UPDATE jobs
     SET state = " [state: Integer as i64] ", queue_id = " [queue_id: Integer as i64]
    ", run_at = " [run_at: Integer as i64] ", priority = " [priority: Integer as i64]
    ", expires_at = " [expires_at: Nullable<Integer> as Option<i64>]
    " WHERE id = " [job: Integer as i64]
}

impl CommitGroup<'_> {
    pub(crate) fn update(&mut self, job: JobId, change: &JobChange) -> ApplyResult {
        let row = self.find_waiting(job)?;
        let from = row.located.state()?;
        let before = self.location(row.located.location)?;
        let (state, run_at) = match change.start {
            Some(Start::At(at)) => (row.state_before_due(), at),
            Some(Start::Now) => (State::Queued, self.now),
            None => (from, Timestamp::from_millis(row.run_at)),
        };
        let queue = change.queue.clone().unwrap_or_else(|| before.queue.clone());
        let queue_id = self.queue_id(&queue)?;
        UpdateJob {
            state: state.code(),
            queue_id,
            run_at: run_at.millis(),
            priority: change.priority.map_or(row.priority, Into::into),
            expires_at: match change.expires_at {
                Some(expires_at) => expires_at.map(|at| at.millis()),
                None => row.expires_at,
            },
            job: job.0,
        }
        .execute(self.connection)?;
        if let Some(batch) = before.batch {
            self.add_batch_queue(batch, queue_id)?;
        }
        let from_queue = (queue != before.queue).then(|| before.queue.clone());
        let due_at = matches!(state, State::Scheduled | State::Retrying).then_some(run_at);
        let moved = before.change(Some(from), Some(state));
        self.record(Change { queue, from_queue, due_at, ..moved });
        Ok(Answer::Done)
    }

    /// Returns a job that waits, or refuses if it does not exist or does not wait.
    fn find_waiting(&mut self, job: JobId) -> Result<WaitingRow, ApplyError> {
        let row: Option<WaitingRow> = jobs::table
            .find(job.0)
            .select(WaitingRow::as_select())
            .get_result(self.connection)
            .optional()?;
        let row = row.ok_or(Refusal::NoJob(job))?;
        self.check_visible(job, row.located.location.queue_id)?;
        let state = row.located.state()?;
        if state == State::Running || state.is_final() {
            let reason = format!("job {job} is {state}; only a job that waits can be changed");
            return Err(Refusal::Conflict { job, state, reason }.into());
        }
        Ok(row)
    }
}
