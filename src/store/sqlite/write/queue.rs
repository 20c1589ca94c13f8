//! Queues: created on first use, configured, and read at the start for the roster.

use std::collections::{HashMap, HashSet};

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::job::queue::{QueueChange, QueueLoad, QueueName, QueueSettings};
use crate::job::{Lane, ProviderName, State};
use crate::store::group::impossible::ImpossibleRows;
use crate::store::group::names::{ProviderIds, QueueIds};
use crate::store::rows::queue::{QueueNameRow, QueueRow, SettingsRow};
use crate::store::rows::values::{count_of, queue_name};
use crate::store::schema::queues;
use crate::store::sql_types::{Integer, Nullable, Text};
use crate::store::sqlite::statement::statement;
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::{ApplyError, ApplyResult};
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
     WHERE state = " {Running} " AND lease_expires_at > 0 AND lane = " {Remote} " GROUP BY queue_id"
}

statement! {
    HasQueuedJobs -> Integer =
    "SELECT EXISTS (SELECT 1 FROM jobs WHERE state = " {Queued} " AND lane = (" [lane: Integer as i64]
    " + 0) AND queue_id = " [queue_id: Integer as i64]
    " AND provider_id IS " [provider_id: Nullable<Integer> as Option<i64>] ")"
}

statement! {
    /// Finds the next kind in byte order; one index seek skips all jobs of the kind before it.
    NextRemoteKind<'a> -> Text =
    "SELECT kind FROM jobs INDEXED BY jobs_queued_remote
     WHERE state = " {Queued} " AND lane = " {Remote} " AND queue_id = " [queue_id: Integer as i64]
    " AND kind > " [after: Text as &'a str] " ORDER BY kind LIMIT 1"
}

/// Reads the ids and names of all queues.
///
/// Queues with an impossible name are skipped, and so are their jobs later.
pub(crate) fn read_ids(
    connection: &mut SqliteConnection,
    impossible: &mut ImpossibleRows,
) -> Result<QueueIds, StoreError> {
    let rows: Vec<QueueNameRow> = queues::table
        .select(QueueNameRow::as_select())
        .load(connection)
        .map_err(TransactionError::from)?;
    let mut ids = QueueIds::default();
    for row in rows {
        if let Some(name) = impossible.skip(row.parse())? {
            ids.insert(name, row.id);
        }
    }
    Ok(ids)
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
        Ok(self.create_queue(name)?)
    }

    /// Returns the id of a queue, and creates the queue if it is new, however many there are.
    pub(super) fn create_queue(&mut self, name: &QueueName) -> Result<i64, TransactionError> {
        if let Some(id) = self.queue_ids.id(name) {
            return Ok(id);
        }
        let settings = self.rules.initial(name);
        let SettingsRow { paused, max_running, rate_limit, rate_period_ms } = (&settings).into();
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
        self.note_limits(id, &settings);
        self.changes.push_configured(name.clone(), settings);
        Ok(id)
    }

    /// Returns the settings of a queue: the stored ones, or those with which it would be created.
    fn settings(&mut self, name: &QueueName) -> Result<QueueSettings, ApplyError> {
        let Some(id) = self.queue_ids.id(name) else { return Ok(self.rules.initial(name)) };
        let row: SettingsRow =
            queues::table.find(id).select(SettingsRow::as_select()).get_result(self.connection)?;
        Ok(row.into())
    }

    /// Notes that leases of a queue must read its limits, if it has any. A queue stays noted when its
    /// limits are removed: the transaction that removes them may still be rolled back.
    fn note_limits(&mut self, id: i64, settings: &QueueSettings) {
        if settings.is_limited() {
            self.limited_queues.insert(id);
        }
    }

    pub(crate) fn configure(&mut self, name: &QueueName, change: &QueueChange) -> ApplyResult {
        let settings = change.apply(self.settings(name)?);
        if let Some((pointer, detail)) = settings.problem() {
            return Err(Refusal::InvalidSettings { pointer, detail }.into());
        }
        let id = self.queue_id(name)?;
        let SettingsRow { paused, max_running, rate_limit, rate_period_ms } = (&settings).into();
        UpdateQueue { paused, max_running, rate_limit, rate_period_ms, id }
            .execute(self.connection)?;
        self.note_limits(id, &settings);
        self.changes.push_configured(name.clone(), settings);
        Ok(Answer::Configured(settings))
    }
}

/// Returns the queues that have a limit.
pub(crate) fn read_limited(connection: &mut SqliteConnection) -> Result<HashSet<i64>, StoreError> {
    let rows: Vec<QueueRow> = queues::table
        .select(QueueRow::as_select())
        .load(connection)
        .map_err(TransactionError::from)?;
    let limited = rows.into_iter().filter(|row| QueueSettings::from(row.settings).is_limited());
    Ok(limited.map(|row| row.id).collect())
}

/// Returns all queues with what the roster needs at the start.
pub(crate) fn read_loads(
    connection: &mut SqliteConnection,
    impossible: &mut ImpossibleRows,
    providers: &ProviderIds,
) -> Result<Vec<QueueLoad>, StoreError> {
    let rows: Vec<QueueRow> = queues::table
        .select(QueueRow::as_select())
        .load(connection)
        .map_err(TransactionError::from)?;
    let running: Vec<(i64, i64)> =
        RemoteRunning {}.load(connection).map_err(TransactionError::from)?;
    let running: HashMap<i64, i64> = running.into_iter().collect();
    let mut loads = Vec::with_capacity(rows.len());
    for QueueRow { id, name, settings } in rows {
        let Some(name) = impossible.skip(queue_name(id, &name))? else { continue };
        let remote = running.get(&id).copied().unwrap_or(0);
        loads.push(QueueLoad {
            name,
            settings: settings.into(),
            remote_running: count_of(remote),
            ready: ready_lanes(connection, id).map_err(TransactionError::from)?,
            providers: ready_providers(connection, id, providers).map_err(TransactionError::from)?,
            remote_kinds: remote_kinds(connection, id).map_err(TransactionError::from)?,
        });
    }
    Ok(loads)
}

/// Returns the local lanes in which a queue has queued jobs, with one index seek per lane.
fn ready_lanes(connection: &mut SqliteConnection, queue_id: i64) -> QueryResult<Vec<Lane>> {
    let mut ready = Vec::new();
    for lane in Lane::LOCAL {
        let exists = HasQueuedJobs { lane: lane.code(), queue_id, provider_id: None };
        if exists.get_result::<i64>(connection)? != 0 {
            ready.push(lane);
        }
    }
    Ok(ready)
}

/// Returns the providers of which a queue has queued jobs, with one index seek per provider.
fn ready_providers(
    connection: &mut SqliteConnection,
    queue_id: i64,
    providers: &ProviderIds,
) -> QueryResult<Vec<ProviderName>> {
    let mut ready = Vec::new();
    for (name, id) in providers.iter() {
        let lane = Lane::Async.code();
        let exists = HasQueuedJobs { lane, queue_id, provider_id: Some(id) };
        if exists.get_result::<i64>(connection)? != 0 {
            ready.push(name.clone());
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
