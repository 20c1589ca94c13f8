//! Leasing to remote workers, which may take some kinds only.

use std::sync::Arc;

use diesel::prelude::*;

use super::group::{Applied, Group, Stop};
use super::lease::LeasedRow;
use super::statement::statement;
use crate::job::QueueName;
use crate::job::roster::Order;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::{Answer, LeaseRequest, MAX_LEASED_BYTES};

statement! {
    /// The first in line of a queue, by way of `jobs_queued`.
    FirstRemote -> (Integer, Integer, Integer) =
    "SELECT priority, id, octet_length(payload) FROM jobs
     WHERE state = 1 AND lane = 3 AND queue_id = " [queue_id: Integer as i64]
    " AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ") ORDER BY priority DESC, id LIMIT " [limit: Integer as i64]
}

statement! {
    /// The first in line of a queue and a kind. SQLite would rather pass over all other kinds.
    FirstOfKind<'a> -> (Integer, Integer, Integer) =
    "SELECT priority, id, octet_length(payload) FROM jobs INDEXED BY jobs_queued_remote
     WHERE state = 1 AND lane = 3 AND queue_id = " [queue_id: Integer as i64]
    " AND kind = " [kind: Text as &'a str]
    " AND (expires_at IS NULL OR started_at IS NOT NULL OR expires_at > " [at: Integer as i64]
    ") ORDER BY priority DESC, id LIMIT " [limit: Integer as i64]
}

statement! {
    /// No lease reaches beyond the time that its attempt may take.
    LeaseThese<'a> -> ((Integer, Integer, Integer, Integer, Integer, Integer, Nullable<Integer>, Text, Text), Integer) =
    "UPDATE jobs
     SET state = 2, attempt = attempt + 1,
         lease_token = max(lease_token + 1, " [token_floor: Integer as i64] "),
         progress_percent = NULL, progress_message = NULL, started_at = " [now: Integer as i64]
    ", lease_expires_at = min(" [lease_expires_at: Integer as i64] ", " [from: Integer as i64] " + timeout_ms)
     WHERE id IN (SELECT value FROM json_each(" [jobs: Text as &'a str]
    ")) RETURNING priority, id, lease_token, attempt, max_attempts, timeout_ms, batch_id, kind, payload, lease_expires_at"
}

statement! {
    NameWorker<'a> =
    "INSERT OR REPLACE INTO remote_leases (job_id, worker)
     SELECT value, " [worker: Text as &'a str] " FROM json_each(" [jobs: Text as &'a str] ")"
}

statement! {
    ForgetWorkers<'a> =
    "DELETE FROM remote_leases WHERE job_id IN (SELECT value FROM json_each(" [jobs: Text as &'a str] "))"
}

/// What a remote worker takes from: a queue, and all kinds or some.
#[derive(Debug)]
pub(super) struct Spot {
    queue: QueueName,
    kinds: Option<Arc<[String]>>,
}

impl Spot {
    fn is_that_of(&self, order: &Order) -> bool {
        self.queue == order.queue && self.kinds == order.kinds
    }
}

impl Group<'_> {
    pub(super) fn lease_remote(&mut self, request: &LeaseRequest, queue_id: i64) -> Applied {
        let order = &request.order;
        if self.empty.iter().any(|spot| spot.is_that_of(order)) {
            return Ok(Answer::Leased(Vec::new()));
        }
        let found = self.first_in_line(order, queue_id)?;
        if found.is_empty() {
            // Who asks for none finds none, and that says nothing.
            if order.limit > 0 {
                self.empty.push(Spot { queue: order.queue.clone(), kinds: order.kinds.clone() });
            }
            return Ok(Answer::Leased(Vec::new()));
        }
        let jobs = list(&found);
        let rows: Vec<(LeasedRow, i64)> = LeaseThese {
            token_floor: self.token_floor,
            now: self.now.millis(),
            lease_expires_at: self.now.plus(request.lease.duration()).millis(),
            from: self.now.millis(),
            jobs: &jobs,
        }
        .load(self.connection)?;
        match &request.worker {
            Some(worker) => NameWorker { worker, jobs: &jobs }.execute(self.connection)?,
            None => ForgetWorkers { jobs: &jobs }.execute(self.connection)?,
        };
        Ok(Answer::Leased(self.leased(order, rows)))
    }

    /// The ids of the jobs to lease. Of several kinds the first of each are looked up, and the first
    /// of those taken, until their payloads are as large as one lease may be.
    fn first_in_line(&mut self, order: &Order, queue_id: i64) -> Result<Vec<i64>, Stop> {
        let (at, limit) = (self.now.millis(), i64::from(order.limit));
        let mut found: Vec<(i64, i64, i64)> = match &order.kinds {
            None => FirstRemote { queue_id, at, limit }.load(self.connection)?,
            Some(kinds) => {
                let mut found = Vec::new();
                for kind in kinds.iter() {
                    let of_kind: Vec<(i64, i64, i64)> =
                        FirstOfKind { queue_id, kind, at, limit }.load(self.connection)?;
                    found.extend(of_kind);
                }
                found
            }
        };
        found.sort_unstable_by_key(|(priority, id, _)| (-priority, *id));
        found.truncate(order.limit as usize);
        let mut bytes = 0;
        let fits = |(_, _, size): &(i64, i64, i64)| {
            let is_room = bytes < MAX_LEASED_BYTES;
            bytes += usize::try_from(*size).unwrap_or(0);
            is_room
        };
        Ok(found.into_iter().take_while(fits).map(|(_, id, _)| id).collect())
    }
}

/// Ids as a JSON array, which is how many of them are bound to one place.
fn list(ids: &[i64]) -> String {
    let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
    format!("[{}]", ids.join(","))
}
