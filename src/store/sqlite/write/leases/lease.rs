//! Leases: grant the right to run queued jobs to workers.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::lease::LeasedJob;
use crate::job::{JobId, Lane, State};
use crate::roster::{LARGE_PAYLOAD_BYTES, LeaseOrder};
use crate::store::group::lease_memo::PayloadRoom;
use crate::store::rows::leased::{GrantedRow, LeasedRow};
use crate::store::sql_types::{Integer, Nullable};
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};
use crate::store::sqlite::write::leases::candidate::CandidateRow;
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
    "        AND provider_id IS NULL AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ")   ORDER BY priority DESC, id LIMIT (" [limit: Integer as i64]
    " + 0)) RETURNING priority, id, lease_token, attempt, max_attempts, timeout_ms, batch_id, provider_id, key_id, kind, payload, run_at"
}

statement! {
    /// Finds the first queued jobs of a queue and lane, each with the size of its payload, of which SQLite
    /// reads only the length.
    FirstJobs -> (Integer, Integer, Integer) =
    "SELECT priority, id, octet_length(payload) FROM jobs
     WHERE state = " {Queued} " AND lane = (" [lane: Integer as i64] " + 0) AND queue_id = " [queue_id: Integer as i64]
    "    AND provider_id IS " [provider_id: Nullable<Integer> as Option<i64>]
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
    " RETURNING priority, id, lease_token, attempt, max_attempts, timeout_ms, batch_id, provider_id, key_id, kind, payload, run_at"
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

/// The first queued jobs of a line whose payloads fit into a room.
#[derive(Clone, Copy)]
struct FirstJobsThatFit {
    count: i64,
    /// Whether no job is left after them.
    is_empty: bool,
    /// Whether the next job waits because its payload is large.
    is_large_next: bool,
}

impl CommitGroup<'_> {
    pub(crate) fn lease(&mut self, request: &LeaseRequest) -> ApplyResult {
        let order = &request.order;
        if order.limit == 0 {
            return Ok(Answer::Leased(Leased::none(false)));
        }
        // The lease skips jobs that expired before they started. Some of them are cancelled first, so
        // that later leases need not skip them again. If there are none, that costs one index seek.
        if self.lease_memo.take_expiry() {
            self.expire_due(MOVE_AT_ONCE)?;
        }
        let Some(queue_id) = self.queue_ids.id(&order.queue) else {
            return Ok(Answer::Leased(Leased::empty(order)));
        };
        let leased = if self.limited_queues.contains(&queue_id) {
            self.lease_limited(request, queue_id)?
        } else {
            self.lease_unlimited(request, queue_id)?
        };
        Ok(Answer::Leased(leased))
    }

    /// Leases jobs of a queue whose limits, if it has any, allow all that the order asks for.
    pub(super) fn lease_unlimited(
        &mut self,
        request: &LeaseRequest,
        queue_id: i64,
    ) -> Result<Leased, ApplyError> {
        let order = &request.order;
        if order.lane == Lane::Remote {
            return self.lease_remote(request, queue_id);
        }
        let room = self.lease_memo.local_room(order);
        if room.of_transaction == 0 {
            return Ok(Leased::none(false));
        }
        let lease_expires_at = self.now.plus(request.duration.duration()).millis();
        let leased = if !order.providers.is_empty() {
            self.lease_lines(order, queue_id, lease_expires_at, room)?
        } else if self.is_each_row_alone() {
            self.lease_each(order, queue_id, lease_expires_at, room)?
        } else {
            self.lease_first(order, queue_id, lease_expires_at, room)?
        };
        self.lease_memo.add_local(&leased.jobs);
        Ok(leased)
    }

    /// Returns which of the first queued jobs that match an order may be leased until their payloads fill
    /// `room`; `None` if that need not be known, because no payload is large.
    fn limit_by_payloads(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        room: PayloadRoom,
    ) -> Result<Option<FirstJobsThatFit>, ApplyError> {
        let limit = i64::from(order.limit);
        let max_small = room.of_transaction / LARGE_PAYLOAD_BYTES;
        if !*self.may_have_large_payloads && order.limit as usize <= max_small {
            return Ok(None);
        }
        let lane = order.lane.code();
        let find = FirstJobs { lane, queue_id, provider_id: None, at: self.now.millis(), limit };
        let first: Vec<CandidateRow> = find.load(self.connection)?;
        let (count, is_large_next) = room.fitting(first.iter().map(|job| job.payload_bytes));
        let is_empty = count == first.len() && (count as i64) < limit;
        Ok(Some(FirstJobsThatFit { count: count as i64, is_empty, is_large_next }))
    }

    /// Leases the first queued jobs that match an order. Returns also whether no job is left for it.
    fn lease_first(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        lease_expires_at: i64,
        room: PayloadRoom,
    ) -> Result<Leased, ApplyError> {
        let limited = self.limit_by_payloads(order, queue_id, room)?;
        let is_large_next = limited.is_some_and(|first| first.is_large_next);
        if let Some(FirstJobsThatFit { count: 0, is_empty, .. }) = limited {
            return Ok(Leased { is_large_next, ..Leased::none(is_empty) });
        }
        let rows: Vec<LeasedRow> = LeaseJobs {
            token_floor: self.token_floor,
            now: self.now.millis(),
            lease_expires_at,
            lane: order.lane.code(),
            queue_id,
            at: self.now.millis(),
            limit: limited.map_or(order.limit.into(), |first| first.count),
        }
        .load(self.connection)?;
        let is_empty = limited.map_or(rows.len() < order.limit as usize, |first| first.is_empty);
        let rows = rows.into_iter().map(|row| (row, lease_expires_at).into()).collect();
        let jobs = self.leased_jobs(order, rows);
        Ok(Leased { jobs, is_empty, is_large_next, ..Leased::default() })
    }

    /// Leases each of the first queued jobs by itself, except those known to be impossible.
    fn lease_each(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        lease_expires_at: i64,
        room: PayloadRoom,
    ) -> Result<Leased, ApplyError> {
        let (mut jobs, is_complete) = self.first_jobs(order, queue_id, None, order.limit)?;
        let (count, is_large_next) = room.fitting(jobs.iter().map(|job| job.payload_bytes));
        let is_empty = is_complete && count == jobs.len();
        jobs.truncate(count);
        let rows = self.lease_by_id(&jobs, lease_expires_at)?;
        let jobs = self.leased_jobs(order, rows);
        Ok(Leased { jobs, is_empty, is_large_next, ..Leased::default() })
    }

    /// Returns the first queued jobs of a line that are not known to be impossible, up to `limit`, and
    /// whether these are all.
    pub(super) fn first_jobs(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
        provider_id: Option<i64>,
        wanted: u32,
    ) -> Result<(Vec<CandidateRow>, bool), ApplyError> {
        let (lane, at) = (order.lane.code(), self.now.millis());
        let limit = self.impossible.limit(wanted.into());
        let find = FirstJobs { lane, queue_id, provider_id, at, limit };
        let jobs = find.load(self.connection)?;
        Ok(self.possible_jobs(jobs, wanted, limit))
    }

    /// Returns up to `wanted` of the jobs that were found within `limit` and are not known to be impossible,
    /// and whether these are all.
    pub(super) fn possible_jobs(
        &self,
        mut jobs: Vec<CandidateRow>,
        wanted: u32,
        limit: i64,
    ) -> (Vec<CandidateRow>, bool) {
        let is_last = (jobs.len() as i64) < limit;
        self.skip_impossible(&mut jobs, i64::MAX, |job| job.id);
        let is_complete = is_last && jobs.len() <= wanted as usize;
        jobs.truncate(wanted as usize);
        (jobs, is_complete)
    }

    /// Leases jobs by id, each by itself.
    pub(super) fn lease_by_id(
        &mut self,
        jobs: &[CandidateRow],
        lease_expires_at: i64,
    ) -> Result<Vec<GrantedRow>, ApplyError> {
        let (now, token_floor) = (self.now.millis(), self.token_floor);
        let mut rows = Vec::with_capacity(jobs.len());
        for job in jobs.iter().map(|job| job.id) {
            let leased = self.on_row(Some(JobId(job)), |group| {
                let lease = LeaseById { token_floor, now, lease_expires_at, job };
                Ok(lease.get_result(group.connection)?)
            })?;
            rows.extend(leased.map(|row| GrantedRow::from((row, lease_expires_at))));
        }
        Ok(rows)
    }

    /// Converts rows that were just leased to jobs, and records their change of state.
    pub(crate) fn leased_jobs(
        &mut self,
        order: &LeaseOrder,
        mut rows: Vec<GrantedRow>,
    ) -> Vec<LeasedJob> {
        // RETURNING does not return rows in a defined order.
        rows.sort_unstable_by_key(GrantedRow::position);
        let mut leased = Vec::with_capacity(rows.len());
        for row in rows {
            let took = Some(row.waited(self.now));
            let job = row.into_job(order, self.now, self.provider_ids);
            let change = JobLocation::of(&job).change(Some(State::Queued), Some(State::Running));
            self.record(Change { took, ..change });
            leased.push(job);
        }
        leased
    }
}
