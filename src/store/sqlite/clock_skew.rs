//! Turning times back: the wall clock was set back while no server ran.

use diesel::prelude::*;

use super::group::{Group, Stop};
use super::statement::statement;
use crate::store::sql_types::Integer;

statement! {
    /// An attempt that begins in the future began by a clock that was ahead. Its lease lasts as long
    /// from now as it lasted from then.
    TurnLeasesBack =
    "UPDATE jobs INDEXED BY jobs_leased
     SET lease_expires_at = lease_expires_at - started_at + " [now: Integer as i64]
    ", started_at = " [start: Integer as i64]
    " WHERE state = 2 AND lease_expires_at > " [by: Integer as i64]
    " AND started_at > " [at: Integer as i64]
}

statement! {
    /// The same of a pause between two attempts, which began when the last of them failed.
    TurnRetriesBack =
    "UPDATE jobs INDEXED BY jobs_due
     SET run_at = run_at + " [now: Integer as i64]
    "    - (SELECT failed_at FROM failures
            WHERE job_id = jobs.id AND lease_token = jobs.lease_token)
     WHERE state IN (0, 3) AND run_at > " [by: Integer as i64]
    "    AND (SELECT failed_at FROM failures
              WHERE job_id = jobs.id AND lease_token = jobs.lease_token) > " [at: Integer as i64]
}

impl Group<'_> {
    /// Leases and pauses that the last process gave by a clock that was ahead would hold jobs up
    /// until the clock is there again. What is scheduled stays: its time is meant by the wall.
    pub(super) fn repair_clock_skew(&mut self) -> Result<(), Stop> {
        let now = self.now.millis();
        TurnLeasesBack { now, start: now, by: now, at: now }.execute(self.connection)?;
        TurnRetriesBack { now, by: now, at: now }.execute(self.connection)?;
        Ok(())
    }
}
