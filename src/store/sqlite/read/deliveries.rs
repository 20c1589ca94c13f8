//! Reads of deliveries of webhooks.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::delivery_status::DeliveryStatus;
use crate::job::{BatchId, JobId};
use crate::store::rows::end_actions::delivery::DeliveryRow;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::read::{SqliteReads, batches};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::{self, TransactionError};

statement! {
    LatestOfJob -> Integer =
    "SELECT id FROM deliveries WHERE job_id = " [job: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    LatestOfBatch -> Integer =
    "SELECT id FROM deliveries WHERE batch_id = " [batch: Integer as i64]
    " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

/// Columns of a [`DeliveryRow`].
type DeliveryColumns = (
    Integer,
    Nullable<Integer>,
    Nullable<Integer>,
    Nullable<Text>,
    Nullable<Text>,
    Integer,
    Integer,
    Integer,
    Integer,
    Integer,
    Nullable<Integer>,
    Nullable<Text>,
    Nullable<Text>,
    Nullable<Integer>,
    Nullable<Integer>,
);

statement! {
    /// Reads one delivery. `json_valid` keeps a text that is not JSON from failing the statement; SQLite
    /// parses each text once.
    FindDelivery -> DeliveryColumns =
    "SELECT deliveries.id, deliveries.job_id, deliveries.batch_id,
         CASE WHEN json_valid(payload) THEN json_extract(payload, '$.url') END,
         CASE WHEN json_valid(payload) THEN json_extract(payload, '$.body.type') END,
         state, attempt, max_attempts, created_at, run_at, finished_at, error_code, error_message,
         CASE WHEN json_valid(result) THEN json_extract(result, '$.status') END,
         (SELECT CASE WHEN json_valid(detail) THEN json_extract(detail, '$.response.status') END
          FROM attempts WHERE attempts.job_id = deliveries.id ORDER BY lease_token DESC LIMIT 1)
     FROM deliveries JOIN jobs ON jobs.id = deliveries.id
     LEFT JOIN results ON results.job_id = deliveries.id
     WHERE deliveries.id = " [id: Integer as i64]
}

impl SqliteReads {
    /// Returns the latest deliveries of a job or batch that exists for the caller, oldest first.
    pub(super) fn find_deliveries(
        &mut self,
        owner: Owner,
        limit: u32,
    ) -> Result<Option<Vec<DeliveryStatus>>, TransactionError> {
        if !self.is_visible(owner)? {
            return Ok(None);
        }
        let Self { connection, impossible, .. } = self;
        let rows = transaction::reading(connection, |connection| latest(connection, owner, limit))?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            found.extend(impossible.skip(row.into_status())?);
        }
        Ok(Some(found))
    }

    /// Returns one delivery with its job or batch, if that exists for the caller.
    pub(super) fn find_delivery(
        &mut self,
        JobId(id): JobId,
    ) -> Result<Option<(Owner, DeliveryStatus)>, TransactionError> {
        let row: Option<DeliveryRow> =
            FindDelivery { id }.get_result(&mut self.connection).optional()?;
        let Some(row) = row else { return Ok(None) };
        match row.owner() {
            Some(owner) if self.is_visible(owner)? => Ok(Some((owner, row.into_status()?))),
            _ => Ok(None),
        }
    }

    /// Returns whether a job or batch exists for the caller.
    fn is_visible(&mut self, owner: Owner) -> Result<bool, TransactionError> {
        Ok(match owner {
            Owner::Job(id) => self.find_visible_id(id)?.is_some(),
            Owner::Batch(id) => {
                batches::find_summary(&mut self.connection, id, &self.visible)?.is_some()
            }
        })
    }
}

/// Returns the rows of the latest deliveries, oldest first.
fn latest(
    connection: &mut SqliteConnection,
    owner: Owner,
    limit: u32,
) -> Result<Vec<DeliveryRow>, TransactionError> {
    let limit = limit.into();
    let ids: Vec<i64> = match owner {
        Owner::Job(JobId(job)) => LatestOfJob { job, limit }.load(connection)?,
        Owner::Batch(BatchId(batch)) => LatestOfBatch { batch, limit }.load(connection)?,
    };
    let mut rows = Vec::with_capacity(ids.len());
    for id in ids.into_iter().rev() {
        rows.extend(FindDelivery { id }.get_result::<DeliveryRow>(connection).optional()?);
    }
    Ok(rows)
}
