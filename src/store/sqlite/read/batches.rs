//! Reads of batches.

use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::BatchId;
use crate::job::batch::Batch;
use crate::store::BatchPage;
use crate::store::rows::batch::BatchRow;
use crate::store::rows::end_actions::EndActionsRow;
use crate::store::schema::{batch_end_actions, batches};
use crate::store::sql_types::{Integer, Text};
use crate::store::sqlite::access::VisibleQueues;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::{self, TransactionError};

/// Maximum number of batches that one page reads for a caller that may only use some queues.
const MAX_READ: usize = 2_000;

statement! {
    BatchesOfQueue -> Integer =
    "SELECT batch_id FROM batch_queues WHERE queue_id = " [queue_id: Integer as i64]
    " AND batch_id < " [before: Integer as i64]
    " ORDER BY batch_id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// Finds batches without jobs of keys with these queues.
    EmptyBatches<'a> -> Integer =
    "SELECT id FROM batches WHERE total = 0 AND queue_access = " [patterns: Text as &'a str]
    " AND id < " [before: Integer as i64] " ORDER BY id DESC LIMIT (" [limit: Integer as i64] " + 0)"
}

/// Returns a batch with its current counts, and what happens at its end.
pub(super) fn find(
    connection: &mut SqliteConnection,
    id: BatchId,
    visible: &VisibleQueues,
) -> Result<Option<Batch>, TransactionError> {
    let Some(mut batch) = find_summary(connection, id, visible)? else { return Ok(None) };
    let actions: Option<EndActionsRow> = batch_end_actions::table
        .find(id.0)
        .select(batch_end_actions::all_columns)
        .get_result(connection)
        .optional()?;
    (batch.callback, batch.then) = actions.map_or_else(Default::default, |actions| actions.shown());
    Ok(Some(batch))
}

/// Returns a batch with its current counts, as lists show it.
pub(super) fn find_summary(
    connection: &mut SqliteConnection,
    id: BatchId,
    visible: &VisibleQueues,
) -> Result<Option<Batch>, TransactionError> {
    let find = batches::table.filter(batches::id.eq(id.0)).select(BatchRow::as_select());
    let row: QueryResult<BatchRow> = match visible.batch() {
        Some(is_visible) => find.filter(is_visible).get_result(connection),
        None => find.get_result(connection),
    };
    Ok(row.optional()?.map(Batch::from))
}

/// Returns one page of all batches, newest first.
pub(super) fn page(
    connection: &mut SqliteConnection,
    limit: u32,
    before: Option<BatchId>,
    visible: &VisibleQueues,
) -> Result<BatchPage, TransactionError> {
    let before = before.map_or(i64::MAX, |before| before.0);
    if !visible.is_all() {
        return transaction::reading(connection, |connection| {
            visible_page(connection, limit as usize, before, visible)
        });
    }
    // One row more than the limit shows whether there is a next page.
    let rows: Vec<BatchRow> = batches::table
        .filter(batches::id.lt(before))
        .order(batches::id.desc())
        .limit(i64::from(limit) + 1)
        .select(BatchRow::as_select())
        .load(connection)?;
    let has_more = rows.len() > limit as usize;
    let batches: Vec<Batch> = rows.into_iter().take(limit as usize).map(Batch::from).collect();
    let next = batches.last().map(|batch| batch.id).filter(|_| has_more);
    Ok(BatchPage { batches, next })
}

/// Returns one page of the batches of which the caller may use all queues, with its own ones without jobs. It
/// reads the batches of each of these queues, so its cost does not grow with those of others. A page may be short, and name a next page.
fn visible_page(
    connection: &mut SqliteConnection,
    limit: usize,
    mut before: i64,
    visible: &VisibleQueues,
) -> Result<BatchPage, TransactionError> {
    let queues = visible.queue_ids(connection)?;
    let (mut batches, mut read) = (Vec::new(), 0);
    loop {
        let mut ids = newest_of_queues(connection, &queues, before, limit + 1)?;
        if let Some(patterns) = visible.patterns() {
            let find = EmptyBatches { patterns, before, limit: limit as i64 + 1 };
            ids.extend(find.load::<i64>(connection)?);
        }
        let ids: Vec<i64> = ids.into_iter().rev().take(limit + 1).collect();
        let is_last = ids.len() <= limit;
        for id in ids {
            if batches.len() == limit || read >= MAX_READ {
                return Ok(BatchPage { batches, next: Some(BatchId(before)) });
            }
            (before, read) = (id, read + 1);
            batches.extend(find_summary(connection, BatchId(id), visible)?);
        }
        if is_last {
            return Ok(BatchPage { batches, next: None });
        }
    }
}

/// Returns at least the `limit` largest ids below `before` of the batches of these queues.
fn newest_of_queues(
    connection: &mut SqliteConnection,
    queues: &[i64],
    before: i64,
    limit: usize,
) -> QueryResult<BTreeSet<i64>> {
    let mut newest: BTreeSet<i64> = BTreeSet::new();
    for queue_id in queues {
        let find = BatchesOfQueue { queue_id: *queue_id, before, limit: limit as i64 };
        newest.extend(find.load::<i64>(connection)?);
    }
    Ok(newest)
}
