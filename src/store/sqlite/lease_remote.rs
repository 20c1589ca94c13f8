//! Leasing to remote workers, which may take some kinds only.

use std::sync::Arc;

use diesel::prelude::*;

use super::group::{Applied, Group, Stop};
use super::lease::LeasedRow;
use super::statement::statement;
use crate::job::QueueName;
use crate::job::roster::LeaseOrder;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::{Answer, LeaseRequest, Leased, MAX_LEASED_BYTES};

statement! {
    /// The first in line of a queue, by way of `jobs_queued`.
    FirstRemote -> (Integer, Integer, Integer) =
    "SELECT priority, id, octet_length(payload) FROM jobs
     WHERE state = 1 AND lane = 3 AND queue_id = " [queue_id: Integer as i64]
    " AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ") ORDER BY priority DESC, id LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// The first in line of a queue and a kind. SQLite would rather pass over all other kinds.
    FirstOfKind<'a> -> (Integer, Integer, Integer) =
    "SELECT priority, id, octet_length(payload) FROM jobs INDEXED BY jobs_queued_remote
     WHERE state = 1 AND lane = 3 AND queue_id = " [queue_id: Integer as i64]
    " AND kind = " [kind: Text as &'a str]
    " AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ") ORDER BY priority DESC, id LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// No lease reaches beyond the time that its attempt may take.
    LeaseThese<'a> -> ((Integer, Integer, Integer, Integer, Integer, Integer, Nullable<Integer>, Text, Text, Integer), Integer) =
    "UPDATE jobs
     SET state = 2, attempt = attempt + 1,
         lease_token = max(lease_token + 1, " [token_floor: Integer as i64] "),
         progress_percent = NULL, progress_message = NULL, started_at = " [now: Integer as i64]
    ", lease_expires_at = min(" [lease_expires_at: Integer as i64] ", " [from: Integer as i64] " + timeout_ms)
     WHERE id IN (SELECT value FROM json_each(" [jobs: Text as &'a str]
    ")) RETURNING priority, id, lease_token, attempt, max_attempts, timeout_ms, batch_id, kind, payload, run_at, lease_expires_at"
}

statement! {
    NoteHolder<'a> =
    "INSERT OR REPLACE INTO remote_leases (job_id, lease_ms, worker)
     SELECT value, " [lease_ms: Integer as i64] ", " [worker: Nullable<Text> as Option<&'a str>]
    " FROM json_each(" [jobs: Text as &'a str] ")"
}

/// How many jobs of a kind are looked at, beyond a fair part, where several are asked for.
const LOOK_AHEAD: i64 = 16;

/// What a remote worker takes from: a queue, and all kinds or some.
#[derive(Debug)]
pub(super) struct Spot {
    queue: QueueName,
    kinds: Option<Arc<[String]>>,
}

impl Spot {
    fn is_that_of(&self, order: &LeaseOrder) -> bool {
        self.queue == order.queue && self.kinds == order.kinds
    }
}

/// The first in line: what a lease takes.
struct Line {
    /// Priority, id, bytes of payload.
    jobs: Vec<(i64, i64, i64)>,
    /// Whether these are all.
    is_whole: bool,
}

impl Group<'_> {
    pub(super) fn lease_remote(&mut self, request: &LeaseRequest, queue_id: i64) -> Applied {
        let order = &request.order;
        if self.empty.iter().any(|spot| spot.is_that_of(order)) {
            return Ok(Answer::Leased(Leased { jobs: Vec::new(), is_empty: true }));
        }
        let line = self.line(order, queue_id)?;
        let (ids, is_empty) = self.take_from(&line, order);
        if is_empty {
            self.empty.push(Spot { queue: order.queue.clone(), kinds: order.kinds.clone() });
        }
        if ids.is_empty() {
            return Ok(Answer::Leased(Leased { jobs: Vec::new(), is_empty }));
        }
        let jobs = list(&ids);
        let rows: Vec<(LeasedRow, i64)> = LeaseThese {
            token_floor: self.token_floor,
            now: self.now.millis(),
            lease_expires_at: self.now.plus(request.lease.duration()).millis(),
            from: self.now.millis(),
            jobs: &jobs,
        }
        .load(self.connection)?;
        let (lease_ms, worker) = (request.lease.millis(), request.worker.as_deref());
        NoteHolder { lease_ms, worker, jobs: &jobs }.execute(self.connection)?;
        Ok(Answer::Leased(Leased { jobs: self.leased(order, rows), is_empty }))
    }

    /// The first in line, at least as many as are asked for, or fewer where that cannot be told
    /// without a look at many more.
    fn line(&mut self, order: &LeaseOrder, queue_id: i64) -> Result<Line, Stop> {
        let (at, limit) = (self.now.millis(), i64::from(order.limit));
        let Some(kinds) = &order.kinds else {
            let jobs: Vec<_> = FirstRemote { queue_id, at, limit }.load(self.connection)?;
            return Ok(Line { is_whole: (jobs.len() as i64) < limit, jobs });
        };
        // Of several kinds the first of each. Nothing is known of what stands behind the last that
        // was looked at of a kind, so the line ends with the foremost of those.
        let part = limit.min(limit / kinds.len().max(1) as i64 + LOOK_AHEAD);
        let mut jobs: Vec<(i64, i64, i64)> = Vec::new();
        let mut end = None;
        for kind in kinds.iter() {
            let found: Vec<(i64, i64, i64)> =
                FirstOfKind { queue_id, kind, at, limit: part }.load(self.connection)?;
            if let Some(last) = found.last()
                && found.len() as i64 >= part
            {
                let last = place(last);
                end = Some(end.map_or(last, |end: (i64, i64)| end.min(last)));
            }
            jobs.extend(found);
        }
        jobs.sort_unstable_by_key(place);
        if let Some(end) = end {
            jobs.retain(|job| place(job) <= end);
        }
        Ok(Line { jobs, is_whole: end.is_none() })
    }

    /// Takes as many as were asked for, until the payloads of the transaction are as large as they
    /// may be. Tells whether nothing is left.
    fn take_from(&mut self, line: &Line, order: &LeaseOrder) -> (Vec<i64>, bool) {
        let mut ids = Vec::new();
        for (_, id, bytes) in &line.jobs {
            if ids.len() >= order.limit as usize || self.leased_bytes >= MAX_LEASED_BYTES {
                break;
            }
            self.leased_bytes += usize::try_from(*bytes).unwrap_or(0);
            ids.push(*id);
        }
        let is_empty = line.is_whole && ids.len() == line.jobs.len();
        (ids, is_empty)
    }
}

/// Where a job stands in line.
fn place((priority, id, _): &(i64, i64, i64)) -> (i64, i64) {
    (-priority, *id)
}

/// Ids as a JSON array, which is how many of them are bound to one place.
fn list(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", ids.join(","))
}
