//! Queues: created on first use, configured, and read at the start for the roster.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::queue::{QueueChange, QueueLoad, QueueName, QueueSettings, Rate};
use crate::job::{Lane, Span, State};
use crate::store::schema::queues;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::{ApplyError, ApplyResult, CommitGroup};
use crate::store::{Answer, Refusal, StoreError};

statement! {
    InsertQueue<'a> -> Integer =
    "INSERT INTO queues (name, paused, max_running, rate_limit, rate_period_ms, created_at)
     VALUES (" [name: Text as &'a str]
    ", " [paused: Integer as i64]
    ", " [max_running: Nullable<Integer> as Option<i64>]
    ", " [rate_limit: Nullable<Integer> as Option<i64>]
    ", " [rate_period_ms: Nullable<Integer> as Option<i64>]
    ", " [created_at: Integer as i64]
    ") RETURNING id"
}

statement! {
    InsertCount =
    "INSERT INTO queue_counts (queue_id, state, jobs)
     VALUES (" [queue_id: Integer as i64] ", " [state: Integer as i64] ", 0)"
}

statement! {
    UpdateQueue =
    "UPDATE queues
     SET paused = " [paused: Integer as i64]
    ", max_running = " [max_running: Nullable<Integer> as Option<i64>]
    ", rate_limit = " [rate_limit: Nullable<Integer> as Option<i64>]
    ", rate_period_ms = " [rate_period_ms: Nullable<Integer> as Option<i64>]
    " WHERE id = " [id: Integer as i64]
}

statement! {
    /// `lease_expires_at > 0` is true for every running job and makes SQLite use their index.
    RemoteRunning -> (Integer, Integer) =
    "SELECT queue_id, count(*) FROM jobs
     WHERE state = 2 AND lease_expires_at > 0 AND lane = 3 GROUP BY queue_id"
}

statement! {
    HasQueuedJobs -> Integer =
    "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = 1 AND lane = (" [lane: Integer as i64]
    " + 0) AND queue_id = " [queue_id: Integer as i64] ")"
}

statement! {
    /// Finds the next kind in byte order; one index seek skips all jobs of the kind before it.
    NextRemoteKind<'a> -> Text =
    "SELECT kind FROM jobs INDEXED BY jobs_queued_remote
     WHERE state = 1 AND lane = 3 AND queue_id = " [queue_id: Integer as i64]
    " AND kind > " [after: Text as &'a str] " ORDER BY kind LIMIT 1"
}

/// Cache of the ids and names of all queues. It never goes stale, because queues are never removed.
#[derive(Debug, Default)]
pub(crate) struct QueueIds {
    ids: HashMap<QueueName, i64>,
    names: HashMap<i64, QueueName>,
}

impl QueueIds {
    /// Reads all queues from the table.
    pub(crate) fn read(connection: &mut SqliteConnection) -> Result<Self, StoreError> {
        let rows: Vec<(String, i64)> = queues::table
            .select((queues::name, queues::id))
            .load(connection)
            .map_err(TransactionError::from)?;
        let mut all = Self::default();
        for (name, id) in rows {
            all.insert(parse_queue_name(&name)?, id);
        }
        Ok(all)
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn id(&self, name: &QueueName) -> Option<i64> {
        self.ids.get(name).copied()
    }

    /// Returns the name of a queue that a row refers to.
    pub(crate) fn name(&self, id: i64) -> Result<QueueName, StoreError> {
        self.names.get(&id).cloned().ok_or_else(|| crate::store::corrupt("queue", id))
    }

    fn insert(&mut self, name: QueueName, id: i64) {
        self.names.insert(id, name.clone());
        self.ids.insert(name, id);
    }

    pub(crate) fn remove(&mut self, name: &QueueName) {
        if let Some(id) = self.ids.remove(name) {
            self.names.remove(&id);
        }
    }
}

/// Columns of [`QueueSettings`]: paused, maximum running, rate limit and rate period.
pub(crate) type SettingsRow = (i64, Option<i64>, Option<i64>, Option<i64>);

pub(crate) fn settings_of(row: SettingsRow) -> QueueSettings {
    let (paused, max_running, rate_limit, rate_period_ms) = row;
    let rate = rate_limit.zip(rate_period_ms).map(|(limit, period_ms)| Rate {
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
        period: Span::from_millis(period_ms),
    });
    let max_running = max_running.map(|max| u32::try_from(max).unwrap_or(u32::MAX));
    QueueSettings { paused: paused != 0, max_running, rate }
}

fn settings_row(settings: &QueueSettings) -> SettingsRow {
    (
        settings.paused.into(),
        settings.max_running.map(Into::into),
        settings.rate.map(|rate| rate.limit.into()),
        settings.rate.map(|rate| rate.period.millis()),
    )
}

impl CommitGroup<'_> {
    /// Returns the id of a queue, and creates the queue if it is new.
    pub(crate) fn queue_id(&mut self, name: &QueueName) -> Result<i64, ApplyError> {
        if let Some(id) = self.queue_ids.id(name) {
            return Ok(id);
        }
        if self.queue_ids.len() >= self.rules.max_queues {
            return Err(Refusal::TooManyQueues(self.rules.max_queues).into());
        }
        let settings = self.rules.initial(name);
        let (paused, max_running, rate_limit, rate_period_ms) = settings_row(&settings);
        let created_at = self.now.millis();
        let id: i64 = InsertQueue {
            name: name.as_str(),
            paused,
            max_running,
            rate_limit,
            rate_period_ms,
            created_at,
        }
        .get_result(self.connection)?;
        for state in State::ALL {
            InsertCount { queue_id: id, state: state.code() }.execute(self.connection)?;
        }
        self.queue_ids.insert(name.clone(), id);
        self.record_configured(name.clone(), settings);
        Ok(id)
    }

    pub(crate) fn configure(&mut self, name: &QueueName, change: &QueueChange) -> ApplyResult {
        let id = self.queue_id(name)?;
        let before: SettingsRow = queues::table
            .find(id)
            .select((
                queues::paused,
                queues::max_running,
                queues::rate_limit,
                queues::rate_period_ms,
            ))
            .get_result(self.connection)?;
        let settings = change.apply(settings_of(before));
        let (paused, max_running, rate_limit, rate_period_ms) = settings_row(&settings);
        UpdateQueue { paused, max_running, rate_limit, rate_period_ms, id }
            .execute(self.connection)?;
        self.record_configured(name.clone(), settings);
        Ok(Answer::Configured(settings))
    }
}

pub(crate) fn parse_queue_name(text: &str) -> Result<QueueName, StoreError> {
    text.parse().map_err(|error| StoreError::Corrupt(format!("queue {text:?}: {error}")))
}

/// Returns all queues with what the roster needs at the start.
pub(crate) fn read_loads(connection: &mut SqliteConnection) -> Result<Vec<QueueLoad>, StoreError> {
    let rows: Vec<(i64, String, SettingsRow)> = queues::table
        .select((
            queues::id,
            queues::name,
            (queues::paused, queues::max_running, queues::rate_limit, queues::rate_period_ms),
        ))
        .load(connection)
        .map_err(TransactionError::from)?;
    let running: Vec<(i64, i64)> =
        RemoteRunning {}.load(connection).map_err(TransactionError::from)?;
    let running: HashMap<i64, i64> = running.into_iter().collect();
    let mut loads = Vec::with_capacity(rows.len());
    for (id, name, settings) in rows {
        let remote = running.get(&id).copied().unwrap_or(0);
        loads.push(QueueLoad {
            name: parse_queue_name(&name)?,
            settings: settings_of(settings),
            remote_running: u32::try_from(remote).unwrap_or(u32::MAX),
            ready: ready_lanes(connection, id).map_err(TransactionError::from)?,
            remote_kinds: remote_kinds(connection, id).map_err(TransactionError::from)?,
        });
    }
    Ok(loads)
}

/// Returns the local lanes in which a queue has queued jobs, with one index seek per lane.
fn ready_lanes(connection: &mut SqliteConnection, queue_id: i64) -> QueryResult<Vec<Lane>> {
    let mut ready = Vec::new();
    for lane in Lane::LOCAL {
        let exists = HasQueuedJobs { lane: lane.code(), queue_id };
        if exists.get_result::<i64>(connection)? != 0 {
            ready.push(lane);
        }
    }
    Ok(ready)
}

/// Returns the kinds of a queue's queued jobs in the remote lane, with one index seek per kind.
fn remote_kinds(connection: &mut SqliteConnection, queue_id: i64) -> QueryResult<Vec<String>> {
    let mut kinds: Vec<String> = Vec::new();
    loop {
        let after = kinds.last().map_or("", String::as_str);
        let next: Option<String> =
            NextRemoteKind { queue_id, after }.get_result(connection).optional()?;
        let Some(kind) = next else { return Ok(kinds) };
        kinds.push(kind);
    }
}
