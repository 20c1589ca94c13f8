//! Reads of queues: settings, counts and the age of the oldest queued job.

use std::cmp::Reverse;
use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::queue::{Queue, QueueName, StateCounts};
use crate::job::{Lane, Span, Timestamp};
use crate::store::group::impossible::ImpossibleRows;
use crate::store::rows::queue::{CountRow, QueueNameRow, QueueRow};
use crate::store::rows::values::queue_name;
use crate::store::schema::{queue_counts, queues};
use crate::store::sql_types::{Integer, Nullable};
use crate::store::sqlite::access::VisibleQueues;
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::{QueueSubset, StoreError};

statement! {
    /// Finds the first queued job with a lower priority: one step of the search for the oldest.
    FirstBelowPriority -> (Integer, Integer) =
    "SELECT priority, run_at FROM jobs
     WHERE state = " {Queued} " AND lane = (" [lane: Integer as i64] " + 0) AND queue_id = " [queue_id: Integer as i64]
    " AND provider_id IS " [provider_id: Nullable<Integer> as Option<i64>]
    " AND priority < " [priority: Integer as i64] " ORDER BY priority DESC, id LIMIT 1"
}

statement! {
    /// Finds the next provider of which jobs are queued; one index seek skips all jobs of the one before it.
    NextProvider -> Integer =
    "SELECT provider_id FROM jobs
     WHERE state = " {Queued} " AND lane = " {Async} " AND queue_id = " [queue_id: Integer as i64]
    " AND provider_id > " [after: Integer as i64] " ORDER BY provider_id LIMIT 1"
}

/// Counts of one queue.
#[derive(Debug, Clone, Copy, Default)]
struct QueueCounts {
    jobs: StateCounts,
    entered: StateCounts,
}

/// Reads of queues on one connection. Queues and counts with impossible values are skipped.
pub(super) struct QueueReads<'a> {
    pub(super) connection: &'a mut SqliteConnection,
    pub(super) impossible: &'a mut ImpossibleRows,
    pub(super) visible: &'a VisibleQueues,
}

impl QueueReads<'_> {
    /// Returns all queues, ordered by name.
    pub(super) fn all(mut self, now: Timestamp) -> Result<Vec<Queue>, TransactionError> {
        Ok(self.read_deepest(usize::MAX, now)?.queues)
    }

    /// Returns the `limit` queues with the most live jobs, ordered by name.
    pub(super) fn deepest(
        mut self,
        limit: usize,
        now: Timestamp,
    ) -> Result<QueueSubset, TransactionError> {
        self.read_deepest(limit, now)
    }

    fn read_deepest(
        &mut self,
        limit: usize,
        now: Timestamp,
    ) -> Result<QueueSubset, TransactionError> {
        let find = queues::table.order(queues::name).select(QueueRow::as_select());
        let rows: Vec<QueueRow> = match self.visible.queue() {
            Some(is_visible) => find.filter(is_visible).load(self.connection)?,
            None => find.load(self.connection)?,
        };
        let counts = self.counts_by_id()?;
        let total = rows.len();
        let with_counts = |row: QueueRow| {
            let counts = counts.get(&row.id).copied().unwrap_or_default();
            (row, counts)
        };
        let mut rows: Vec<(QueueRow, QueueCounts)> = rows.into_iter().map(with_counts).collect();
        if total > limit {
            rows.sort_by_key(|(_, counts)| Reverse(counts.jobs.live()));
            rows.truncate(limit);
            rows.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
        }
        let mut queues = Vec::with_capacity(rows.len());
        for (row, counts) in rows {
            queues.extend(self.complete(row, counts, now)?);
        }
        Ok(QueueSubset { queues, total })
    }

    /// Returns a queue, if it exists.
    pub(super) fn find(
        mut self,
        name: &QueueName,
        now: Timestamp,
    ) -> Result<Option<Queue>, TransactionError> {
        let found =
            queues::table.filter(queues::name.eq(name.as_str())).select(QueueRow::as_select());
        let row: QueryResult<QueueRow> = match self.visible.queue() {
            Some(is_visible) => found.filter(is_visible).get_result(self.connection),
            None => found.get_result(self.connection),
        };
        let Some(row) = row.optional()? else { return Ok(None) };
        let rows: Vec<CountRow> = queue_counts::table
            .filter(queue_counts::queue_id.eq(row.id))
            .select(CountRow::as_select())
            .load(self.connection)?;
        let counts = self.add_up(rows)?.remove(&row.id).unwrap_or_default();
        self.complete(row, counts, now)
    }

    /// Returns the number of jobs of every queue, by state.
    pub(super) fn counts(mut self) -> Result<Vec<(QueueName, StateCounts)>, TransactionError> {
        let find = queues::table.select(QueueNameRow::as_select());
        let rows: Vec<QueueNameRow> = match self.visible.queue() {
            Some(is_visible) => find.filter(is_visible).load(self.connection)?,
            None => find.load(self.connection)?,
        };
        let counts = self.counts_by_id()?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let counts = counts.get(&row.id).copied().unwrap_or_default();
            found.extend(self.impossible.skip(row.parse())?.map(|name| (name, counts.jobs)));
        }
        Ok(found)
    }

    /// Returns the counts of all queues by queue id.
    ///
    /// One query, because there may be thousands of queues; it skips the counts that are 0, which most
    /// are.
    fn counts_by_id(&mut self) -> Result<HashMap<i64, QueueCounts>, TransactionError> {
        let rows: Vec<CountRow> = queue_counts::table
            .filter(queue_counts::jobs.ne(0).or(queue_counts::entered.ne(0)))
            .select(CountRow::as_select())
            .load(self.connection)?;
        Ok(self.add_up(rows)?)
    }

    fn add_up(&mut self, rows: Vec<CountRow>) -> Result<HashMap<i64, QueueCounts>, StoreError> {
        let mut counts: HashMap<i64, QueueCounts> = HashMap::new();
        for row in rows {
            if let Some(state) = self.impossible.skip(row.state())? {
                let counts = counts.entry(row.queue_id).or_default();
                *counts.jobs.get_mut(state) = row.jobs;
                *counts.entered.get_mut(state) = row.entered;
            }
        }
        Ok(counts)
    }

    /// Returns the queue of a row with its counts and the age of its oldest job; `None` if its name is
    /// impossible.
    fn complete(
        &mut self,
        QueueRow { id, name, settings }: QueueRow,
        QueueCounts { jobs, entered }: QueueCounts,
        now: Timestamp,
    ) -> Result<Option<Queue>, TransactionError> {
        let Some(name) = self.impossible.skip(queue_name(id, &name))? else { return Ok(None) };
        let oldest_queued_at =
            if jobs.queued > 0 { oldest_queued(self.connection, id)? } else { None };
        let age = oldest_queued_at.map(|at| Span::new(now.since(at)));
        Ok(Some(Queue {
            name,
            settings: settings.into(),
            jobs,
            totals: entered.into(),
            oldest_queued_at,
            oldest_queued_age: age,
            oldest_queued_age_seconds: age.map(|age| age.millis() as f64 / 1e3),
        }))
    }
}

/// Returns the smallest `run_at` among the first jobs, by id, of each lane, provider and priority.
///
/// That is one index seek for each of these, of which there are few, however long the queue is.
/// For example with jobs of the priorities 5 and 0 in one lane: the first seek finds the first job of
/// priority 5, the second (below 5) the first one of priority 0, and the third (below 0) none.
fn oldest_queued(
    connection: &mut SqliteConnection,
    queue_id: i64,
) -> Result<Option<Timestamp>, TransactionError> {
    let mut oldest: Option<i64> = None;
    for lane in Lane::ALL {
        oldest = oldest_in_line(connection, (lane, queue_id, None), oldest)?;
    }
    let mut after = 0;
    loop {
        let next: Option<i64> = NextProvider { queue_id, after }.get_result(connection).optional()?;
        let Some(provider_id) = next else { break };
        oldest = oldest_in_line(connection, (Lane::Async, queue_id, next), oldest)?;
        after = provider_id;
    }
    Ok(oldest.map(Timestamp::from_millis))
}

/// Returns the smaller of `oldest` and the smallest `run_at` of a line: lane, queue and provider.
fn oldest_in_line(
    connection: &mut SqliteConnection,
    (lane, queue_id, provider_id): (Lane, i64, Option<i64>),
    mut oldest: Option<i64>,
) -> Result<Option<i64>, TransactionError> {
    let mut priority = i64::MAX;
    loop {
        let step = FirstBelowPriority { lane: lane.code(), queue_id, provider_id, priority };
        let row: Option<(i64, i64)> = step.get_result(connection).optional()?;
        let Some((found, run_at)) = row else { return Ok(oldest) };
        priority = found;
        oldest = Some(oldest.map_or(run_at, |before| before.min(run_at)));
    }
}
