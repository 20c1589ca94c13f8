//! Leasing: the right to run queued jobs goes to somebody.

use diesel::prelude::*;

use super::group::{Applied, Group};
use super::statement::statement;
use crate::job::lease::{Lease, LeaseToken, LeasedJob};
use crate::job::roster::LeaseOrder;
use crate::job::{BatchId, JobId, Json, Lane, Span, State, Timestamp};
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::{Answer, JobLocation, LeaseRequest, Leased, MOVE_AT_ONCE};

statement! {
    /// `+ 0` hides a bound value from SQLite, which would look at it and prepare all this anew.
    /// The inner SELECT walks `jobs_queued` from its first match and stops at the limit, so its
    /// cost does not depend on what else stands in the table.
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

/// The columns that a lease gives.
pub(super) type LeasedRow = (i64, i64, i64, i64, i64, i64, Option<i64>, String, String, i64);

impl Group<'_> {
    pub(super) fn lease(&mut self, request: &LeaseRequest) -> Applied {
        let order = &request.order;
        let nothing = |is_empty| Answer::Leased(Leased { jobs: Vec::new(), is_empty });
        if order.limit == 0 {
            return Ok(nothing(false));
        }
        // What expired before it started must not start: it is passed over, and some of it cleared
        // away, that the next lease need not pass it over again. One seek where there is none.
        if !std::mem::replace(&mut self.has_expired_some, true) {
            self.expire_some(MOVE_AT_ONCE)?;
        }
        let Some(queue_id) = self.queue_ids.id(&order.queue) else { return Ok(nothing(true)) };
        if order.lane == Lane::Remote {
            return self.lease_remote(request, queue_id);
        }
        let lease_expires_at = self.now.plus(request.lease.duration());
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
        let jobs = self.leased(order, rows);
        let is_empty = jobs.len() < order.limit as usize;
        Ok(Answer::Leased(Leased { jobs, is_empty }))
    }

    /// The jobs of rows that were just leased, with the ends of their leases.
    pub(super) fn leased(
        &mut self,
        order: &LeaseOrder,
        mut rows: Vec<(LeasedRow, i64)>,
    ) -> Vec<LeasedJob> {
        // RETURNING has no order.
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
            self.moved_after(JobLocation::of(&job), State::Queued, State::Running, Some(waited));
            leased.push(job);
        }
        leased
    }
}
