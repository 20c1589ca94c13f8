//! Leases: grant the right to run queued jobs to workers.

use diesel::prelude::*;

use crate::job::lease::LeasedJob;
use crate::job::{Lane, State, Timestamp};
use crate::roster::LeaseOrder;
use crate::store::rows::leased::LeasedRow;
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::write::apply::ApplyResult;
use crate::store::sqlite::write::commit_group::CommitGroup;
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
        let lease_expires_at = self.now.plus(request.duration.duration());
        let rows: Vec<LeasedRow> = LeaseJobs {
            token_floor: self.token_floor,
            now: self.now.millis(),
            lease_expires_at: lease_expires_at.millis(),
            lane: order.lane.code(),
            queue_id,
            at: self.now.millis(),
            limit: order.limit.into(),
        }
        .load(self.connection)?;
        let lease_expires_at = lease_expires_at.millis();
        let rows = rows.into_iter().map(|row| (row, lease_expires_at)).collect();
        let jobs = self.leased_jobs(order, rows);
        let is_empty = jobs.len() < order.limit as usize;
        Ok(Answer::Leased(Leased { jobs, is_empty }))
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
