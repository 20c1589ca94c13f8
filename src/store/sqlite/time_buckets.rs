//! What happened by stretches of ten seconds, for the charts. Kept for an hour and some.

use std::sync::Arc;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::group::{Applied, Group, Stop};
use super::statement::statement;
use super::transaction::Failure;
use crate::job::counters::{Counters, TimeBucket};
use crate::job::histogram::Histogram;
use crate::job::{QueueName, Timestamp};
use crate::store::schema::{queues, time_buckets};
use crate::store::sql_types::{Integer, Text};
use crate::store::{Answer, StoreError};

/// Stands for all queues together.
const ALL: i64 = 0;

/// How long the rows are kept: an hour, and some for what a clock cannot foresee.
const KEPT: Duration = Duration::from_secs(3_900);

/// How many rows go at once. More than are written at once.
const FORGOTTEN_AT_ONCE: i64 = 10_000;

statement! {
    KeepTally<'a> =
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
    /// What is too old to be drawn, and what a clock that was set back since has put ahead.
    ForgetTallies =
    "DELETE FROM time_buckets WHERE (queue_id, began_at) IN (
         SELECT queue_id, began_at FROM time_buckets
         WHERE began_at < " [before: Integer as i64] " OR began_at > " [after: Integer as i64]
    "    LIMIT (" [limit: Integer as i64] " + 0))"
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = time_buckets)]
struct Row {
    began_at: i64,
    submitted: i64,
    started: i64,
    completed: i64,
    failed: i64,
    cancelled: i64,
    retried: i64,
    waiting: i64,
    running: i64,
    start: String,
    run: String,
}

impl Group<'_> {
    /// Writes down stretches that are over, and removes those that are too old to be drawn.
    pub(super) fn tally(&mut self, stretches: &[Arc<TimeBucket>]) -> Applied {
        for stretch in stretches {
            for (queue, tally) in &stretch.queues {
                let Some(queue_id) = self.queue_ids.id(queue) else { continue };
                self.keep_tally(queue_id, stretch.began_at, tally)?;
            }
            self.keep_tally(ALL, stretch.began_at, &stretch.all)?;
        }
        let before = self.now.minus(KEPT).millis();
        let forget = ForgetTallies { before, after: self.now.millis(), limit: FORGOTTEN_AT_ONCE };
        forget.execute(self.connection)?;
        Ok(Answer::Done)
    }

    /// A server that began in the middle of a stretch adds to what the one before it wrote.
    fn keep_tally(
        &mut self,
        queue_id: i64,
        began_at: Timestamp,
        tally: &Counters,
    ) -> Result<(), Stop> {
        let earlier: Option<Row> = time_buckets::table
            .find((queue_id, began_at.millis()))
            .select(Row::as_select())
            .get_result(self.connection)
            .optional()?;
        let mut sum = match earlier {
            Some(row) => row.read()?.1,
            None => Counters::default(),
        };
        sum.add(tally);
        KeepTally {
            queue_id,
            began_at: began_at.millis(),
            submitted: count(sum.submitted),
            started: count(sum.started),
            completed: count(sum.completed),
            failed: count(sum.failed),
            cancelled: count(sum.cancelled),
            retried: count(sum.retried),
            waiting: count(tally.waiting),
            running: count(tally.running),
            start: &text(&sum.start),
            run: &text(&sum.run),
        }
        .execute(self.connection)?;
        Ok(())
    }
}

/// What happened in a queue, or in all together, in stretches that began in a span, oldest first.
pub(super) fn within(
    connection: &mut SqliteConnection,
    queue: Option<&QueueName>,
    span: (Timestamp, Timestamp),
) -> Result<Vec<(Timestamp, Counters)>, Failure> {
    let Some(queue_id) = queue_id(connection, queue)? else { return Ok(Vec::new()) };
    let rows: Vec<Row> = time_buckets::table
        .filter(time_buckets::queue_id.eq(queue_id))
        .filter(time_buckets::began_at.between(span.0.millis(), span.1.millis()))
        .order(time_buckets::began_at)
        .select(Row::as_select())
        .load(connection)?;
    Ok(rows.into_iter().map(Row::read).collect::<Result<_, _>>()?)
}

fn queue_id(
    connection: &mut SqliteConnection,
    queue: Option<&QueueName>,
) -> Result<Option<i64>, Failure> {
    let Some(queue) = queue else { return Ok(Some(ALL)) };
    let found = queues::table.filter(queues::name.eq(queue.as_str())).select(queues::id);
    Ok(found.get_result(connection).optional()?)
}

impl Row {
    fn read(self) -> Result<(Timestamp, Counters), StoreError> {
        let number = |count: i64| u64::try_from(count).unwrap_or(0);
        let tally = Counters {
            submitted: number(self.submitted),
            started: number(self.started),
            completed: number(self.completed),
            failed: number(self.failed),
            cancelled: number(self.cancelled),
            retried: number(self.retried),
            waiting: number(self.waiting),
            running: number(self.running),
            start: histogram(&self.start)?,
            run: histogram(&self.run)?,
        };
        Ok((Timestamp::from_millis(self.began_at), tally))
    }
}

fn count(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn text(histogram: &Histogram) -> String {
    serde_json::to_string(histogram).unwrap_or_else(|_| "[]".into())
}

fn histogram(text: &str) -> Result<Histogram, StoreError> {
    serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt(format!("counts of a tally: {error}")))
}
