//! What time brings: jobs that are due are queued, jobs that expired are called off.

use diesel::prelude::*;

use super::group::{Applied, Group, PlaceRow, Stop};
use super::statement::statement;
use crate::job::{State, Timestamp};
use crate::store::sql_types::{Integer, Nullable};
use crate::store::{Answer, Moved};

statement! {
    /// `state IN (0, 3)` is the condition of the index `jobs_due`, to the letter.
    StageDue -> (Integer, Integer, Integer, Nullable<Integer>) =
    "UPDATE jobs SET state = 1
     WHERE state IN (0, 3) AND id IN (
         SELECT id FROM jobs
         WHERE state IN (0, 3) AND state = " [state: Integer as i64] " AND run_at <= " [now: Integer as i64]
    "    ORDER BY run_at LIMIT " [limit: Integer as i64]
    ") RETURNING id, queue_id, lane, batch_id"
}

statement! {
    NextDue -> Nullable<Integer> =
    "SELECT min(run_at) FROM jobs WHERE state IN (0, 3)"
}

statement! {
    /// The condition is that of the index `jobs_expiring`, to the letter.
    ExpireDue -> (Integer, Integer, Integer, Nullable<Integer>) =
    "UPDATE jobs
     SET state = 6, finished_at = " [finished_at: Integer as i64]
    ", error_code = 'expired', error_message = 'it had not started by its expires_at'
     WHERE state IN (0, 1) AND id IN (
         SELECT id FROM jobs
         WHERE expires_at IS NOT NULL AND started_at IS NULL AND state IN (0, 1)
             AND state = " [state: Integer as i64] " AND expires_at <= " [now: Integer as i64]
    "    ORDER BY expires_at LIMIT " [limit: Integer as i64]
    ") RETURNING id, queue_id, lane, batch_id"
}

statement! {
    NextExpiry -> Nullable<Integer> =
    "SELECT min(expires_at) FROM jobs
     WHERE expires_at IS NOT NULL AND started_at IS NULL AND state IN (0, 1)"
}

impl Group<'_> {
    pub(super) fn stage(&mut self, limit: u32) -> Applied {
        let mut count = 0;
        for state in [State::Retrying, State::Scheduled] {
            let now = self.now.millis();
            let limit = i64::from(limit) - count as i64;
            let update = StageDue { state: state.code(), now, limit };
            let rows: Vec<PlaceRow> = update.load(self.connection)?;
            count += rows.len();
            self.all_moved(rows, state, State::Queued)?;
        }
        let next_at: Option<i64> = NextDue {}.get_result(self.connection)?;
        let next_at = next_at.map(Timestamp::from_millis);
        Ok(Answer::Moved(Moved { count, next_at }))
    }

    pub(super) fn expire(&mut self, limit: u32) -> Applied {
        let count = self.expire_some(limit)?;
        let next_at: Option<i64> = NextExpiry {}.get_result(self.connection)?;
        let next_at = next_at.map(Timestamp::from_millis);
        Ok(Answer::Moved(Moved { count, next_at }))
    }

    pub(super) fn expire_some(&mut self, limit: u32) -> Result<usize, Stop> {
        let mut count = 0;
        for state in [State::Queued, State::Scheduled] {
            let now = self.now.millis();
            let limit = i64::from(limit) - count as i64;
            let update = ExpireDue { finished_at: now, state: state.code(), now, limit };
            let rows: Vec<PlaceRow> = update.load(self.connection)?;
            count += rows.len();
            self.all_moved(rows, state, State::Cancelled)?;
        }
        Ok(count)
    }

    fn all_moved(&mut self, rows: Vec<PlaceRow>, from: State, to: State) -> Result<(), Stop> {
        for row in rows {
            let place = self.place(row)?;
            self.moved(place, Some(from), Some(to));
        }
        Ok(())
    }
}
