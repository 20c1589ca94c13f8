//! Rows of jobs that were just leased.

use diesel::prelude::*;

use crate::job::lease::{Lease, LeaseToken, LeasedJob};
use crate::job::{BatchId, JobId, Json, KeyId, Span, Timestamp};
use crate::roster::LeaseOrder;
use crate::store::group::names::ProviderIds;
use crate::store::rows::values::{count_of, tags_of};
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
    provider_id: Option<i64>,
    key_id: Option<i64>,
    kind: String,
    payload: String,
    run_at: i64,
}

/// A row that was just leased, with what is read besides it.
#[derive(Debug)]
pub(crate) struct GrantedRow {
    row: LeasedRow,
    /// Time at which the lease expires.
    lease_expires_at: i64,
    /// The `tags` column, read only for remote workers.
    tags: Option<String>,
    /// The metadata, read only for remote workers.
    metadata: Option<String>,
}

impl From<(LeasedRow, i64)> for GrantedRow {
    /// Adds the time at which the lease expires to a row for a worker of this server.
    fn from((row, lease_expires_at): (LeasedRow, i64)) -> Self {
        Self { row, lease_expires_at, tags: None, metadata: None }
    }
}

impl From<(LeasedRow, i64, Option<String>, Option<String>)> for GrantedRow {
    /// Adds the end of the lease, the tags and the metadata to a row for a remote worker.
    fn from(
        (row, lease_expires_at, tags, metadata): (LeasedRow, i64, Option<String>, Option<String>),
    ) -> Self {
        Self { row, lease_expires_at, tags, metadata }
    }
}

impl GrantedRow {
    /// Returns the sort key in the order of leases: descending priority, then ascending id.
    pub(crate) fn position(&self) -> (i64, i64) {
        (-self.row.priority, self.row.id)
    }

    /// Returns how long the job was due until `now`.
    pub(crate) fn waited(&self, now: Timestamp) -> Span {
        Span::new(now.since(Timestamp::from_millis(self.row.run_at)))
    }

    /// Converts the row to a job that was leased for `order` at `now`.
    pub(crate) fn into_job(
        self,
        order: &LeaseOrder,
        now: Timestamp,
        providers: &ProviderIds,
    ) -> LeasedJob {
        let Self { row, lease_expires_at, tags, metadata } = self;
        LeasedJob {
            lease: Lease { job: JobId(row.id), token: LeaseToken(row.lease_token) },
            lease_expires_at: Timestamp::from_millis(lease_expires_at),
            started_at: now,
            kind: row.kind,
            queue: order.queue.clone(),
            lane: order.lane,
            attempt: count_of(row.attempt),
            max_attempts: count_of(row.max_attempts),
            timeout: Span::from_millis(row.timeout_ms),
            batch: row.batch_id.map(BatchId),
            provider: row.provider_id.and_then(|id| providers.name(id).cloned()),
            key: row.key_id.map(KeyId),
            tags: tags_of(tags.as_deref()),
            metadata: metadata.map(Json::trusted),
            payload: Json::trusted(row.payload),
        }
    }
}
