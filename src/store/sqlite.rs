//! The SQLite backend: one file per operation.

mod access;
pub mod admin;
mod keys;
mod learned_kinds;
mod list;
mod read;
mod statement;
mod transaction;
mod webhook_secrets;
mod write;

use std::collections::HashSet;
use std::path::PathBuf;

use diesel::sqlite::SqliteConnection;

use crate::config::Config;
use crate::job::Timestamp;
use crate::job::limit::provider::ProviderLimits;
use crate::job::queue::QueueLoad;
use crate::store::group::impossible::ImpossibleRows;
use crate::store::group::names::{ProviderIds, QueueIds};
use crate::store::{
    Committed, NewEpoch, OpenError, ProviderStatus, StoreError, Write, WriteStore,
};
#[cfg(feature = "testing")]
pub use admin::open::MIN_SQLITE;
use admin::served_files::ServedFiles;
use admin::{epoch, open, signing_secret, size_limit};
pub(crate) use keys::any_key_existed;
pub use read::SqliteReads;
use transaction::TransactionError;
use write::commit_group::apply::WriteResult;
use write::commit_group::{CommitGroup, KnownRows, LimitRules};
use write::commit_group::end_actions::may_have_end_actions;
use write::leases::lease::may_have_large_payloads;
use write::leases::provider;
use write::queue;

/// Write connection to a SQLite database. See [`WriteStore`].
pub struct SqliteWrites {
    connection: SqliteConnection,
    rules: LimitRules,
    queue_ids: QueueIds,
    provider_ids: ProviderIds,
    /// Queues that have had a limit since the database was opened.
    limited_queues: HashSet<i64>,
    impossible: ImpossibleRows,
    may_have_large_payloads: bool,
    may_have_end_actions: bool,
    token_floor: i64,
    database: PathBuf,
    /// Dropped after the connection.
    files: ServedFiles,
}

impl WriteStore for SqliteWrites {
    fn commit(&mut self, writes: &[&Write], now: Timestamp) -> Result<Committed, StoreError> {
        let committed = match self.try_commit(writes, now, |group, writes| group.apply_all(writes))
        {
            // One write broke a constraint, or met an impossible row. Run the group again with a
            // savepoint per write, so that only that write is undone.
            Err(error) if error.is_fault() => {
                self.try_commit(writes, now, |group, writes| group.apply_each_alone(writes))
            }
            result => result,
        };
        // Before anyone is answered, and also if nothing could be written.
        self.files.check()?;
        committed.map_err(|error| size_limit::detect_full(error.into(), &self.database))
    }

    fn begin_epoch(
        &mut self,
        is_restored: bool,
        now: Timestamp,
    ) -> Result<Option<NewEpoch>, StoreError> {
        let started = epoch::start(&mut self.connection, is_restored, now)
            .map_err(|error| size_limit::detect_full(error.into(), &self.database))?;
        let Some((before, next)) = started else { return Ok(None) };
        self.token_floor = next.token_floor;
        Ok(Some(NewEpoch { token_floor: next.token_floor, copied_at: before.copied_at }))
    }

    fn queue_loads(&mut self) -> Result<Vec<QueueLoad>, StoreError> {
        queue::read_loads(&mut self.connection, &mut self.impossible, &self.provider_ids)
    }

    fn providers(&mut self, now: Timestamp) -> Result<Vec<ProviderStatus>, StoreError> {
        let Self { connection, impossible, rules, .. } = self;
        provider::read_statuses(connection, impossible, &rules.providers, now)
    }
}

impl SqliteWrites {
    fn try_commit(
        &mut self,
        writes: &[&Write],
        now: Timestamp,
        apply: fn(
            &mut CommitGroup<'_>,
            &[&Write],
        ) -> Result<Vec<WriteResult>, transaction::TransactionError>,
    ) -> Result<Committed, transaction::TransactionError> {
        let known_queues = self.queue_ids.len();
        let Self { connection, rules, queue_ids, provider_ids, impossible, token_floor, .. } = self;
        let limited_queues = &mut self.limited_queues;
        let may_have_large_payloads = &mut self.may_have_large_payloads;
        let may_have_end_actions = &mut self.may_have_end_actions;
        let result = transaction::immediate(connection, |connection| {
            let known = KnownRows {
                queue_ids,
                provider_ids,
                limited_queues,
                impossible,
                may_have_large_payloads,
                may_have_end_actions,
            };
            let mut group = CommitGroup::new(connection, rules, known, *token_floor, now);
            let answers = apply(&mut group, writes)?;
            group.close(answers)
        });
        if result.is_err() && self.queue_ids.len() > known_queues {
            // The rollback removed the queues that the transaction created.
            self.queue_ids = queue::read_ids(&mut self.connection, &mut self.impossible)?;
        }
        result
    }

    /// Opens the configured database for writing: creates it if it does not exist, locks it and runs
    /// pending migrations.
    ///
    /// # Errors
    /// Returns [`OpenError`] if another process serves the database, or if it cannot be opened or migrated.
    pub fn open(config: &Config) -> Result<Self, OpenError> {
        let database = open::file_of(config)?;
        let (mut connection, files) = open::for_writing(database)?;
        let mut impossible = ImpossibleRows::of_writes();
        let queue_ids = queue::read_ids(&mut connection, &mut impossible)
            .map_err(|error| OpenError::failed(database, &error))?;
        let token_floor = epoch::read(&mut connection)
            .map_err(|error| OpenError::failed(database, &StoreError::from(error)))?
            .token_floor;
        let may_have_large_payloads = may_have_large_payloads(&mut connection)
            .map_err(|error| OpenError::failed(database, &error))?;
        let may_have_end_actions = may_have_end_actions(&mut connection)
            .map_err(|error| OpenError::failed(database, &StoreError::from(TransactionError::from(error))))?;
        let rules = LimitRules {
            queues: config.queue_rules(),
            providers: config.provider_limits(),
            callback_group: ProviderLimits {
                max_running: Some(config.lanes.callbacks_per_group()),
                ..ProviderLimits::default()
            },
            max_unfinished: config.key_limits.max_unfinished_jobs,
            max_payload_bytes: config.limits.max_payload_bytes,
        };
        provider::add_configured(&mut connection, &rules.providers)
            .map_err(|error| OpenError::failed(database, &StoreError::from(error)))?;
        signing_secret::create(&mut connection)
            .map_err(|error| OpenError::failed(database, &StoreError::from(error)))?;
        let provider_ids = provider::read_ids(&mut connection, &mut impossible)
            .map_err(|error| OpenError::failed(database, &error))?;
        let limited_queues = queue::read_limited(&mut connection)
            .map_err(|error| OpenError::failed(database, &error))?;
        let database = database.to_owned();
        Ok(Self {
            connection,
            rules,
            queue_ids,
            provider_ids,
            limited_queues,
            impossible,
            may_have_large_payloads,
            may_have_end_actions,
            token_floor,
            database,
            files,
        })
    }
}
