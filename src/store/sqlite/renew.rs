//! Renewing leases, and noting how far attempts are.

use diesel::prelude::*;

use super::group::{Applied, Group};
use super::statement::statement;
use crate::job::lease::Lease;
use crate::job::{JobId, Progress, Timestamp};
use crate::store::sql_types::{Float, Integer, Nullable, Text};
use crate::store::{Answer, Refusal, Renew, Renewed};

statement! {
    /// Never shortens, and with remote workers never beyond the time that the attempt may take: in
    /// the other lanes its executor sees to that.
    RenewLease -> (Integer, Integer) =
    "UPDATE jobs
     SET lease_expires_at = max(lease_expires_at,
         min(" [lease_expires_at: Integer as i64]
    ", CASE lane WHEN 3 THEN started_at + timeout_ms ELSE 9223372036854775807 END)) WHERE id = " [job: Integer as i64] " AND lease_token = " [token: Integer as i64]
    " AND state = 2 RETURNING lease_expires_at, cancel_requested"
}

statement! {
    ReportProgress<'a> =
    "UPDATE jobs
     SET progress_percent = " [percent: Float as f64]
    ", progress_message = " [message: Nullable<Text> as Option<&'a str>]
    " WHERE id = " [job: Integer as i64] " AND lease_token = " [token: Integer as i64]
    " AND state = 2"
}

impl Group<'_> {
    pub(super) fn renew(&mut self, renew: &Renew) -> Applied {
        let lease_expires_at = self.now.plus(renew.lease.duration()).millis();
        let mut renewed = Renewed::default();
        for lease in &renew.leases {
            let update = RenewLease { lease_expires_at, job: lease.job.0, token: lease.token.0 };
            let row: Option<(i64, i64)> = update.get_result(self.connection).optional()?;
            let Some((expires_at, cancel_requested)) = row else { continue };
            renewed.held.push((*lease, Timestamp::from_millis(expires_at)));
            if cancel_requested != 0 {
                renewed.cancelled.push(JobId(lease.job.0));
            }
            if let Some(progress) = &renew.progress {
                self.report(*lease, progress)?;
            }
        }
        Ok(Answer::Renewed(renewed))
    }

    pub(super) fn report(&mut self, lease: Lease, progress: &Progress) -> Applied {
        let updated = ReportProgress {
            percent: progress.percent,
            message: progress.message.as_deref(),
            job: lease.job.0,
            token: lease.token.0,
        }
        .execute(self.connection)?;
        if updated == 0 { Err(Refusal::StaleLease.into()) } else { Ok(Answer::Done) }
    }
}
