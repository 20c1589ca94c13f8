//! Attempts that do not count: how often a job was deferred, and refusals of providers.

use std::borrow::Cow;

use diesel::prelude::*;

use crate::job::outcome::{Deferral, Deferred, Outcome, RunningAttempt};
use crate::job::{JobId, Timestamp};
use crate::store::JobLocation;
use crate::store::rows::values::count_of;
use crate::store::schema::job_extras;
use crate::roster::LeaseOrder;
use crate::store::sql_types::{Integer, Nullable};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyError;
use crate::store::sqlite::write::leases::candidate::CandidateRow;

statement! {
    CountDeferral =
    "INSERT INTO job_extras (job_id, deferred, deferred_since)
     VALUES (" [job: Integer as i64] ", 1, " [since: Integer as i64]
    ") ON CONFLICT (job_id) DO UPDATE
     SET deferred = deferred + 1, deferred_since = coalesce(deferred_since, excluded.deferred_since)"
}

statement! {
    /// Finds those of the first queued jobs of a provider that were deferred least often. Priorities come
    /// first.
    LeastDeferredJobs -> (Integer, Integer, Integer) =
    "SELECT priority, id, payload_bytes FROM (
         SELECT priority, id, octet_length(payload) AS payload_bytes,
             coalesce((SELECT deferred FROM job_extras WHERE job_id = jobs.id), 0) AS deferred
         FROM jobs
         WHERE state = " {Queued} " AND lane = (" [lane: Integer as i64] " + 0) AND queue_id = " [queue_id: Integer as i64]
    "        AND provider_id IS " [provider_id: Nullable<Integer> as Option<i64>]
    "        AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ")       ORDER BY priority DESC, id LIMIT (" [window: Integer as i64] " + 0))
     ORDER BY priority DESC, deferred, id LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    ForgetDeferrals =
    "UPDATE job_extras SET deferred = 0, deferred_since = NULL
     WHERE job_id = " [job: Integer as i64] " AND deferred > 0"
}

/// Number of jobs of a line from which those that try a recovering provider are chosen.
const TRIAL_WINDOW: i64 = 64;

impl CommitGroup<'_> {
    /// Returns those jobs of a line that try a provider after a pause, up to `limit`, and whether the line
    /// has no others.
    ///
    /// A job that is refused each time, because it asks for more than the provider ever allows, would
    /// otherwise be tried first each time, and its provider would never recover.
    pub(super) fn least_deferred_jobs(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        provider_id: i64,
        wanted: u32,
    ) -> Result<(Vec<CandidateRow>, bool), ApplyError> {
        let limit = self.impossible.limit(wanted.into());
        let find = LeastDeferredJobs {
            lane: order.lane.code(),
            queue_id,
            provider_id: Some(provider_id),
            at: self.now.millis(),
            window: limit.max(TRIAL_WINDOW),
            limit,
        };
        let jobs = find.load(self.connection)?;
        Ok(self.possible_jobs(jobs, wanted, limit))
    }

    /// Reads how often the job was deferred if `outcome` defers it again, and records a refusal of its
    /// provider. Returns the outcome to settle: a job without a provider cannot wait for one.
    pub(super) fn note_deferral<'o>(
        &mut self,
        outcome: &'o Outcome,
        attempt: &mut RunningAttempt,
        location: &JobLocation,
    ) -> Result<Cow<'o, Outcome>, ApplyError> {
        let Outcome::Deferred(deferral) = outcome else {
            if attempt.is_delivery && matches!(outcome, Outcome::Lost(_)) {
                attempt.deferred = self.find_deferred(location.job)?;
            }
            return Ok(Cow::Borrowed(outcome));
        };
        attempt.deferred = self.find_deferred(location.job)?;
        if !deferral.is_of_provider {
            return Ok(Cow::Borrowed(outcome));
        }
        let mut retry_in = deferral.retry_in.min(attempt.backoff.max_retry_after);
        if let Some(provider) = &location.provider {
            self.changes.push_refused(provider.clone(), retry_in, deferral.error.clone());
            // The provider's own pause may be longer, and a job that steps aside must come back after it.
            retry_in = self.provider_pause(provider)?.map_or(retry_in, |pause| retry_in.max(pause));
        }
        let is_of_provider = location.provider.is_some();
        let deferral = Deferral { is_of_provider, retry_in, ..(**deferral).clone() };
        Ok(Cow::Owned(Outcome::Deferred(Box::new(deferral))))
    }

    fn find_deferred(&mut self, job: JobId) -> Result<Deferred, ApplyError> {
        let row: Option<(i64, Option<i64>)> = job_extras::table
            .find(job.0)
            .select((job_extras::deferred, job_extras::deferred_since))
            .get_result(self.connection)
            .optional()?;
        let (count, since) = row.unwrap_or_default();
        Ok(Deferred { count: count_of(count), since: since.map(Timestamp::from_millis) })
    }

    /// Counts an attempt that was deferred and started at `started_at`.
    pub(super) fn count_deferral(
        &mut self,
        job: JobId,
        started_at: Option<i64>,
    ) -> Result<(), ApplyError> {
        let since = started_at.unwrap_or_else(|| self.now.millis());
        CountDeferral { job: job.0, since }.execute(self.connection)?;
        Ok(())
    }

    /// Forgets how often a job was deferred, because somebody retries it.
    pub(in crate::store::sqlite::write) fn forget_deferrals(
        &mut self,
        job: JobId,
    ) -> Result<(), ApplyError> {
        ForgetDeferrals { job: job.0 }.execute(self.connection)?;
        Ok(())
    }
}
