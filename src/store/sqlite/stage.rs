//! What time brings: jobs that are due are queued, jobs that expired are called off.

use diesel::prelude::*;

use super::group::{Applied, Group, PlaceRow, Stop};
use super::statement::statement;
use crate::job::{State, Timestamp};
use crate::store::sql_types::{Integer, Nullable};
use crate::store::{Answer, MoveSummary, state_of};

statement! {
    /// `state IN (0, 3)` is the condition of the index `jobs_due`, to the letter. A state that is
    /// bound would have SQLite look at it, and prepare the statement anew, at every run.
    StageDue -> ((Integer, Integer, Integer, Nullable<Integer>), Integer) =
    "UPDATE jobs SET state = 1
     WHERE state IN (0, 3) AND id IN (
         SELECT id FROM jobs
         WHERE state IN (0, 3) AND run_at <= " [now: Integer as i64]
    "    ORDER BY run_at LIMIT (" [limit: Integer as i64]
    " + 0)) RETURNING id, queue_id, lane, batch_id, lease_token"
}

statement! {
    NextDue -> Nullable<Integer> =
    "SELECT min(run_at) FROM jobs WHERE state IN (0, 3)"
}

statement! {
    /// The condition is that of the index `jobs_expiring`, to the letter. Every lease looks here,
    /// and mostly finds nothing.
    ExpiringJobs -> ((Integer, Integer, Integer, Nullable<Integer>), Integer) =
    "SELECT id, queue_id, lane, batch_id, state FROM jobs
     WHERE expires_at IS NOT NULL AND started_at IS NULL AND state IN (0, 1)
         AND expires_at <= " [now: Integer as i64]
    " ORDER BY expires_at LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    ExpireJob =
    "UPDATE jobs
     SET state = 6, finished_at = " [now: Integer as i64]
    ", error_code = 'expired', error_message = 'it had not started by its expires_at'
     WHERE id = " [job: Integer as i64]
}

statement! {
    NextExpiry -> Nullable<Integer> =
    "SELECT min(expires_at) FROM jobs
     WHERE expires_at IS NOT NULL AND started_at IS NULL AND state IN (0, 1)"
}

impl Group<'_> {
    pub(super) fn stage(&mut self, limit: u32) -> Applied {
        let update = StageDue { now: self.now.millis(), limit: limit.into() };
        let rows: Vec<(PlaceRow, i64)> = update.load(self.connection)?;
        let count = rows.len();
        for (row, token) in rows {
            // Only a lease raises the token, and what has been leased waits for another attempt.
            let from = if token == 0 { State::Scheduled } else { State::Retrying };
            let place = self.place(row)?;
            self.moved(place, Some(from), Some(State::Queued));
        }
        let next_at: Option<i64> = NextDue {}.get_result(self.connection)?;
        let next_at = next_at.map(Timestamp::from_millis);
        Ok(Answer::Moved(MoveSummary { count, next_at }))
    }

    pub(super) fn expire(&mut self, limit: u32) -> Applied {
        let count = self.expire_some(limit)?;
        let next_at: Option<i64> = NextExpiry {}.get_result(self.connection)?;
        let next_at = next_at.map(Timestamp::from_millis);
        Ok(Answer::Moved(MoveSummary { count, next_at }))
    }

    pub(super) fn expire_some(&mut self, limit: u32) -> Result<usize, Stop> {
        let now = self.now.millis();
        let query = ExpiringJobs { now, limit: limit.into() };
        let rows: Vec<(PlaceRow, i64)> = query.load(self.connection)?;
        let count = rows.len();
        for (row, state) in rows {
            ExpireJob { now, job: row.0 }.execute(self.connection)?;
            let place = self.place(row)?;
            self.moved(place, Some(state_of(state)?), Some(State::Cancelled));
        }
        Ok(count)
    }
}
