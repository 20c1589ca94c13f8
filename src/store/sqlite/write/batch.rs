//! Batches: inserted with their jobs, read by id and listed.

mod life;

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::batch::Batch;
use crate::job::submission::on_end::Owner;
use crate::job::submission::on_end::follow_up::FollowUp;
use crate::job::queue::StateCounts;
use crate::job::{BatchId, NewJob, QueueName, Timestamp};
use crate::store::rows::batch::BatchRow;
use crate::store::schema::batches;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyError;
use crate::store::{NewBatch, StoreError};

statement! {
    /// Notes that a batch has a job in a queue.
    InsertBatchQueue =
    "INSERT OR IGNORE INTO batch_queues (batch_id, queue_id) VALUES (" [batch: Integer as i64]
    ", " [queue_id: Integer as i64] ")"
}

statement! {
    InsertBatch<'a> -> Integer =
    "INSERT INTO batches (name, total, scheduled, queued, created_at, finished_at, open_until,
         queue_access)
     VALUES (" [name: Nullable<Text> as Option<&'a str>] ", " [total: Integer as i64]
    ", " [scheduled: Integer as i64] ", " [queued: Integer as i64]
    ", " [created_at: Integer as i64] ", " [finished_at: Nullable<Integer> as Option<i64>]
    ", " [open_until: Nullable<Integer> as Option<i64>]
    ", " [queue_access: Nullable<Text> as Option<&'a str>] ") RETURNING id"
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
        let closes_at = batch.open_for.map(|span| self.now.plus(span.duration()));
        // A closed batch without jobs ends at once.
        let finished_at = (total == 0 && closes_at.is_none()).then_some(self.now);
        let id: i64 = InsertBatch {
            name: batch.name.as_deref(),
            total,
            scheduled,
            queued,
            created_at: self.now.millis(),
            finished_at: finished_at.map(Timestamp::millis),
            open_until: closes_at.map(Timestamp::millis),
            queue_access: self.visible.patterns(),
        }
        .get_result(self.connection)?;
        if finished_at.is_some() {
            self.changes.push_closed(BatchId(id));
        }
        let queues: BTreeSet<&QueueName> = jobs.iter().map(|job| &job.queue).collect();
        for queue in queues {
            let queue_id = self.queue_id(queue)?;
            self.add_batch_queue(BatchId(id), queue_id)?;
        }
        if let Some(on_end) = &batch.on_end {
            self.insert_end_actions(Owner::Batch(BatchId(id)), on_end)?;
        }
        let on_end = batch.on_end.as_deref();
        Ok(Batch {
            id: BatchId(id),
            name: batch.name.clone(),
            total,
            counts,
            created_at: self.now,
            finished_at,
            open: closes_at.is_some(),
            closes_at,
            callback: on_end.and_then(|on_end| on_end.callback.clone()),
            then: on_end.and_then(|on_end| on_end.then.as_deref()).map(FollowUp::shown),
        })
    }

    /// Notes that a batch has a job in a queue.
    pub(super) fn add_batch_queue(
        &mut self,
        batch: BatchId,
        queue_id: i64,
    ) -> Result<(), ApplyError> {
        InsertBatchQueue { batch: batch.0, queue_id }.execute(self.connection)?;
        Ok(())
    }

    /// Returns whether a batch exists for the caller.
    pub(crate) fn batch_exists(&mut self, id: BatchId) -> Result<bool, ApplyError> {
        let find = batches::table.filter(batches::id.eq(id.0)).select(batches::id);
        let found: QueryResult<i64> = match self.visible.batch() {
            Some(is_visible) => find.filter(is_visible).get_result(self.connection),
            None => find.get_result(self.connection),
        };
        Ok(found.optional()?.is_some())
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
