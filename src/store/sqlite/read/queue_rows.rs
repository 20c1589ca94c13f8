//! Reads of queues: settings, counts and the age of the oldest queued job.

use std::cmp::Reverse;
use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::queue::{Queue, QueueName, StateCounts};
use crate::job::{Lane, Span, Timestamp};
use crate::store::schema::{queue_counts, queues};
use crate::store::sql_types::Integer;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::queue::{SettingsRow, parse_queue_name, settings_of};
use crate::store::{QueueSubset, state_of};

statement! {
    /// Finds the first queued job with a lower priority: one step of the search for the oldest.
    FirstBelowPriority -> (Integer, Integer) =
    "SELECT priority, run_at FROM jobs
     WHERE state = 1 AND lane = (" [lane: Integer as i64] " + 0) AND queue_id = " [queue_id: Integer as i64]
    " AND priority < " [priority: Integer as i64] " ORDER BY priority DESC, id LIMIT 1"
}

/// Id, name and settings of a queue.
type QueueRow = (i64, String, SettingsRow);

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
        queues::table.order(queues::name).select(columns()).load(connection)?;
    let counts = counts_by_id(connection)?;
    let counts_of = |id: &i64| counts.get(id).copied().unwrap_or_default();
    let total = rows.len();
    let mut rows: Vec<(QueueRow, StateCounts)> = rows
        .into_iter()
        .map(|row| {
            let counts = counts_of(&row.0);
            (row, counts)
        })
        .collect();
    if total > limit {
        rows.sort_by_key(|(_, counts)| Reverse(counts.live()));
        rows.truncate(limit);
        rows.sort_by(|(one, _), (other, _)| one.1.cmp(&other.1));
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
    let found = queues::table.filter(queues::name.eq(name.as_str())).select(columns());
    let row: Option<QueueRow> = found.get_result(connection).optional()?;
    let Some(row) = row else { return Ok(None) };
    let rows: Vec<(i64, i64)> = queue_counts::table
        .filter(queue_counts::queue_id.eq(row.0))
        .select((queue_counts::state, queue_counts::jobs))
        .load(connection)?;
    let mut counts = StateCounts::default();
    for (state, jobs) in rows {
        *counts.get_mut(state_of(state)?) = jobs;
    }
    to_queue(connection, row, counts, now).map(Some)
}

/// Returns the number of jobs of every queue, by state.
pub(crate) fn counts(
    connection: &mut SqliteConnection,
) -> Result<Vec<(QueueName, StateCounts)>, TransactionError> {
    let names: Vec<(i64, String)> =
        queues::table.select((queues::id, queues::name)).load(connection)?;
    let counts = counts_by_id(connection)?;
    let counts_of = |id: i64| counts.get(&id).copied().unwrap_or_default();
    names.into_iter().map(|(id, name)| Ok((parse_queue_name(&name)?, counts_of(id)))).collect()
}

type Columns = (
    queues::id,
    queues::name,
    (queues::paused, queues::max_running, queues::rate_limit, queues::rate_period_ms),
);

fn columns() -> Columns {
    (
        queues::id,
        queues::name,
        (queues::paused, queues::max_running, queues::rate_limit, queues::rate_period_ms),
    )
}

/// Returns the counts of all queues by queue id.
///
/// One query, because there may be thousands of queues; it skips the counts that are 0, which most are.
fn counts_by_id(
    connection: &mut SqliteConnection,
) -> Result<HashMap<i64, StateCounts>, TransactionError> {
    let rows: Vec<(i64, i64, i64)> = queue_counts::table
        .filter(queue_counts::jobs.ne(0))
        .select((queue_counts::queue_id, queue_counts::state, queue_counts::jobs))
        .load(connection)?;
    let mut counts: HashMap<i64, StateCounts> = HashMap::new();
    for (id, state, jobs) in rows {
        *counts.entry(id).or_default().get_mut(state_of(state)?) = jobs;
    }
    Ok(counts)
}

fn to_queue(
    connection: &mut SqliteConnection,
    (id, name, settings): QueueRow,
    jobs: StateCounts,
    now: Timestamp,
) -> Result<Queue, TransactionError> {
    let oldest_queued_at = if jobs.queued > 0 { oldest_queued(connection, id)? } else { None };
    Ok(Queue {
        name: parse_queue_name(&name)?,
        settings: settings_of(settings),
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
