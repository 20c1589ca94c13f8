//! Moves at a given time: stage queues due jobs, expire cancels expired jobs.

use diesel::prelude::*;

use crate::job::{State, Timestamp};
use crate::store::rows::location::{LocatedRow, StagedRow};
use crate::store::sql_types::{Integer, Nullable};
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::write::apply::{ApplyError, ApplyResult};
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::{Answer, MoveSummary};

statement! {
    /// Queues due jobs. `state IN (...)` repeats the condition of the index `jobs_due` literally. With
    /// a bound state SQLite would prepare the statement again at every run.
    StageDue -> Columns<StagedRow> =
    "UPDATE jobs SET state = " {Queued} "
     WHERE state IN (" {Scheduled} ", " {Retrying} ") AND id IN (
         SELECT id FROM jobs
         WHERE state IN (" {Scheduled} ", " {Retrying} ") AND run_at <= " [now: Integer as i64]
    "    ORDER BY run_at LIMIT (" [limit: Integer as i64]
    " + 0)) RETURNING id, queue_id, lane, batch_id, lease_token"
}

statement! {
    NextDue -> Nullable<Integer> =
    "SELECT min(run_at) FROM jobs WHERE state IN (" {Scheduled} ", " {Retrying} ")"
}

statement! {
    /// Finds expired jobs. The condition repeats that of the index `jobs_expiring` literally, so that
    /// SQLite uses it: every lease runs this statement, mostly without finding a job.
    ExpiringJobs -> Columns<LocatedRow> =
    "SELECT id, queue_id, lane, batch_id, state FROM jobs
     WHERE expires_at IS NOT NULL AND started_at IS NULL AND state IN (" {Scheduled} ", " {Queued} ")
         AND expires_at <= " [now: Integer as i64]
    " ORDER BY expires_at LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    ExpireJob =
    "UPDATE jobs
     SET state = " {Cancelled} ", finished_at = " [now: Integer as i64]
    ", error_code = 'expired', error_message = 'the job had not started by its expires_at'
     WHERE id = " [job: Integer as i64]
}

statement! {
    NextExpiry -> Nullable<Integer> =
    "SELECT min(expires_at) FROM jobs
     WHERE expires_at IS NOT NULL AND started_at IS NULL AND state IN (" {Scheduled} ", " {Queued} ")"
}

impl CommitGroup<'_> {
    pub(crate) fn stage(&mut self, limit: u32) -> ApplyResult {
        let update = StageDue { now: self.now.millis(), limit: limit.into() };
        let rows: Vec<StagedRow> = update.load(self.connection)?;
        let count = rows.len();
        for row in rows {
            let location = self.location(row.location)?;
            self.record(location.change(Some(row.from()), Some(State::Queued)));
        }
        let next_at: Option<i64> = NextDue {}.get_result(self.connection)?;
        let next_at = next_at.map(Timestamp::from_millis);
        Ok(Answer::Moved(MoveSummary { count, next_at }))
    }

    pub(crate) fn expire(&mut self, limit: u32) -> ApplyResult {
        let count = self.expire_due(limit)?;
        let next_at: Option<i64> = NextExpiry {}.get_result(self.connection)?;
        let next_at = next_at.map(Timestamp::from_millis);
        Ok(Answer::Moved(MoveSummary { count, next_at }))
    }

    pub(crate) fn expire_due(&mut self, limit: u32) -> Result<usize, ApplyError> {
        let now = self.now.millis();
        let query = ExpiringJobs { now, limit: limit.into() };
        let rows: Vec<LocatedRow> = query.load(self.connection)?;
        let count = rows.len();
        for row in rows {
            ExpireJob { now, job: row.location.id }.execute(self.connection)?;
            let location = self.location(row.location)?;
            self.record(location.change(Some(row.state()?), Some(State::Cancelled)));
        }
        Ok(count)
    }
}
