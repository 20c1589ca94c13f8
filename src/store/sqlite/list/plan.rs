//! The plan of a list: which sequences of ids to intersect for a filter.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::index_range::IndexRange;
use super::merge::MergedIds;
use crate::job::{QueueName, State};
use crate::store::JobFilter;
use crate::store::schema::queues;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::access::VisibleQueues;
use crate::store::sqlite::statement::statement;

/// Maximum number of index ranges to merge. A condition with more ranges is checked on the rows.
const MAX_MERGED: i64 = 1_000;

/// Maximum number of ids to read and sort if a condition has no index in the order of ids.
const MAX_SORTED: i64 = 20_000;

statement! {
    CountOfState -> Integer =
    "SELECT coalesce(sum(jobs), 0) FROM queue_counts WHERE state = " [state: Integer as i64]
}

statement! {
    CountInQueue -> Integer =
    "SELECT coalesce(sum(jobs), 0) FROM queue_counts
     WHERE queue_id = " [queue_id: Integer as i64] " AND state = " [state: Integer as i64]
}

statement! {
    /// Finds the kinds of a queue; one index seek per kind skips all jobs of the kind before it.
    KindsInQueue -> Text =
    "WITH RECURSIVE given (queue_id) AS (SELECT " [queue_id: Integer as i64]
    "), kinds (kind) AS (
         SELECT (SELECT kind FROM jobs INDEXED BY jobs_listed
             WHERE queue_id = given.queue_id ORDER BY kind LIMIT 1) FROM given
         UNION ALL
         SELECT (SELECT kind FROM jobs INDEXED BY jobs_listed
             WHERE queue_id = given.queue_id AND kind > kinds.kind ORDER BY kind LIMIT 1)
         FROM kinds, given WHERE kinds.kind IS NOT NULL)
     SELECT kind FROM kinds WHERE kind IS NOT NULL LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    QueuesOfKind<'a> -> Integer =
    "SELECT id FROM queues WHERE EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_listed
         WHERE queue_id = queues.id AND kind = " [kind: Text as &'a str]
    ") LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// Finds the kinds of a queue's jobs in a rare state, in the same way as [`KindsInQueue`].
    RareKindsInQueue -> Text =
    "WITH RECURSIVE given (state, queue_id) AS (SELECT " [state: Integer as i64]
    ", " [queue_id: Integer as i64] "), kinds (kind) AS (
         SELECT (SELECT kind FROM jobs INDEXED BY jobs_rare_listed
             WHERE state <> " {Queued} " AND state <> " {Running} " AND state <> " {Completed} " AND state = given.state
                 AND queue_id = given.queue_id ORDER BY kind LIMIT 1) FROM given
         UNION ALL
         SELECT (SELECT kind FROM jobs INDEXED BY jobs_rare_listed
             WHERE state <> " {Queued} " AND state <> " {Running} " AND state <> " {Completed} " AND state = given.state
                 AND queue_id = given.queue_id AND kind > kinds.kind ORDER BY kind LIMIT 1)
         FROM kinds, given WHERE kinds.kind IS NOT NULL)
     SELECT kind FROM kinds WHERE kind IS NOT NULL LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    RareQueuesOfKind<'a> -> Integer =
    "SELECT id FROM queues WHERE EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_rare_listed
         WHERE state <> " {Queued} " AND state <> " {Running} " AND state <> " {Completed} " AND state = (" [state: Integer as i64]
    " + 0) AND queue_id = queues.id AND kind = " [kind: Text as &'a str]
    ") LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// Finds each combination of lane, queue, provider and priority in which jobs are queued; one index seek per
    /// combination skips all jobs of the one before it. Only queues with queued jobs are searched, at most
    /// as many as may be merged.
    QueuedRanges -> (Integer, Integer, Nullable<Integer>, Integer) =
    "WITH RECURSIVE lanes (lane) AS (VALUES (" {Async} "), (" {Thread} "), (" {Process} "), (" {Remote} ")),
     waiting (queue_id) AS (
         SELECT queue_id FROM queue_counts
         WHERE state = " {Queued} " AND jobs > 0
             AND queue_id = coalesce(" [queue_id: Nullable<Integer> as Option<i64>] ", queue_id)
         LIMIT (" [max_queues: Integer as i64] " + 0)),
     lines (lane, queue_id, provider_id) AS (
         SELECT lane, queue_id, NULL FROM waiting, lanes
         UNION ALL SELECT " {Async} ", queue_id, id FROM waiting, providers),
     spots (lane, queue_id, provider_id, priority) AS (
         SELECT lane, queue_id, provider_id, (SELECT priority FROM jobs INDEXED BY jobs_queued
             WHERE state = " {Queued} " AND lane = lines.lane AND queue_id = lines.queue_id
                 AND provider_id IS lines.provider_id ORDER BY priority DESC LIMIT 1)
         FROM lines
         UNION ALL
         SELECT lane, queue_id, provider_id, (SELECT priority FROM jobs INDEXED BY jobs_queued
             WHERE state = " {Queued} " AND lane = spots.lane AND queue_id = spots.queue_id
                 AND provider_id IS spots.provider_id
                 AND priority < spots.priority ORDER BY priority DESC LIMIT 1)
         FROM spots WHERE priority IS NOT NULL)
     SELECT lane, queue_id, provider_id, priority FROM spots
     WHERE priority IS NOT NULL LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    QueuedIds -> Integer = "SELECT id FROM jobs INDEXED BY jobs_queued WHERE state = " {Queued} ""
}

statement! {
    /// `lease_expires_at > 0` is true for every running job and makes SQLite use their index.
    RunningIds -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_leased WHERE state = " {Running} " AND lease_expires_at > 0"
}

/// A lane, queue, provider and priority in which jobs are queued.
#[derive(Queryable)]
struct QueuedRangeRow {
    lane: i64,
    queue_id: i64,
    provider_id: Option<i64>,
    priority: i64,
}

/// Returns sequences of ids whose intersection contains all jobs that match a filter, and possibly
/// others. Returns `None` if no job can match.
pub(super) fn sequences<'f>(
    connection: &mut SqliteConnection,
    filter: &'f JobFilter,
    visible: &VisibleQueues,
) -> QueryResult<Option<Vec<MergedIds<'f>>>> {
    let queues = match &filter.queue {
        Some(queue) => Some(find_queue(connection, queue)?),
        None if visible.is_all() => None,
        None => Some(visible.queue_ids(connection)?),
    };
    let queues = queues.as_deref();
    if queues.is_some_and(<[i64]>::is_empty) {
        return Ok(None);
    }
    let mut sequences = Vec::new();
    sequences.extend(filter.batch.map(|batch| MergedIds::new(vec![IndexRange::Batch(batch.0)])));
    sequences.extend(filter.tag.as_ref().map(|tag| MergedIds::new(vec![IndexRange::Tag(tag)])));
    let condition = QueueAndKind { queues, kind: filter.kind.as_deref() };
    if let Some(state) = filter.state {
        let count = count(connection, state, queues)?;
        if count == 0 {
            return Ok(None);
        }
        sequences.extend(condition.in_state(connection, state, count)?);
    }
    // Whether the sequence of the state already has only jobs of these queues and this kind.
    let is_covered = match filter.state {
        Some(State::Queued) => filter.kind.is_none(),
        Some(State::Running | State::Completed) | None => false,
        Some(_) => true,
    };
    if !is_covered {
        sequences.extend(condition.in_any_state(connection)?.map(MergedIds::new));
    }
    if sequences.is_empty() {
        sequences.push(MergedIds::new(vec![IndexRange::All]));
    }
    Ok(Some(sequences))
}

/// Returns the id of a queue as a list, which is empty if the queue does not exist.
fn find_queue(connection: &mut SqliteConnection, queue: &QueueName) -> QueryResult<Vec<i64>> {
    let named = queues::table.filter(queues::name.eq(queue.as_str()));
    named.select(queues::id).load(connection)
}

/// Returns the number of jobs in a state, of these queues or of all.
fn count(
    connection: &mut SqliteConnection,
    state: State,
    queues: Option<&[i64]>,
) -> QueryResult<i64> {
    let state = state.code();
    let Some(queues) = queues else { return CountOfState { state }.get_result(connection) };
    let mut total = 0;
    for queue_id in queues {
        let count: i64 = CountInQueue { queue_id: *queue_id, state }.get_result(connection)?;
        total += count;
    }
    Ok(total)
}

/// Conditions on the queue and the kind of a job; `None` means any.
#[derive(Clone, Copy)]
struct QueueAndKind<'q, 'f> {
    queues: Option<&'q [i64]>,
    kind: Option<&'f str>,
}

impl<'f> QueueAndKind<'_, 'f> {
    /// Returns the ids of the jobs in `state`, of which there are `count`. The sequence of `queued` is
    /// limited to the queues, and that of a rare state to queues and kind. Returns `None` if too many ids
    /// or ranges would have to be read.
    fn in_state(
        self,
        connection: &mut SqliteConnection,
        state: State,
        count: i64,
    ) -> QueryResult<Option<MergedIds<'f>>> {
        match state {
            State::Completed => Ok(Some(MergedIds::new(vec![IndexRange::Completed]))),
            State::Running if count > MAX_SORTED => Ok(None),
            State::Running => Ok(Some(MergedIds::from_ids(RunningIds {}.load(connection)?))),
            State::Queued => self.queued(connection, count),
            _ => Ok(self.rare(connection, state.code())?.map(MergedIds::new)),
        }
    }

    fn queued(
        self,
        connection: &mut SqliteConnection,
        count: i64,
    ) -> QueryResult<Option<MergedIds<'f>>> {
        let rows = self.queued_ranges(connection)?;
        let range = |row| {
            let QueuedRangeRow { lane, queue_id, provider_id, priority } = row;
            IndexRange::Queued { lane, queue_id, provider_id, priority }
        };
        match if_mergeable(rows.into_iter().map(range).collect()) {
            Some(ranges) => Ok(Some(MergedIds::new(ranges))),
            None if count > MAX_SORTED => Ok(None),
            None => Ok(Some(MergedIds::from_ids(QueuedIds {}.load(connection)?))),
        }
    }

    /// Returns the ranges of queued jobs, a few more at most than may be merged.
    fn queued_ranges(self, connection: &mut SqliteConnection) -> QueryResult<Vec<QueuedRangeRow>> {
        let limit = MAX_MERGED + 1;
        let find = |queue_id| QueuedRanges { queue_id, max_queues: limit, limit };
        let Some(queues) = self.queues else { return find(None).load(connection) };
        let mut rows = Vec::new();
        for queue_id in queues {
            rows.extend(find(Some(*queue_id)).load::<QueuedRangeRow>(connection)?);
            if rows.len() > MAX_MERGED as usize {
                break;
            }
        }
        Ok(rows)
    }

    /// Returns a range for each queue and kind. `kinds` finds the kinds of a queue. There is one more range at
    /// least than may be merged if there would be too many.
    fn of_queues(
        queues: &[i64],
        kind: Option<&str>,
        mut kinds: impl FnMut(i64) -> QueryResult<Vec<String>>,
        range: impl Fn(i64, String) -> IndexRange<'f>,
    ) -> QueryResult<Vec<IndexRange<'f>>> {
        let mut ranges = Vec::new();
        for queue_id in queues {
            match kind {
                Some(kind) => ranges.push(range(*queue_id, kind.into())),
                None => {
                    let kinds = kinds(*queue_id)?.into_iter();
                    ranges.extend(kinds.map(|kind| range(*queue_id, kind)));
                }
            }
            if ranges.len() > MAX_MERGED as usize {
                break;
            }
        }
        Ok(ranges)
    }

    /// Returns the ranges of a rare state.
    fn rare(
        self,
        connection: &mut SqliteConnection,
        state: i64,
    ) -> QueryResult<Option<Vec<IndexRange<'f>>>> {
        let limit = MAX_MERGED + 1;
        let range = |queue_id, kind| IndexRange::RareListed { state, queue_id, kind };
        let ranges = match (self.queues, self.kind) {
            (None, None) => vec![IndexRange::Rare { state }],
            (Some(queues), kind) => {
                let kinds =
                    |queue_id| RareKindsInQueue { state, queue_id, limit }.load(connection);
                Self::of_queues(queues, kind, kinds, range)?
            }
            (None, Some(kind)) => {
                let queues: Vec<i64> = RareQueuesOfKind { state, kind, limit }.load(connection)?;
                queues.into_iter().map(|queue_id| range(queue_id, kind.into())).collect()
            }
        };
        Ok(if_mergeable(ranges))
    }

    /// Returns the ranges of the queue and kind, in any state.
    fn in_any_state(
        self,
        connection: &mut SqliteConnection,
    ) -> QueryResult<Option<Vec<IndexRange<'f>>>> {
        let limit = MAX_MERGED + 1;
        let range = |queue_id, kind| IndexRange::Listed { queue_id, kind };
        let ranges = match (self.queues, self.kind) {
            (None, None) => return Ok(None),
            (Some(queues), kind) => {
                let kinds = |queue_id| KindsInQueue { queue_id, limit }.load(connection);
                Self::of_queues(queues, kind, kinds, range)?
            }
            (None, Some(kind)) => {
                let queues: Vec<i64> = QueuesOfKind { kind, limit }.load(connection)?;
                queues.into_iter().map(|queue_id| range(queue_id, kind.into())).collect()
            }
        };
        Ok(if_mergeable(ranges))
    }
}

/// Returns the ranges if there are few enough to merge.
fn if_mergeable(ranges: Vec<IndexRange<'_>>) -> Option<Vec<IndexRange<'_>>> {
    (ranges.len() <= MAX_MERGED as usize).then_some(ranges)
}
