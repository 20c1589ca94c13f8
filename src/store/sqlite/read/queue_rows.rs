//! Reads of queues: settings, counts and the age of the oldest queued job.

use std::cmp::Reverse;
use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::queue::{Queue, QueueName, StateCounts};
use crate::job::{Lane, Span, Timestamp};
use crate::store::QueueSubset;
use crate::store::rows::queue::{CountRow, QueueNameRow, QueueRow};
use crate::store::rows::values::queue_name;
use crate::store::schema::{queue_counts, queues};
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;

statement! {
    /// Finds the first queued job with a lower priority: one step of the search for the oldest.
    FirstBelowPriority -> (Integer, Integer) =
    "SELECT priority, run_at FROM jobs
     WHERE state = " {Queued} " AND lane = (" [lane: Integer as i64] " + 0) AND queue_id = " [queue_id: Integer as i64]
    " AND priority < " [priority: Integer as i64] " ORDER BY priority DESC, id LIMIT 1"
}

/// Returns all queues, ordered by name.
pub(crate) fn all(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<Queue>, TransactionError> {
    Ok(deepest(connection, usize::MAX, now)?.queues)
}

/// Returns the `limit` queues with the most live jobs, ordered by name.
pub(crate) fn deepest(
    connection: &mut SqliteConnection,
    limit: usize,
    now: Timestamp,
) -> Result<QueueSubset, TransactionError> {
    let rows: Vec<QueueRow> =
        queues::table.order(queues::name).select(QueueRow::as_select()).load(connection)?;
    let counts = counts_by_id(connection)?;
    let counts_of = |id: &i64| counts.get(id).copied().unwrap_or_default();
    let total = rows.len();
    let mut rows: Vec<(QueueRow, StateCounts)> = rows
        .into_iter()
        .map(|row| {
            let counts = counts_of(&row.id);
            (row, counts)
        })
        .collect();
    if total > limit {
        rows.sort_by_key(|(_, counts)| Reverse(counts.live()));
        rows.truncate(limit);
        rows.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    }
    let queues = rows.into_iter().map(|(row, counts)| to_queue(connection, row, counts, now));
    Ok(QueueSubset { queues: queues.collect::<Result<_, _>>()?, total })
}

/// Returns a queue, if it exists.
pub(crate) fn find(
    connection: &mut SqliteConnection,
    name: &QueueName,
    now: Timestamp,
) -> Result<Option<Queue>, TransactionError> {
    let found = queues::table.filter(queues::name.eq(name.as_str())).select(QueueRow::as_select());
    let row: Option<QueueRow> = found.get_result(connection).optional()?;
    let Some(row) = row else { return Ok(None) };
    let rows: Vec<CountRow> = queue_counts::table
        .filter(queue_counts::queue_id.eq(row.id))
        .select(CountRow::as_select())
        .load(connection)?;
    let mut counts = StateCounts::default();
    for row in rows {
        *counts.of(row.state()?) = row.jobs;
    }
    to_queue(connection, row, counts, now).map(Some)
}

/// Returns the number of jobs of every queue, by state.
pub(crate) fn counts(
    connection: &mut SqliteConnection,
) -> Result<Vec<(QueueName, StateCounts)>, TransactionError> {
    let rows: Vec<QueueNameRow> =
        queues::table.select(QueueNameRow::as_select()).load(connection)?;
    let counts = counts_by_id(connection)?;
    let counts_of = |id: i64| counts.get(&id).copied().unwrap_or_default();
    rows.iter().map(|row| Ok((row.parse()?, counts_of(row.id)))).collect()
}

/// Returns the counts of all queues by queue id.
///
/// One query, because there may be thousands of queues; it skips the counts that are 0, which most are.
fn counts_by_id(
    connection: &mut SqliteConnection,
) -> Result<HashMap<i64, StateCounts>, TransactionError> {
    let rows: Vec<CountRow> = queue_counts::table
        .filter(queue_counts::jobs.ne(0))
        .select(CountRow::as_select())
        .load(connection)?;
    let mut counts: HashMap<i64, StateCounts> = HashMap::new();
    for row in rows {
        *counts.entry(row.queue_id).or_default().of(row.state()?) = row.jobs;
    }
    Ok(counts)
}

fn to_queue(
    connection: &mut SqliteConnection,
    QueueRow { id, name, settings }: QueueRow,
    jobs: StateCounts,
    now: Timestamp,
) -> Result<Queue, TransactionError> {
    let oldest_queued_at = if jobs.queued > 0 { oldest_queued(connection, id)? } else { None };
    Ok(Queue {
        name: queue_name(id, &name)?,
        settings: settings.into(),
        jobs,
        oldest_queued_at,
        oldest_queued_age: oldest_queued_at.map(|at| Span::new(now.since(at))),
    })
}

/// Returns the smallest `run_at` among the first jobs, by id, of each lane and priority.
///
/// That is one index seek per lane and priority, of which there are few, however long the queue is.
/// For example with jobs of the priorities 5 and 0 in one lane: the first seek finds the first job of
/// priority 5, the second (below 5) the first one of priority 0, and the third (below 0) none.
fn oldest_queued(
    connection: &mut SqliteConnection,
    queue_id: i64,
) -> Result<Option<Timestamp>, TransactionError> {
    let mut oldest: Option<i64> = None;
    for lane in Lane::ALL {
        let mut priority = i64::MAX;
        loop {
            let step = FirstBelowPriority { lane: lane.code(), queue_id, priority };
            let row: Option<(i64, i64)> = step.get_result(connection).optional()?;
            let Some((found, run_at)) = row else { break };
            priority = found;
            oldest = Some(oldest.map_or(run_at, |before| before.min(run_at)));
        }
    }
    Ok(oldest.map(Timestamp::from_millis))
}
