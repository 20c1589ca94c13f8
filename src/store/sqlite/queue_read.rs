//! Reading queues: their limits, their counts, since when their oldest waits.

use std::cmp::Reverse;
use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::queue::{SettingsRow, name_of, settings_of};
use super::statement::statement;
use super::transaction::Failure;
use crate::job::queue::{Queue, QueueName, StateCounts};
use crate::job::{Lane, Span, Timestamp};
use crate::store::schema::{queue_counts, queues};
use crate::store::sql_types::Integer;
use crate::store::{QueueSubset, state_of};

statement! {
    /// The first queued job below a priority: one step of the walk that finds the oldest.
    FirstBelow -> (Integer, Integer) =
    "SELECT priority, run_at FROM jobs
     WHERE state = 1 AND lane = (" [lane: Integer as i64] " + 0) AND queue_id = " [queue_id: Integer as i64]
    " AND priority < " [priority: Integer as i64] " ORDER BY priority DESC, id LIMIT 1"
}

/// A queue without its oldest job.
type Row = (i64, String, SettingsRow);

/// Every queue, by name.
pub(super) fn all(
    connection: &mut SqliteConnection,
    now: Timestamp,
) -> Result<Vec<Queue>, Failure> {
    Ok(deepest(connection, usize::MAX, now)?.queues)
}

/// The queues with the most live jobs, by name.
pub(super) fn deepest(
    connection: &mut SqliteConnection,
    most: usize,
    now: Timestamp,
) -> Result<QueueSubset, Failure> {
    let rows: Vec<Row> = queues::table.order(queues::name).select(columns()).load(connection)?;
    let counts = counts_by_id(connection)?;
    let of = |id: &i64| counts.get(id).copied().unwrap_or_default();
    let all = rows.len();
    let mut rows: Vec<(Row, StateCounts)> = rows
        .into_iter()
        .map(|row| {
            let counts = of(&row.0);
            (row, counts)
        })
        .collect();
    if all > most {
        rows.sort_by_key(|(_, counts)| Reverse(counts.live()));
        rows.truncate(most);
        rows.sort_by(|(one, _), (other, _)| one.1.cmp(&other.1));
    }
    let queues = rows.into_iter().map(|(row, counts)| queue_of(connection, row, counts, now));
    Ok(QueueSubset { queues: queues.collect::<Result<_, _>>()?, all })
}

/// One queue.
pub(super) fn one(
    connection: &mut SqliteConnection,
    name: &QueueName,
    now: Timestamp,
) -> Result<Option<Queue>, Failure> {
    let found = queues::table.filter(queues::name.eq(name.as_str())).select(columns());
    let row: Option<Row> = found.get_result(connection).optional()?;
    let Some(row) = row else { return Ok(None) };
    let rows: Vec<(i64, i64)> = queue_counts::table
        .filter(queue_counts::queue_id.eq(row.0))
        .select((queue_counts::state, queue_counts::jobs))
        .load(connection)?;
    let mut counts = StateCounts::default();
    for (state, jobs) in rows {
        *counts.of(state_of(state)?) = jobs;
    }
    queue_of(connection, row, counts, now).map(Some)
}

/// How many jobs each queue has, by state.
pub(super) fn counts(
    connection: &mut SqliteConnection,
) -> Result<Vec<(QueueName, StateCounts)>, Failure> {
    let names: Vec<(i64, String)> =
        queues::table.select((queues::id, queues::name)).load(connection)?;
    let counts = counts_by_id(connection)?;
    let of = |id: i64| counts.get(&id).copied().unwrap_or_default();
    names.into_iter().map(|(id, name)| Ok((name_of(&name)?, of(id)))).collect()
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

/// In one query, for there may be thousands of queues; mostly with nothing in most states.
fn counts_by_id(connection: &mut SqliteConnection) -> Result<HashMap<i64, StateCounts>, Failure> {
    let rows: Vec<(i64, i64, i64)> = queue_counts::table
        .filter(queue_counts::jobs.ne(0))
        .select((queue_counts::queue_id, queue_counts::state, queue_counts::jobs))
        .load(connection)?;
    let mut counts: HashMap<i64, StateCounts> = HashMap::new();
    for (id, state, jobs) in rows {
        *counts.entry(id).or_default().of(state_of(state)?) = jobs;
    }
    Ok(counts)
}

fn queue_of(
    connection: &mut SqliteConnection,
    (id, name, settings): Row,
    jobs: StateCounts,
    now: Timestamp,
) -> Result<Queue, Failure> {
    let oldest_queued_at = if jobs.queued > 0 { oldest_queued(connection, id)? } else { None };
    Ok(Queue {
        name: name_of(&name)?,
        settings: settings_of(settings),
        jobs,
        oldest_queued_at,
        oldest_queued_age: oldest_queued_at.map(|at| Span::new(now.since(at))),
    })
}

/// Within one lane and priority the first by id is the oldest; there are few of both, so a walk over
/// them reads a few rows however long the queue is.
fn oldest_queued(
    connection: &mut SqliteConnection,
    queue_id: i64,
) -> Result<Option<Timestamp>, Failure> {
    let mut oldest: Option<i64> = None;
    for lane in Lane::ALL {
        let mut priority = i64::MAX;
        loop {
            let step = FirstBelow { lane: lane.code(), queue_id, priority };
            let row: Option<(i64, i64)> = step.get_result(connection).optional()?;
            let Some((found, run_at)) = row else { break };
            priority = found;
            oldest = Some(oldest.map_or(run_at, |before| before.min(run_at)));
        }
    }
    Ok(oldest.map(Timestamp::from_millis))
}
