//! Renewals of leases, and progress reports.

use diesel::prelude::*;

use crate::job::lease::Lease;
use crate::job::{Lane, Progress, Span, Timestamp};
use crate::store::rows::location::unknown_queue;
use crate::store::sql_types::{Float, Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};
use crate::store::{Answer, Holder, Refusal, Renew, Renewed};

statement! {
    /// Extends a lease. It never shortens one, and in the remote lane no lease outlasts the timeout of
    /// its job; in local lanes the executor enforces the timeout.
    RenewLease -> (Integer, Integer) =
    "UPDATE jobs
     SET lease_expires_at = max(lease_expires_at, min("
         [now: Integer as i64] " + coalesce(" [lease_ms: Nullable<Integer> as Option<i64>]
    ", (SELECT lease_ms FROM remote_leases WHERE job_id = jobs.id), 0),
         CASE lane WHEN " {Remote} " THEN started_at + timeout_ms ELSE 9223372036854775807 END))
     WHERE id = " [job: Integer as i64] " AND lease_token = " [token: Integer as i64]
    " AND state = " {Running} " AND (lane = " {Remote} ") = " [is_remote: Integer as i64]
    " RETURNING lease_expires_at, cancel_requested"
}

statement! {
    /// Stores the progress of an attempt; without a percentage, the last one is kept.
    ReportProgress<'a> -> Integer =
    "UPDATE jobs
     SET progress_percent = coalesce(" [percent: Nullable<Float> as Option<f64>]
    ", progress_percent, 0), progress_message = " [message: Nullable<Text> as Option<&'a str>]
    " WHERE id = " [job: Integer as i64] " AND lease_token = " [token: Integer as i64]
    " AND state = " {Running} " RETURNING queue_id"
}

impl CommitGroup<'_> {
    pub(crate) fn renew(&mut self, renew: &Renew) -> ApplyResult {
        let is_remote = renew.holder.holds(Lane::Remote).into();
        let lease_ms = renew.duration.map(Span::millis);
        let mut renewed = Renewed::default();
        for lease in &renew.leases {
            // Alone if it is impossible: the leases of all local workers are renewed together.
            let row = self.on_row(Some(lease.job), |group| {
                if let Err(error) = group.check_owner(renew.holder, lease.job) {
                    return error.unless_refused();
                }
                group.renew_one(*lease, lease_ms, is_remote, renew)
            })?;
            let Some(Some((expires_at, is_cancelled))) = row else { continue };
            renewed.held.push((*lease, expires_at));
            if is_cancelled {
                renewed.cancelled.push(lease.job);
            }
        }
        if let ([lease], Holder::Remote(_), []) =
            (renew.leases.as_slice(), renew.holder, renewed.held.as_slice())
        {
            // A worker that renews a single lease learns whether the job exists.
            self.find_job(lease.job)?;
            return Err(Refusal::StaleLease.into());
        }
        Ok(Answer::Renewed(renewed))
    }

    /// Renews one lease. Returns the time at which it expires now and whether its job was cancelled, or `None`
    /// if the lease is no longer held.
    fn renew_one(
        &mut self,
        lease: Lease,
        lease_ms: Option<i64>,
        is_remote: i64,
        renew: &Renew,
    ) -> Result<Option<(Timestamp, bool)>, ApplyError> {
        let update = RenewLease {
            now: self.now.millis(),
            lease_ms,
            job: lease.job.0,
            token: lease.token.0,
            is_remote,
        };
        let row: Option<(i64, i64)> = update.get_result(self.connection).optional()?;
        let Some((expires_at, cancel_requested)) = row else { return Ok(None) };
        if let Some(Progress { percent, message }) = &renew.progress {
            let percent = (!renew.keeps_percent).then_some(*percent);
            self.report(lease, percent, message.as_deref())?;
        }
        Ok(Some((Timestamp::from_millis(expires_at), cancel_requested != 0)))
    }

    /// Stores the progress of an attempt. Without a percentage, the last one is kept.
    pub(crate) fn report(
        &mut self,
        lease: Lease,
        percent: Option<f64>,
        message: Option<&str>,
    ) -> ApplyResult {
        let update = ReportProgress {
            percent,
            message,
            job: lease.job.0,
            token: lease.token.0,
        };
        let queue: Option<i64> = update.get_result(self.connection).optional()?;
        let queue = queue.ok_or(Refusal::StaleLease)?;
        let name = self.queue_ids.name(queue).ok_or_else(|| unknown_queue(lease.job.0, queue))?;
        self.changes.push_report(lease.job, name.clone());
        Ok(Answer::Done)
    }
}
