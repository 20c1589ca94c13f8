//! Time buckets: counters of ten seconds each, for charts. Stored for a little over an hour.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::{QueueName, Timestamp};
use crate::metrics::counters::Counters;
use crate::metrics::time_bucket::TimeBucket;
use crate::store::Answer;
use crate::store::group::impossible::ImpossibleRows;
use crate::store::rows::time_bucket::{TimeBucketRow, histogram_json, to_column};
use crate::store::schema::{queues, time_buckets};
use crate::store::sql_types::{Integer, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};

/// Queue id of the rows that count all queues together.
const ALL_QUEUES: i64 = 0;

/// Time for which rows are stored: one hour, and five minutes of reserve.
const RETENTION: Duration = Duration::from_secs(3_900);

/// Maximum number of old rows that one write deletes. It is more than one write inserts.
const MAX_DELETED_ROWS: i64 = 10_000;

statement! {
    UpsertTimeBucket<'a> =
    "INSERT OR REPLACE INTO time_buckets (queue_id, began_at, submitted, started, completed, failed,
         cancelled, retried, waiting, running, start, run)
     VALUES (" [queue_id: Integer as i64] ", " [began_at: Integer as i64]
    ", " [submitted: Integer as i64] ", " [started: Integer as i64]
    ", " [completed: Integer as i64] ", " [failed: Integer as i64]
    ", " [cancelled: Integer as i64] ", " [retried: Integer as i64]
    ", " [waiting: Integer as i64] ", " [running: Integer as i64]
    ", " [start: Text as &'a str] ", " [run: Text as &'a str] ")"
}

statement! {
    /// Deletes rows that are too old for charts, and rows in the future, which were written before the
    /// clock was set back.
    DeleteOldTimeBuckets =
    "DELETE FROM time_buckets WHERE (queue_id, began_at) IN (
         SELECT queue_id, began_at FROM time_buckets
         WHERE began_at < " [before: Integer as i64] " OR began_at > " [after: Integer as i64]
    "    LIMIT (" [limit: Integer as i64] " + 0))"
}

impl CommitGroup<'_> {
    /// Stores closed time buckets, and deletes those that are too old for charts.
    pub(crate) fn store_time_buckets(&mut self, buckets: &[Arc<TimeBucket>]) -> ApplyResult {
        for bucket in buckets {
            for (queue, counters) in &bucket.queues {
                let Some(queue_id) = self.queue_ids.id(queue) else { continue };
                self.on_row(None, |group| {
                    group.upsert_time_bucket(queue_id, bucket.began_at, counters)
                })?;
            }
            self.on_row(None, |group| {
                group.upsert_time_bucket(ALL_QUEUES, bucket.began_at, &bucket.all)
            })?;
        }
        let before = self.now.minus(RETENTION).millis();
        let after = self.now.millis();
        DeleteOldTimeBuckets { before, after, limit: MAX_DELETED_ROWS }.execute(self.connection)?;
        Ok(Answer::Done)
    }

    /// Adds counters to the stored ones of the same bucket: a server that starts within a bucket
    /// continues the one of the server before it. The gauges (waiting, running) are replaced.
    fn upsert_time_bucket(
        &mut self,
        queue_id: i64,
        began_at: Timestamp,
        counters: &Counters,
    ) -> Result<(), ApplyError> {
        let earlier: Option<TimeBucketRow> = time_buckets::table
            .find((queue_id, began_at.millis()))
            .select(TimeBucketRow::as_select())
            .get_result(self.connection)
            .optional()?;
        let mut sum = match earlier {
            Some(row) => row.into_counters()?.1,
            None => Counters::default(),
        };
        sum.add(counters);
        UpsertTimeBucket {
            queue_id,
            began_at: began_at.millis(),
            submitted: to_column(sum.counts.submitted),
            started: to_column(sum.counts.started),
            completed: to_column(sum.counts.completed),
            failed: to_column(sum.counts.failed),
            cancelled: to_column(sum.counts.cancelled),
            retried: to_column(sum.counts.retried),
            waiting: to_column(counters.counts.waiting),
            running: to_column(counters.counts.running),
            start: &histogram_json(&sum.start),
            run: &histogram_json(&sum.run),
        }
        .execute(self.connection)?;
        Ok(())
    }
}

/// Returns the time buckets of a queue, or the totals of all queues, that start within `range`, oldest
/// first.
pub(crate) fn in_range(
    connection: &mut SqliteConnection,
    queue: Option<&QueueName>,
    range: (Timestamp, Timestamp),
    impossible: &mut ImpossibleRows,
) -> Result<Vec<(Timestamp, Counters)>, TransactionError> {
    let Some(queue_id) = queue_id(connection, queue)? else { return Ok(Vec::new()) };
    let rows: Vec<TimeBucketRow> = time_buckets::table
        .filter(time_buckets::queue_id.eq(queue_id))
        .filter(time_buckets::began_at.between(range.0.millis(), range.1.millis()))
        .order(time_buckets::began_at)
        .select(TimeBucketRow::as_select())
        .load(connection)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in rows {
        found.extend(impossible.skip(row.into_counters())?);
    }
    Ok(found)
}

fn queue_id(
    connection: &mut SqliteConnection,
    queue: Option<&QueueName>,
) -> Result<Option<i64>, TransactionError> {
    let Some(queue) = queue else { return Ok(Some(ALL_QUEUES)) };
    let found = queues::table.filter(queues::name.eq(queue.as_str())).select(queues::id);
    Ok(found.get_result(connection).optional()?)
}
