//! Batches: inserted with their jobs, read by id and listed.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::batch::Batch;
use crate::job::queue::StateCounts;
use crate::job::{BatchId, NewJob};
use crate::store::rows::batch::BatchRow;
use crate::store::schema::batches;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyError;
use crate::store::{BatchPage, NewBatch, StoreError};

statement! {
    InsertBatch<'a> -> Integer =
    "INSERT INTO batches (name, total, scheduled, queued, created_at)
     VALUES (" [name: Nullable<Text> as Option<&'a str>] ", " [total: Integer as i64]
    ", " [scheduled: Integer as i64] ", " [queued: Integer as i64]
    ", " [created_at: Integer as i64] ") RETURNING id"
}

impl CommitGroup<'_> {
    pub(crate) fn insert_batch(
        &mut self,
        batch: &NewBatch,
        jobs: &[NewJob],
    ) -> Result<Batch, ApplyError> {
        let mut counts = StateCounts::default();
        for job in jobs {
            *counts.get_mut(job.state()) += 1;
        }
        let StateCounts { scheduled, queued, .. } = counts;
        let total = counts.live();
        let id: i64 = InsertBatch {
            name: batch.name.as_deref(),
            total,
            scheduled,
            queued,
            created_at: self.now.millis(),
        }
        .get_result(self.connection)?;
        Ok(Batch {
            id: BatchId(id),
            name: batch.name.clone(),
            total,
            counts,
            created_at: self.now,
            finished_at: None,
        })
    }

    pub(crate) fn batch_exists(&mut self, id: BatchId) -> Result<bool, ApplyError> {
        let exists = diesel::dsl::exists(batches::table.find(id.0));
        Ok(diesel::select(exists).get_result(self.connection)?)
    }
}

/// Returns a batch with its current counts.
pub(crate) fn find(
    connection: &mut SqliteConnection,
    id: BatchId,
) -> Result<Option<Batch>, StoreError> {
    let row =
        batches::table.find(id.0).select(BatchRow::as_select()).get_result(connection).optional();
    Ok(row.map_err(TransactionError::from)?.map(Batch::from))
}

/// Returns one page of all batches, newest first.
pub(crate) fn page(
    connection: &mut SqliteConnection,
    limit: u32,
    before: Option<BatchId>,
) -> Result<BatchPage, TransactionError> {
    // One row more than the limit shows whether there is a next page.
    let rows: Vec<BatchRow> = batches::table
        .filter(batches::id.lt(before.map_or(i64::MAX, |before| before.0)))
        .order(batches::id.desc())
        .limit(i64::from(limit) + 1)
        .select(BatchRow::as_select())
        .load(connection)?;
    let has_more = rows.len() > limit as usize;
    let batches: Vec<Batch> = rows.into_iter().take(limit as usize).map(Batch::from).collect();
    let next = batches.last().map(|batch| batch.id).filter(|_| has_more);
    Ok(BatchPage { batches, next })
}
