//! Which indexes lead to the jobs of a filter.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::index::Index;
use super::walk::Walk;
use crate::job::{QueueName, State};
use crate::store::JobFilter;
use crate::store::schema::queues;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;

/// Of how many indexes a walk is merged at most; past it the filter is left to the rows.
const MAX_MERGED: i64 = 1_000;

/// How many ids are read at most to be sorted.
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
    /// The kinds of a queue, each by a step over all its jobs.
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
    /// The same for jobs in a rare state.
    RareKindsInQueue -> Text =
    "WITH RECURSIVE given (state, queue_id) AS (SELECT " [state: Integer as i64]
    ", " [queue_id: Integer as i64] "), kinds (kind) AS (
         SELECT (SELECT kind FROM jobs INDEXED BY jobs_rare_listed
             WHERE state <> 1 AND state <> 2 AND state <> 4 AND state = given.state
                 AND queue_id = given.queue_id ORDER BY kind LIMIT 1) FROM given
         UNION ALL
         SELECT (SELECT kind FROM jobs INDEXED BY jobs_rare_listed
             WHERE state <> 1 AND state <> 2 AND state <> 4 AND state = given.state
                 AND queue_id = given.queue_id AND kind > kinds.kind ORDER BY kind LIMIT 1)
         FROM kinds, given WHERE kinds.kind IS NOT NULL)
     SELECT kind FROM kinds WHERE kind IS NOT NULL LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    RareQueuesOfKind<'a> -> Integer =
    "SELECT id FROM queues WHERE EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_rare_listed
         WHERE state <> 1 AND state <> 2 AND state <> 4 AND state = (" [state: Integer as i64]
    " + 0) AND queue_id = queues.id AND kind = " [kind: Text as &'a str]
    ") LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    /// Where jobs are queued: lane, queue and priority, each by a step over the jobs there. Each queue
    /// that is looked at has such a place, so that no more are looked at than may be found.
    QueuedSpots -> (Integer, Integer, Integer) =
    "WITH RECURSIVE lanes (lane) AS (VALUES (0), (1), (2), (3)),
     lines (queue_id) AS (
         SELECT queue_id FROM queue_counts
         WHERE state = 1 AND jobs > 0
             AND queue_id = coalesce(" [queue_id: Nullable<Integer> as Option<i64>] ", queue_id)
         LIMIT (" [most: Integer as i64] " + 0)),
     spots (lane, queue_id, priority) AS (
         SELECT lane, queue_id, (SELECT priority FROM jobs INDEXED BY jobs_queued
             WHERE state = 1 AND lane = lanes.lane AND queue_id = lines.queue_id
             ORDER BY priority DESC LIMIT 1)
         FROM lines, lanes
         UNION ALL
         SELECT lane, queue_id, (SELECT priority FROM jobs INDEXED BY jobs_queued
             WHERE state = 1 AND lane = spots.lane AND queue_id = spots.queue_id
                 AND priority < spots.priority ORDER BY priority DESC LIMIT 1)
         FROM spots WHERE priority IS NOT NULL)
     SELECT lane, queue_id, priority FROM spots
     WHERE priority IS NOT NULL LIMIT (" [limit: Integer as i64] " + 0)"
}

statement! {
    QueuedIds -> Integer = "SELECT id FROM jobs INDEXED BY jobs_queued WHERE state = 1"
}

statement! {
    /// `lease_expires_at > 0` holds for all and makes SQLite use the index.
    RunningIds -> Integer =
    "SELECT id FROM jobs INDEXED BY jobs_leased WHERE state = 2 AND lease_expires_at > 0"
}

/// The walks whose common ids are the jobs of a filter, or among which they are; none where there
/// are no such jobs.
pub(super) fn walks<'f>(
    connection: &mut SqliteConnection,
    filter: &'f JobFilter,
) -> QueryResult<Option<Vec<Walk<'f>>>> {
    let queue_id = match &filter.queue {
        Some(queue) => match id_of(connection, queue)? {
            None => return Ok(None),
            found => found,
        },
        None => None,
    };
    let mut walks = Vec::new();
    walks.extend(filter.batch.map(|batch| Walk::new(vec![Index::Batch(batch.0)])));
    walks.extend(filter.tag.as_ref().map(|tag| Walk::new(vec![Index::Tag(tag)])));
    let place = Place { queue_id, kind: filter.kind.as_deref() };
    if let Some(state) = filter.state {
        let count = count(connection, state, queue_id)?;
        if count == 0 {
            return Ok(None);
        }
        walks.extend(place.in_state(connection, state, count)?);
    }
    let is_placed = match filter.state {
        Some(State::Queued) => filter.kind.is_none(),
        Some(State::Running | State::Completed) | None => false,
        Some(_) => true,
    };
    if !is_placed {
        walks.extend(place.in_any_state(connection)?.map(Walk::new));
    }
    if walks.is_empty() {
        walks.push(Walk::new(vec![Index::All]));
    }
    Ok(Some(walks))
}

fn id_of(connection: &mut SqliteConnection, queue: &QueueName) -> QueryResult<Option<i64>> {
    let named = queues::table.filter(queues::name.eq(queue.as_str()));
    named.select(queues::id).get_result(connection).optional()
}

/// How many jobs there are in a state.
fn count(
    connection: &mut SqliteConnection,
    state: State,
    queue_id: Option<i64>,
) -> QueryResult<i64> {
    let state = state.code();
    match queue_id {
        Some(queue_id) => CountInQueue { queue_id, state }.get_result(connection),
        None => CountOfState { state }.get_result(connection),
    }
}

/// Where to look for jobs.
#[derive(Clone, Copy)]
struct Place<'f> {
    queue_id: Option<i64>,
    kind: Option<&'f str>,
}

impl<'f> Place<'f> {
    /// The walk of a state of which there are so many jobs. That of queued ones keeps to the queue, and
    /// that of a rare state to queue and kind.
    fn in_state(
        self,
        connection: &mut SqliteConnection,
        state: State,
        count: i64,
    ) -> QueryResult<Option<Walk<'f>>> {
        match state {
            State::Completed => Ok(Some(Walk::new(vec![Index::Completed]))),
            State::Running if count > MAX_SORTED => Ok(None),
            State::Running => Ok(Some(Walk::over(RunningIds {}.load(connection)?))),
            State::Queued => self.queued(connection, count),
            _ => Ok(self.rare(connection, state.code())?.map(Walk::new)),
        }
    }

    fn queued(
        self,
        connection: &mut SqliteConnection,
        count: i64,
    ) -> QueryResult<Option<Walk<'f>>> {
        let most = MAX_MERGED + 1;
        let find = QueuedSpots { queue_id: self.queue_id, most, limit: most };
        let spots: Vec<(i64, i64, i64)> = find.load(connection)?;
        let index = |(lane, queue_id, priority)| Index::Queued { lane, queue_id, priority };
        match few(spots.into_iter().map(index).collect()) {
            Some(indexes) => Ok(Some(Walk::new(indexes))),
            None if count > MAX_SORTED => Ok(None),
            None => Ok(Some(Walk::over(QueuedIds {}.load(connection)?))),
        }
    }

    fn rare(
        self,
        connection: &mut SqliteConnection,
        state: i64,
    ) -> QueryResult<Option<Vec<Index<'f>>>> {
        let limit = MAX_MERGED + 1;
        let index = |queue_id, kind| Index::RareListed { state, queue_id, kind };
        let indexes = match (self.queue_id, self.kind) {
            (None, None) => vec![Index::Rare { state }],
            (Some(queue_id), Some(kind)) => vec![index(queue_id, kind.into())],
            (Some(queue_id), None) => {
                let kinds: Vec<String> =
                    RareKindsInQueue { state, queue_id, limit }.load(connection)?;
                kinds.into_iter().map(|kind| index(queue_id, kind)).collect()
            }
            (None, Some(kind)) => {
                let queues: Vec<i64> = RareQueuesOfKind { state, kind, limit }.load(connection)?;
                queues.into_iter().map(|queue_id| index(queue_id, kind.into())).collect()
            }
        };
        Ok(few(indexes))
    }

    fn in_any_state(
        self,
        connection: &mut SqliteConnection,
    ) -> QueryResult<Option<Vec<Index<'f>>>> {
        let limit = MAX_MERGED + 1;
        let index = |queue_id, kind| Index::Listed { queue_id, kind };
        let indexes = match (self.queue_id, self.kind) {
            (None, None) => return Ok(None),
            (Some(queue_id), Some(kind)) => vec![index(queue_id, kind.into())],
            (Some(queue_id), None) => {
                let kinds: Vec<String> = KindsInQueue { queue_id, limit }.load(connection)?;
                kinds.into_iter().map(|kind| index(queue_id, kind)).collect()
            }
            (None, Some(kind)) => {
                let queues: Vec<i64> = QueuesOfKind { kind, limit }.load(connection)?;
                queues.into_iter().map(|queue_id| index(queue_id, kind.into())).collect()
            }
        };
        Ok(few(indexes))
    }
}

/// Indexes that are few enough to be merged.
fn few(indexes: Vec<Index<'_>>) -> Option<Vec<Index<'_>>> {
    (indexes.len() <= MAX_MERGED as usize).then_some(indexes)
}
