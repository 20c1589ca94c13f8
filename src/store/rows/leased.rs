//! Rows of jobs that were just leased.

use diesel::prelude::*;

use crate::job::lease::{Lease, LeaseToken, LeasedJob};
use crate::job::{BatchId, JobId, Json, KeyId, Span, Timestamp};
use crate::roster::LeaseOrder;
use crate::store::group::names::ProviderIds;
use crate::store::rows::values::count_of;
use crate::store::schema::jobs;

/// Columns of a [`LeasedJob`].
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = jobs)]
pub(crate) struct LeasedRow {
    priority: i64,
    id: i64,
    lease_token: i64,
    attempt: i64,
    max_attempts: i64,
    timeout_ms: i64,
    batch_id: Option<i64>,
    pub(crate) provider_id: Option<i64>,
    key_id: Option<i64>,
    kind: String,
    payload: String,
    run_at: i64,
}

impl LeasedRow {
    /// Returns the sort key in the order of leases: descending priority, then ascending id.
    pub(crate) fn position(&self) -> (i64, i64) {
        (-self.priority, self.id)
    }

    /// Returns how long the job was due until `now`.
    pub(crate) fn waited(&self, now: Timestamp) -> Span {
        Span::new(now.since(Timestamp::from_millis(self.run_at)))
    }

    /// Converts the row to a job that was leased for `order` at `now` until `lease_expires_at`.
    pub(crate) fn into_job(
        self,
        order: &LeaseOrder,
        now: Timestamp,
        lease_expires_at: Timestamp,
        providers: &ProviderIds,
    ) -> LeasedJob {
        LeasedJob {
            lease: Lease { job: JobId(self.id), token: LeaseToken(self.lease_token) },
            lease_expires_at,
            started_at: now,
            kind: self.kind,
            queue: order.queue.clone(),
            lane: order.lane,
            attempt: count_of(self.attempt),
            max_attempts: count_of(self.max_attempts),
            timeout: Span::from_millis(self.timeout_ms),
            batch: self.batch_id.map(BatchId),
            provider: self.provider_id.and_then(|id| providers.name(id).cloned()),
            key: self.key_id.map(KeyId),
            payload: Json::trusted(self.payload),
        }
    }
}
