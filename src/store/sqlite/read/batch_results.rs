//! Reads of the results of a batch, in the order of submission or in that in which its jobs ended.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::JobId;
use crate::job::batch::result::BatchResult;
use crate::store::group::impossible::ImpossibleRows;
use crate::store::rows::batch::result::BatchResultRow;
use crate::store::schema::{job_extras, jobs, results};
use crate::store::sql_types::Integer;
use crate::store::sqlite::access::VisibleQueues;
use crate::store::sqlite::read::batches;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::{self, TransactionError};
use crate::store::{BatchUpdate, EndQuery, ResultPage, ResultQuery};

statement! {
    JobsOfBatchAfter -> Integer =
    "SELECT id FROM jobs WHERE batch_id = " [batch: Integer as i64] " AND id > " [after: Integer as i64]
    " ORDER BY id LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    EndsOfBatchAfter -> (Integer, Integer) =
    "SELECT seq, job_id FROM batch_ends WHERE batch_id = " [batch: Integer as i64]
    " AND seq > " [after: Integer as i64] " ORDER BY seq LIMIT (" [limit: Integer as i64] " + 0)"
}

/// Returns one page of the results of a batch; `None` if the batch does not exist for the caller.
pub(super) fn page(
    connection: &mut SqliteConnection,
    query: &ResultQuery,
    visible: &VisibleQueues,
    impossible: &mut ImpossibleRows,
) -> Result<Option<ResultPage>, TransactionError> {
    transaction::reading(connection, |connection| {
        if batches::find_summary(connection, query.batch, visible)?.is_none() {
            return Ok(None);
        }
        let (batch, after, limit) = (query.batch.0, query.after.0, query.limit as usize);
        // One job more than the limit shows whether there is a next page.
        let lookup = JobsOfBatchAfter { batch, after, limit: limit as i64 + 1 };
        let ids: Vec<i64> = lookup.load(connection)?;
        let (mut page, mut bytes) = (ResultPage::default(), 0);
        for (index, id) in ids.iter().enumerate() {
            if index == limit || bytes >= query.max_bytes {
                page.next = ids.get(index.wrapping_sub(1)).copied().map(JobId);
                break;
            }
            if let Some(result) = find(connection, JobId(*id), impossible)? {
                bytes += result.bytes();
                page.results.push(result);
            }
        }
        Ok(Some(page))
    })
}

/// Returns a batch and the ends of its jobs after a position; `None` if the batch does not exist for the caller.
pub(super) fn update(
    connection: &mut SqliteConnection,
    query: &EndQuery,
    visible: &VisibleQueues,
    impossible: &mut ImpossibleRows,
) -> Result<Option<BatchUpdate>, TransactionError> {
    transaction::reading(connection, |connection| {
        let found = batches::find_summary(connection, query.batch, visible)?;
        let Some(batch) = found else { return Ok(None) };
        let (batch_id, limit) = (query.batch.0, query.limit as usize);
        let last = known_end(connection, batch_id, query.after)?;
        let mut update = BatchUpdate { batch, ended: Vec::new(), last, has_more: false };
        let lookup = EndsOfBatchAfter { batch: batch_id, after: last, limit: limit as i64 + 1 };
        let mut bytes = 0;
        for (index, (seq, id)) in lookup.load::<(i64, i64)>(connection)?.into_iter().enumerate() {
            if index == limit || bytes >= query.max_bytes {
                update.has_more = true;
                break;
            }
            update.last = seq;
            let found = find(connection, JobId(id), impossible)?;
            if let Some(result) = found.filter(|result| result.state.is_final()) {
                bytes += result.bytes();
                update.ended.push((seq, result));
            }
        }
        Ok(Some(update))
    })
}

/// Returns the number of an end, or 0 if the batch has no such end. Ends are numbered from 1 without gaps.
fn known_end(
    connection: &mut SqliteConnection,
    batch: i64,
    seq: i64,
) -> Result<i64, TransactionError> {
    let lookup = EndsOfBatchAfter { batch, after: seq.saturating_sub(1), limit: 1 };
    let found: Vec<(i64, i64)> = lookup.load(connection)?;
    Ok(if found.is_empty() { 0 } else { seq })
}

/// Returns how a job has ended so far; `None` if it does not exist, or if its row is impossible.
pub(super) fn find(
    connection: &mut SqliteConnection,
    id: JobId,
    impossible: &mut ImpossibleRows,
) -> Result<Option<BatchResult>, TransactionError> {
    let row: Option<BatchResultRow> = jobs::table
        .left_join(results::table)
        .left_join(job_extras::table)
        .filter(jobs::id.eq(id.0))
        .select(BatchResultRow::as_select())
        .get_result(connection)
        .optional()?;
    let parsed = row.map(BatchResultRow::into_result).transpose();
    Ok(impossible.skip(parsed)?.flatten())
}
