//! Reads of the leases of remote workers.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::lease::{Lease, LeaseState};
use crate::job::{JobId, KeyId, QueueName};
use crate::store::group::impossible::json_array;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::access::VisibleQueues;
use crate::store::sqlite::statement::statement;

statement! {
    /// Finds the running remote jobs among some. CROSS JOIN keeps SQLite from reading another table first.
    FindLeases<'a> -> (Integer, Integer, Integer, Nullable<Integer>, Text) =
    "SELECT jobs.id, jobs.lease_token, jobs.cancel_requested, remote_leases.key_id, queues.name
     FROM json_each(" [jobs: Text as &'a str]
    ") CROSS JOIN jobs ON jobs.id = value AND jobs.state = " {Running} " AND jobs.lane = " {Remote} "
     CROSS JOIN queues ON queues.id = jobs.queue_id
     LEFT JOIN remote_leases ON remote_leases.job_id = jobs.id"
}

/// The latest lease of a running job.
#[derive(Queryable)]
struct LeaseRow {
    job: i64,
    token: i64,
    cancel_requested: i64,
    /// API key that took the lease. A lease from before the first key has none.
    key: Option<i64>,
    queue: String,
}

/// Returns the state of each lease.
pub(super) fn states(
    connection: &mut SqliteConnection,
    leases: &[Lease],
    key: Option<KeyId>,
    visible: &VisibleQueues,
) -> QueryResult<Vec<LeaseState>> {
    let jobs = json_array(leases.iter().map(|lease| lease.job.0));
    let rows: Vec<LeaseRow> = FindLeases { jobs: &jobs }.load(connection)?;
    let rows: HashMap<JobId, LeaseRow> = rows.into_iter().map(|row| (JobId(row.job), row)).collect();
    let state = |lease: &Lease| match rows.get(&lease.job) {
        Some(row) if row.is_held(*lease, key, visible) && row.cancel_requested != 0 => {
            LeaseState::CancelRequested
        }
        Some(row) if row.is_held(*lease, key, visible) => LeaseState::Held,
        _ => LeaseState::Stale,
    };
    Ok(leases.iter().map(state).collect())
}

impl LeaseRow {
    /// Returns whether a worker with this key holds a lease of the job.
    fn is_held(&self, lease: Lease, key: Option<KeyId>, visible: &VisibleQueues) -> bool {
        let is_own = match (self.key, key) {
            (Some(owner), Some(key)) => owner == key.0,
            _ => true,
        };
        let is_visible = || {
            visible.is_all()
                || self.queue.parse::<QueueName>().is_ok_and(|queue| visible.allows(&queue))
        };
        self.token == lease.token.0 && is_own && is_visible()
    }
}
