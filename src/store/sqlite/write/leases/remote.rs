//! Leases of remote workers, which may ask for certain kinds of jobs.
//!
//! A request without kinds reads the index of queued jobs in order. A request for several kinds reads
//! up to `per_kind` jobs of each kind and merges these lists. If a list is full, more jobs of its kind
//! may follow its last one, so the merged list is cut at the smallest last position of all full lists.
//! For example, with ids, equal priorities and a `per_kind` of 3:
//!
//! ```text
//! kind a: 1 3 4 ...   full: unread jobs may follow 4
//! kind b: 2 9         complete
//! merged: 1 2 3 4     9 is cut, because an unread job of kind a may precede it
//! ```

use diesel::prelude::*;

use crate::job::JobId;
use crate::roster::LeaseOrder;
use crate::store::group::impossible::json_array;
use crate::store::rows::leased::{GrantedRow, LeasedRow};
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyError;
use crate::store::sqlite::write::leases::candidate::CandidateRow;
use crate::store::{Holder, LeaseRequest, Leased, Refusal};

statement! {
    /// Finds the first queued jobs of a queue in the index `jobs_queued`.
    FirstRemoteJobs -> (Integer, Integer, Integer) =
    "SELECT priority, id, octet_length(payload) FROM jobs
     WHERE state = " {Queued} " AND lane = " {Remote} " AND queue_id = " [queue_id: Integer as i64]
    " AND provider_id IS NULL AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ") ORDER BY priority DESC, id LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// Finds the first queued jobs of a queue and kind. Without INDEXED BY SQLite would choose
    /// `jobs_queued` and skip the jobs of all other kinds.
    FirstRemoteJobsOfKind<'a> -> (Integer, Integer, Integer) =
    "SELECT priority, id, octet_length(payload) FROM jobs INDEXED BY jobs_queued_remote
     WHERE state = " {Queued} " AND lane = " {Remote} " AND queue_id = " [queue_id: Integer as i64]
    " AND kind = " [kind: Text as &'a str]
    " AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ") ORDER BY priority DESC, id LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// Leases jobs by id. No lease outlasts the timeout of its job. Few jobs have metadata, so the SELECT
    /// is one search in a small table.
    LeaseByIds<'a> -> (Columns<LeasedRow>, Integer, Nullable<Text>, Nullable<Text>) =
    "UPDATE jobs
     SET state = " {Running} ", attempt = attempt + 1,
         lease_token = max(lease_token + 1, " [token_floor: Integer as i64] "),
         progress_percent = NULL, progress_message = NULL, started_at = " [now: Integer as i64]
    ", lease_expires_at = min(" [lease_expires_at: Integer as i64] ", " [from: Integer as i64] " + timeout_ms)
     WHERE id IN (SELECT value FROM json_each(" [jobs: Text as &'a str]
    ")) RETURNING priority, id, lease_token, attempt, max_attempts, timeout_ms, batch_id, provider_id, key_id, kind, payload, run_at, lease_expires_at, tags,
         (SELECT metadata FROM job_extras WHERE job_id = jobs.id)"
}

statement! {
    UpsertRemoteLease<'a> =
    "INSERT OR REPLACE INTO remote_leases (job_id, lease_ms, worker, key_id)
     SELECT value, " [lease_ms: Integer as i64] ", " [worker: Nullable<Text> as Option<&'a str>]
    ", " [key: Nullable<Integer> as Option<i64>] " FROM json_each(" [jobs: Text as &'a str] ")"
}

statement! {
    FindLeaseOwner -> Nullable<Integer> =
    "SELECT key_id FROM remote_leases WHERE job_id = " [job: Integer as i64]
}

/// Number of jobs to read of each kind beyond an equal share of the limit, if a request names kinds.
const LOOK_AHEAD: i64 = 16;

/// Queued jobs that a lease may take, in the order in which they are leased.
struct Candidates {
    jobs: Vec<CandidateRow>,
    /// Whether no other job matches the order.
    is_complete: bool,
}

impl CommitGroup<'_> {
    pub(super) fn lease_remote(
        &mut self,
        request: &LeaseRequest,
        queue_id: i64,
    ) -> Result<Leased, ApplyError> {
        let order = &request.order;
        if self.lease_memo.is_exhausted(order) {
            return Ok(Leased::none(true));
        }
        let candidates = self.find_candidates(order, queue_id)?;
        let (ids, is_empty) = self.select_ids(&candidates, order);
        if is_empty {
            self.lease_memo.mark_exhausted(order);
        }
        if ids.is_empty() {
            return Ok(Leased::none(is_empty));
        }
        let rows = if self.is_row_wise {
            self.lease_each_id(request, &ids)?
        } else {
            self.lease_ids(request, &ids)?
        };
        let jobs = self.leased_jobs(order, rows);
        for job in &jobs {
            self.lease_memo.add_payload(job.metadata_bytes());
        }
        Ok(Leased { jobs, is_empty, ..Leased::default() })
    }

    /// Refuses a lease that was taken with another API key than that of `holder`, and a job that does not exist for
    /// the caller.
    pub(in crate::store::sqlite::write) fn check_owner(
        &mut self,
        holder: Holder,
        job: JobId,
    ) -> Result<(), ApplyError> {
        if !self.visible.is_all() {
            self.find_job(job)?;
        }
        let Holder::Remote(Some(key)) = holder else { return Ok(()) };
        let find = FindLeaseOwner { job: job.0 };
        let owner: Option<Option<i64>> = find.get_result(self.connection).optional()?;
        // A lease from before the first API key has no owner.
        if owner.flatten().is_some_and(|owner| owner != key.0) {
            return Err(Refusal::StaleLease.into());
        }
        Ok(())
    }

    /// Leases jobs by id.
    fn lease_ids(
        &mut self,
        request: &LeaseRequest,
        ids: &[i64],
    ) -> Result<Vec<GrantedRow>, ApplyError> {
        let jobs = json_array(ids.iter().copied());
        let rows: Vec<(LeasedRow, i64, Option<String>, Option<String>)> = LeaseByIds {
            token_floor: self.token_floor,
            now: self.now.millis(),
            lease_expires_at: self.now.plus(request.duration.duration()).millis(),
            from: self.now.millis(),
            jobs: &jobs,
        }
        .load(self.connection)?;
        let (lease_ms, worker) = (request.duration.millis(), request.worker.as_deref());
        let key = request.key.map(|key| key.0);
        UpsertRemoteLease { lease_ms, worker, key, jobs: &jobs }.execute(self.connection)?;
        Ok(rows.into_iter().map(GrantedRow::from).collect())
    }

    /// Leases each job by itself, and skips those that are impossible.
    fn lease_each_id(
        &mut self,
        request: &LeaseRequest,
        ids: &[i64],
    ) -> Result<Vec<GrantedRow>, ApplyError> {
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            let leased = self.on_row(Some(JobId(*id)), |group| group.lease_ids(request, &[*id]))?;
            rows.extend(leased.into_iter().flatten());
        }
        Ok(rows)
    }

    /// Returns the first queued jobs that match the order. If the order names kinds there may be fewer
    /// than the limit although more match, see the module's documentation.
    fn find_candidates(
        &mut self,
        order: &LeaseOrder,
        queue_id: i64,
    ) -> Result<Candidates, ApplyError> {
        let at = self.now.millis();
        let Some(kinds) = &order.kinds else {
            let limit = self.impossible.limit(order.limit.into());
            let mut jobs: Vec<CandidateRow> =
                FirstRemoteJobs { queue_id, at, limit }.load(self.connection)?;
            let is_complete = (jobs.len() as i64) < limit;
            self.skip_impossible(&mut jobs, limit, |job| job.id);
            return Ok(Candidates { is_complete, jobs });
        };
        // Read the first jobs of each kind, and cut the merged list where unread jobs may precede.
        let limit = i64::from(order.limit);
        let per_kind = limit.min(limit / kinds.len().max(1) as i64 + LOOK_AHEAD);
        let per_kind = self.impossible.limit(per_kind);
        let mut jobs: Vec<CandidateRow> = Vec::new();
        let mut end = None;
        for kind in kinds.iter() {
            let found: Vec<CandidateRow> =
                FirstRemoteJobsOfKind { queue_id, kind, at, limit: per_kind }
                    .load(self.connection)?;
            if let Some(last) = found.last()
                && found.len() as i64 >= per_kind
            {
                let last = last.position();
                end = Some(end.map_or(last, |end: (i64, i64)| end.min(last)));
            }
            jobs.extend(found);
        }
        self.skip_impossible(&mut jobs, i64::MAX, |job| job.id);
        jobs.sort_unstable_by_key(CandidateRow::position);
        if let Some(end) = end {
            jobs.retain(|job| job.position() <= end);
        }
        Ok(Candidates { jobs, is_complete: end.is_none() })
    }

    /// Returns the ids to lease, up to the limit of the order and to the limit on payload bytes of the
    /// transaction, and whether no matching job is left after them.
    fn select_ids(&mut self, candidates: &Candidates, order: &LeaseOrder) -> (Vec<i64>, bool) {
        let mut ids = Vec::new();
        for job in &candidates.jobs {
            if ids.len() >= order.limit as usize || !self.lease_memo.has_room() {
                break;
            }
            self.lease_memo.add_payload(usize::try_from(job.payload_bytes).unwrap_or(0));
            ids.push(job.id);
        }
        let is_empty = candidates.is_complete && ids.len() == candidates.jobs.len();
        (ids, is_empty)
    }
}
