//! Leases: grant the right to run queued jobs to workers.

use diesel::prelude::*;

use crate::job::lease::{Lease, LeaseToken, LeasedJob};
use crate::job::{BatchId, JobId, Json, Lane, Span, State, Timestamp};
use crate::roster::LeaseOrder;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::write::commit_group::{ApplyResult, CommitGroup};
use crate::store::{Answer, JobLocation, LeaseRequest, Leased, MOVE_AT_ONCE};

statement! {
    /// Leases up to `limit` queued jobs of a queue and lane.
    ///
    /// The inner SELECT reads the index `jobs_queued` from its first match and stops at the limit, so
    /// its cost does not depend on other rows. `+ 0` hides a bound value from the query planner:
    /// without it SQLite would prepare the statement again for every new value.
    LeaseJobs -> (Integer, Integer, Integer, Integer, Integer, Integer, Nullable<Integer>, Text, Text, Integer) =
    "UPDATE jobs
     SET state = 2, attempt = attempt + 1, lease_token = max(lease_token + 1, " [token_floor: Integer as i64] "),
         progress_percent = NULL, progress_message = NULL,
         started_at = " [now: Integer as i64] ", lease_expires_at = " [lease_expires_at: Integer as i64]
    " WHERE state = 1 AND id IN (
         SELECT id FROM jobs
         WHERE state = 1 AND lane = (" [lane: Integer as i64] " + 0) AND queue_id = " [queue_id: Integer as i64]
    "        AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ")   ORDER BY priority DESC, id LIMIT (" [limit: Integer as i64]
    " + 0)) RETURNING priority, id, lease_token, attempt, max_attempts, timeout_ms, batch_id, kind, payload, run_at"
}

/// Columns that a lease returns: priority, id, token, attempt, maximum attempts, timeout, batch, kind,
/// payload and `run_at`.
pub(crate) type LeasedRow = (i64, i64, i64, i64, i64, i64, Option<i64>, String, String, i64);

impl CommitGroup<'_> {
    pub(crate) fn lease(&mut self, request: &LeaseRequest) -> ApplyResult {
        let order = &request.order;
        let no_jobs = |is_empty| Answer::Leased(Leased { jobs: Vec::new(), is_empty });
        if order.limit == 0 {
            return Ok(no_jobs(false));
        }
        // The lease skips jobs that expired before they started. Some of them are cancelled first, so
        // that later leases need not skip them again. If there are none, that costs one index seek.
        if !std::mem::replace(&mut self.is_expiry_done, true) {
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
        rows.sort_unstable_by_key(|(row, _)| (-row.0, row.1));
        let mut leased = Vec::with_capacity(rows.len());
        for (row, lease_expires_at) in rows {
            let (_, id, token, attempt, max_attempts, timeout_ms, batch, kind, payload, run_at) =
                row;
            let batch = batch.map(BatchId);
            let job = LeasedJob {
                lease: Lease { job: JobId(id), token: LeaseToken(token) },
                lease_expires_at: Timestamp::from_millis(lease_expires_at),
                started_at: self.now,
                kind,
                queue: order.queue.clone(),
                lane: order.lane,
                attempt: u32::try_from(attempt).unwrap_or(u32::MAX),
                max_attempts: u32::try_from(max_attempts).unwrap_or(u32::MAX),
                timeout: Span::from_millis(timeout_ms),
                batch,
                payload: Json::trusted(payload),
            };
            let waited = Span::new(self.now.since(Timestamp::from_millis(run_at)));
            self.record_timed_move(
                JobLocation::of(&job),
                State::Queued,
                State::Running,
                Some(waited),
            );
            leased.push(job);
        }
        leased
    }
}
