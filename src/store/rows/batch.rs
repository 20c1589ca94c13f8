//! Rows of batches.

pub(crate) mod result;

use diesel::prelude::*;

use crate::job::batch::Batch;
use crate::job::queue::StateCounts;
use crate::job::{BatchId, Timestamp};
use crate::store::schema::batches;

/// Columns of a [`Batch`].
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = batches)]
pub(crate) struct BatchRow {
    id: i64,
    name: Option<String>,
    total: i64,
    scheduled: i64,
    queued: i64,
    running: i64,
    retrying: i64,
    completed: i64,
    failed: i64,
    cancelled: i64,
    created_at: i64,
    finished_at: Option<i64>,
    open_until: Option<i64>,
}

/// Converts the row to a batch without what happens at its end.
impl From<BatchRow> for Batch {
    fn from(row: BatchRow) -> Self {
        Self {
            id: BatchId(row.id),
            name: row.name,
            total: row.total,
            counts: StateCounts {
                scheduled: row.scheduled,
                queued: row.queued,
                running: row.running,
                retrying: row.retrying,
                completed: row.completed,
                failed: row.failed,
                cancelled: row.cancelled,
            },
            created_at: Timestamp::from_millis(row.created_at),
            finished_at: row.finished_at.map(Timestamp::from_millis),
            open: row.open_until.is_some(),
            closes_at: row.open_until.map(Timestamp::from_millis),
            callback: None,
            then: None,
        }
    }
}
