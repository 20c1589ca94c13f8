//! Repair of clock skew, for a wall clock that was set back while no server was running.
//!
//! For example, a server leased a job at 12:00 until 12:01, and the clock was then set back to 9:00.
//! Without a repair the lease would block the job for three hours; with it the lease ends at 9:01.

use diesel::prelude::*;

use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyError;

statement! {
    /// Moves leases of attempts that started in the future to start now, with the same duration.
    ShiftLeases =
    "UPDATE jobs INDEXED BY jobs_leased
     SET lease_expires_at = lease_expires_at - started_at + " [now: Integer as i64]
    ", started_at = " [start: Integer as i64]
    " WHERE state = " {Running} " AND lease_expires_at > " [by: Integer as i64]
    " AND started_at > " [at: Integer as i64]
}

statement! {
    /// Moves retry pauses that start in the future, at the latest failure of their job, to start now,
    /// with the same duration.
    ShiftRetries =
    "UPDATE jobs INDEXED BY jobs_due
     SET run_at = run_at + " [now: Integer as i64]
    "    - (SELECT ended_at FROM attempts
            WHERE job_id = jobs.id AND lease_token = jobs.lease_token)
     WHERE state IN (" {Scheduled} ", " {Retrying} ") AND run_at > " [by: Integer as i64]
    "    AND (SELECT ended_at FROM attempts
              WHERE job_id = jobs.id AND lease_token = jobs.lease_token) > " [at: Integer as i64]
}

impl CommitGroup<'_> {
    /// Moves leases and retry pauses that start in the future to start now. Scheduled jobs keep their
    /// `run_at`, because clients mean wall-clock time by it.
    pub(crate) fn repair_clock_skew(&mut self) -> Result<(), ApplyError> {
        let now = self.now.millis();
        self.on_row(None, |group| {
            Ok(ShiftLeases { now, start: now, by: now, at: now }.execute(group.connection)?)
        })?;
        self.on_row(None, |group| {
            Ok(ShiftRetries { now, by: now, at: now }.execute(group.connection)?)
        })?;
        self.repair_queue_starts()?;
        self.repair_providers()?;
        Ok(())
    }
}
