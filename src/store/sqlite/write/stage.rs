//! Moves at a given time: stage queues due jobs, expire cancels expired jobs.

use diesel::prelude::*;

use crate::job::{JobId, State, Timestamp};
use crate::store::rows::location::{LocatedRow, StagedRow};
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};
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
    " + 0)) RETURNING id, queue_id, lane, batch_id, provider_id, key_id, error_code"
}

statement! {
    /// Finds due jobs, to queue each by itself.
    DueJobs -> Columns<StagedRow> =
    "SELECT id, queue_id, lane, batch_id, provider_id, key_id, error_code FROM jobs
     WHERE state IN (" {Scheduled} ", " {Retrying} ") AND run_at <= " [now: Integer as i64]
    " ORDER BY run_at LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    StageJob = "UPDATE jobs SET state = " {Queued} " WHERE id = " [job: Integer as i64]
}

statement! {
    NextDue -> Nullable<Integer> =
    "SELECT min(run_at) FROM jobs WHERE state IN (" {Scheduled} ", " {Retrying} ")"
}

statement! {
    NextDueExcept<'a> -> Nullable<Integer> =
    "SELECT min(run_at) FROM jobs
     WHERE state IN (" {Scheduled} ", " {Retrying} ")
         AND id NOT IN (SELECT value FROM json_each(" [jobs: Text as &'a str] "))"
}

statement! {
    /// Finds expired jobs. The condition repeats that of the index `jobs_expiring` literally, so that
    /// SQLite uses it: every lease runs this statement, mostly without finding a job.
    ExpiringJobs -> Columns<LocatedRow> =
    "SELECT id, queue_id, lane, batch_id, provider_id, key_id, state FROM jobs
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

statement! {
    NextExpiryExcept<'a> -> Nullable<Integer> =
    "SELECT min(expires_at) FROM jobs
     WHERE expires_at IS NOT NULL AND started_at IS NULL AND state IN (" {Scheduled} ", " {Queued} ")
         AND id NOT IN (SELECT value FROM json_each(" [jobs: Text as &'a str] "))"
}

impl CommitGroup<'_> {
    pub(crate) fn stage(&mut self, limit: u32) -> ApplyResult {
        let is_each_alone = self.is_each_row_alone();
        let count = if is_each_alone { self.stage_each(limit)? } else { self.stage_due(limit)? };
        let next_at: Option<i64> = if self.impossible.has_no_jobs() {
            NextDue {}.get_result(self.connection)?
        } else {
            let jobs = &self.impossible.job_ids_json();
            NextDueExcept { jobs }.get_result(self.connection)?
        };
        let next_at = next_at.map(Timestamp::from_millis);
        Ok(Answer::Moved(MoveSummary { count, next_at }))
    }

    fn stage_due(&mut self, limit: u32) -> Result<usize, ApplyError> {
        let update = StageDue { now: self.now.millis(), limit: limit.into() };
        let rows: Vec<StagedRow> = update.load(self.connection)?;
        let count = rows.len();
        for row in &rows {
            self.record_staged(row)?;
        }
        Ok(count)
    }

    /// Stages each job by itself, except those known to be impossible.
    fn stage_each(&mut self, limit: u32) -> Result<usize, ApplyError> {
        let limit = limit.into();
        let find = DueJobs { now: self.now.millis(), limit: self.impossible.limit(limit) };
        let mut rows: Vec<StagedRow> = find.load(self.connection)?;
        self.skip_impossible(&mut rows, limit, |row| row.location.id);
        let mut count = 0;
        for row in rows {
            let job = row.location.id;
            let staged = self.on_row(Some(JobId(job)), |group| {
                StageJob { job }.execute(group.connection)?;
                group.record_staged(&row)
            })?;
            count += usize::from(staged.is_some());
        }
        Ok(count)
    }

    fn record_staged(&mut self, row: &StagedRow) -> Result<(), ApplyError> {
        let location = self.location(row.location)?;
        self.record(location.change(Some(row.from()), Some(State::Queued)));
        Ok(())
    }

    pub(crate) fn expire(&mut self, limit: u32) -> ApplyResult {
        let count = self.expire_due(limit)?;
        let next_at: Option<i64> = if self.impossible.has_no_jobs() {
            NextExpiry {}.get_result(self.connection)?
        } else {
            let jobs = &self.impossible.job_ids_json();
            NextExpiryExcept { jobs }.get_result(self.connection)?
        };
        let next_at = next_at.map(Timestamp::from_millis);
        Ok(Answer::Moved(MoveSummary { count, next_at }))
    }

    pub(crate) fn expire_due(&mut self, limit: u32) -> Result<usize, ApplyError> {
        let now = self.now.millis();
        let limit = limit.into();
        let query = ExpiringJobs { now, limit: self.impossible.limit(limit) };
        let mut rows: Vec<LocatedRow> = query.load(self.connection)?;
        self.skip_impossible(&mut rows, limit, |row| row.location.id);
        let mut count = 0;
        for row in rows {
            let job = row.location.id;
            let expired = self.on_row(Some(JobId(job)), |group| {
                ExpireJob { now, job }.execute(group.connection)?;
                let location = group.location(row.location)?;
                group.record(location.change(Some(row.state()?), Some(State::Cancelled)));
                Ok(())
            })?;
            count += usize::from(expired.is_some());
        }
        Ok(count)
    }
}
