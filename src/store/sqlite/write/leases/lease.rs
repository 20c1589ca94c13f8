//! Leases: grant the right to run queued jobs to workers.

use diesel::prelude::*;

use crate::job::lease::LeasedJob;
use crate::job::{JobId, Lane, State, Timestamp};
use crate::roster::LeaseOrder;
use crate::store::rows::leased::LeasedRow;
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};
use crate::store::{Answer, Change, JobLocation, LeaseRequest, Leased, MOVE_AT_ONCE};

statement! {
    /// Leases up to `limit` queued jobs of a queue and lane.
    ///
    /// The inner SELECT reads the index `jobs_queued` from its first match and stops at the limit, so
    /// its cost does not depend on other rows. `+ 0` hides a bound value from the query planner:
    /// without it SQLite would prepare the statement again for every new value.
    LeaseJobs -> Columns<LeasedRow> =
    "UPDATE jobs
     SET state = " {Running} ", attempt = attempt + 1, lease_token = max(lease_token + 1, " [token_floor: Integer as i64] "),
         progress_percent = NULL, progress_message = NULL,
         started_at = " [now: Integer as i64] ", lease_expires_at = " [lease_expires_at: Integer as i64]
    " WHERE state = " {Queued} " AND id IN (
         SELECT id FROM jobs
         WHERE state = " {Queued} " AND lane = (" [lane: Integer as i64] " + 0) AND queue_id = " [queue_id: Integer as i64]
    "        AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ")   ORDER BY priority DESC, id LIMIT (" [limit: Integer as i64]
    " + 0)) RETURNING priority, id, lease_token, attempt, max_attempts, timeout_ms, batch_id, kind, payload, run_at"
}

statement! {
    /// Finds the first queued jobs of a queue and lane, to lease each by itself.
    FirstJobs -> Integer =
    "SELECT id FROM jobs
     WHERE state = " {Queued} " AND lane = (" [lane: Integer as i64] " + 0) AND queue_id = " [queue_id: Integer as i64]
    "    AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ")   ORDER BY priority DESC, id LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    LeaseById -> Columns<LeasedRow> =
    "UPDATE jobs
     SET state = " {Running} ", attempt = attempt + 1,
         lease_token = max(lease_token + 1, " [token_floor: Integer as i64] "),
         progress_percent = NULL, progress_message = NULL,
         started_at = " [now: Integer as i64] ", lease_expires_at = " [lease_expires_at: Integer as i64]
    " WHERE id = " [job: Integer as i64]
    " RETURNING priority, id, lease_token, attempt, max_attempts, timeout_ms, batch_id, kind, payload, run_at"
}

impl CommitGroup<'_> {
    pub(crate) fn lease(&mut self, request: &LeaseRequest) -> ApplyResult {
        let order = &request.order;
        let no_jobs = |is_empty| Answer::Leased(Leased { jobs: Vec::new(), is_empty });
        if order.limit == 0 {
            return Ok(no_jobs(false));
        }
        // The lease skips jobs that expired before they started. Some of them are cancelled first, so
        // that later leases need not skip them again. If there are none, that costs one index seek.
        if self.lease_memo.take_expiry() {
            self.expire_due(MOVE_AT_ONCE)?;
        }
        let Some(queue_id) = self.queue_ids.id(&order.queue) else { return Ok(no_jobs(true)) };
        if order.lane == Lane::Remote {
            return self.lease_remote(request, queue_id);
        }
        let lease_expires_at = self.now.plus(request.duration.duration()).millis();
        let (rows, is_empty) = if self.is_each_row_alone() {
            self.lease_each(order, queue_id, lease_expires_at)?
        } else {
            self.lease_first(order, queue_id, lease_expires_at)?
        };
        let rows = rows.into_iter().map(|row| (row, lease_expires_at)).collect();
        Ok(Answer::Leased(Leased { jobs: self.leased_jobs(order, rows), is_empty }))
    }

    /// Leases the first queued jobs that match an order. Returns also whether no job is left for it.
    fn lease_first(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        lease_expires_at: i64,
    ) -> Result<(Vec<LeasedRow>, bool), ApplyError> {
        let rows: Vec<LeasedRow> = LeaseJobs {
            token_floor: self.token_floor,
            now: self.now.millis(),
            lease_expires_at,
            lane: order.lane.code(),
            queue_id,
            at: self.now.millis(),
            limit: order.limit.into(),
        }
        .load(self.connection)?;
        let is_empty = rows.len() < order.limit as usize;
        Ok((rows, is_empty))
    }

    /// Leases each of the first queued jobs by itself, except those known to be impossible. Returns also
    /// whether no job is left.
    fn lease_each(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        lease_expires_at: i64,
    ) -> Result<(Vec<LeasedRow>, bool), ApplyError> {
        let (now, token_floor) = (self.now.millis(), self.token_floor);
        let limit = self.impossible.limit(order.limit.into());
        let find = FirstJobs { lane: order.lane.code(), queue_id, at: now, limit };
        let mut ids: Vec<i64> = find.load(self.connection)?;
        let is_empty = (ids.len() as i64) < limit;
        self.skip_impossible(&mut ids, order.limit.into(), |id| *id);
        let mut rows = Vec::with_capacity(ids.len());
        for job in ids {
            let leased = self.on_row(Some(JobId(job)), |group| {
                let lease = LeaseById { token_floor, now, lease_expires_at, job };
                Ok(lease.get_result(group.connection)?)
            })?;
            rows.extend(leased);
        }
        Ok((rows, is_empty))
    }

    /// Converts rows that were just leased, each with the time at which its lease expires, to jobs, and
    /// records their change of state.
    pub(crate) fn leased_jobs(
        &mut self,
        order: &LeaseOrder,
        mut rows: Vec<(LeasedRow, i64)>,
    ) -> Vec<LeasedJob> {
        // RETURNING does not return rows in a defined order.
        rows.sort_unstable_by_key(|(row, _)| row.position());
        let mut leased = Vec::with_capacity(rows.len());
        for (row, lease_expires_at) in rows {
            let took = Some(row.waited(self.now));
            let job = row.into_job(order, self.now, Timestamp::from_millis(lease_expires_at));
            let change = JobLocation::of(&job).change(Some(State::Queued), Some(State::Running));
            self.record(Change { took, ..change });
            leased.push(job);
        }
        leased
    }
}
