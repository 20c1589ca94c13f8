//! Leases: grant the right to run queued jobs to workers.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::lease::LeasedJob;
use crate::job::{JobId, Lane, State, Timestamp};
use crate::roster::LeaseOrder;
use crate::store::group::lease_memo::LARGE_PAYLOAD_BYTES;
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
    /// Finds the first queued jobs of a queue and lane, each with the size of its payload, of which SQLite
    /// reads only the length.
    FirstJobs -> (Integer, Integer) =
    "SELECT id, octet_length(payload) FROM jobs
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

statement! {
    /// Returns whether any job waits or runs. Each part reads one row of a partial index.
    HasActiveJobs -> Integer =
    "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = " {Queued} ")
         OR EXISTS (SELECT 1 FROM jobs WHERE state IN (" {Scheduled} ", " {Retrying} "))
         OR EXISTS (SELECT 1 FROM jobs WHERE state = " {Running} ")"
}

/// Returns whether the payload of a job may be large: it waits or runs when the database is opened.
pub(crate) fn may_have_large_payloads(connection: &mut SqliteConnection) -> QueryResult<bool> {
    let exists: i64 = HasActiveJobs {}.get_result(connection)?;
    Ok(exists != 0)
}

/// Returns the number of the first jobs that a lease takes, given the sizes of their payloads: the last of
/// them fills `room`, and may exceed it.
fn fitting(sizes: impl Iterator<Item = i64>, room: usize) -> usize {
    let room = i64::try_from(room).unwrap_or(i64::MAX);
    sizes
        .scan(0_i64, |total, size| Some(std::mem::replace(total, total.saturating_add(size))))
        .take_while(|before| *before < room)
        .count()
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
        let room = self.lease_memo.local_room(order);
        if room == 0 {
            return Ok(no_jobs(false));
        }
        let lease_expires_at = self.now.plus(request.duration.duration()).millis();
        let (rows, is_empty) = if self.is_each_row_alone() {
            self.lease_each(order, queue_id, lease_expires_at, room)?
        } else {
            self.lease_first(order, queue_id, lease_expires_at, room)?
        };
        let rows = rows.into_iter().map(|row| (row, lease_expires_at)).collect();
        let jobs = self.leased_jobs(order, rows);
        self.lease_memo.add_local(&jobs);
        Ok(Answer::Leased(Leased { jobs, is_empty }))
    }

    /// Returns how many of the first queued jobs that match an order may be leased until their payloads
    /// fill `room`, and whether no job is left after them; `None` if that need not be known, because no
    /// payload is large.
    fn limit_by_payloads(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        room: usize,
    ) -> Result<Option<(i64, bool)>, ApplyError> {
        let limit = i64::from(order.limit);
        if !*self.may_have_large_payloads && order.limit as usize <= room / LARGE_PAYLOAD_BYTES {
            return Ok(None);
        }
        let lane = order.lane.code();
        let find = FirstJobs { lane, queue_id, at: self.now.millis(), limit };
        let first: Vec<(i64, i64)> = find.load(self.connection)?;
        let count = fitting(first.iter().map(|(_, size)| *size), room);
        let is_empty = count == first.len() && (count as i64) < limit;
        Ok(Some((count as i64, is_empty)))
    }

    /// Leases the first queued jobs that match an order. Returns also whether no job is left for it.
    fn lease_first(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        lease_expires_at: i64,
        room: usize,
    ) -> Result<(Vec<LeasedRow>, bool), ApplyError> {
        let limited = self.limit_by_payloads(order, queue_id, room)?;
        if let Some((0, is_empty)) = limited {
            return Ok((Vec::new(), is_empty));
        }
        let rows: Vec<LeasedRow> = LeaseJobs {
            token_floor: self.token_floor,
            now: self.now.millis(),
            lease_expires_at,
            lane: order.lane.code(),
            queue_id,
            at: self.now.millis(),
            limit: limited.map_or(order.limit.into(), |(limit, _)| limit),
        }
        .load(self.connection)?;
        let is_empty = limited.map_or(rows.len() < order.limit as usize, |(_, is_empty)| is_empty);
        Ok((rows, is_empty))
    }

    /// Leases each of the first queued jobs by itself, except those known to be impossible. Returns also
    /// whether no job is left.
    fn lease_each(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        lease_expires_at: i64,
        room: usize,
    ) -> Result<(Vec<LeasedRow>, bool), ApplyError> {
        let (now, token_floor) = (self.now.millis(), self.token_floor);
        let limit = self.impossible.limit(order.limit.into());
        let find = FirstJobs { lane: order.lane.code(), queue_id, at: now, limit };
        let mut jobs: Vec<(i64, i64)> = find.load(self.connection)?;
        let is_complete = (jobs.len() as i64) < limit;
        self.skip_impossible(&mut jobs, order.limit.into(), |(id, _)| *id);
        let count = fitting(jobs.iter().map(|(_, size)| *size), room);
        let is_empty = is_complete && count == jobs.len();
        jobs.truncate(count);
        let mut rows = Vec::with_capacity(jobs.len());
        for (job, _) in jobs {
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
