//! The SQLite backend: one file an operation.

pub mod backup;
mod batch;
mod cancel;
mod clock_skew;
mod counts;
mod delete;
mod epoch;
mod finish;
mod foreign_log;
mod group;
mod insert;
mod lease;
mod lease_remote;
mod list;
mod log;
mod open;
mod queue;
mod queue_read;
mod read;
mod renew;
mod rescue;
mod retry;
mod size_limit;
mod stage;
mod statement;
mod submit;
mod time_buckets;
mod transaction;
pub mod verify;

use std::path::PathBuf;

use diesel::sqlite::SqliteConnection;

use crate::config::Config;
use crate::job::Timestamp;
use crate::job::queue::{QueueLoad, QueueRules};
use crate::store::{Committed, NewEpoch, StoreError, Write, WriteStore};
use group::Group;
use open::Lock;
pub use open::MIN_SQLITE;
use queue::QueueIds;
pub use read::SqliteReads;

/// The write connection. See [`WriteStore`].
pub struct SqliteWrites {
    connection: SqliteConnection,
    queue_rules: QueueRules,
    queue_ids: QueueIds,
    token_floor: i64,
    database: PathBuf,
    _lock: Lock,
}

impl WriteStore for SqliteWrites {
    fn commit(&mut self, writes: &[Write], now: Timestamp) -> Result<Committed, StoreError> {
        let committed = match self.try_commit(writes, now, |group, writes| group.apply_all(writes))
        {
            // One write hit a constraint. Again, each behind a savepoint, so that it fails alone.
            Err(transaction::Failure::Write(_)) => {
                self.try_commit(writes, now, |group, writes| group.apply_each_alone(writes))
            }
            result => result,
        };
        committed.map_err(|failure| size_limit::read_as_full(failure.into(), &self.database))
    }

    fn begin_epoch(
        &mut self,
        is_restored: bool,
        now: Timestamp,
    ) -> Result<Option<NewEpoch>, StoreError> {
        let begun = epoch::begin(&mut self.connection, is_restored, now)
            .map_err(|failure| size_limit::read_as_full(failure.into(), &self.database))?;
        let Some((before, next)) = begun else { return Ok(None) };
        self.token_floor = next.token_floor;
        Ok(Some(NewEpoch { token_floor: next.token_floor, copied_at: before.copied_at }))
    }

    fn queue_loads(&mut self) -> Result<Vec<QueueLoad>, StoreError> {
        queue::loads(&mut self.connection)
    }
}

impl SqliteWrites {
    fn try_commit(
        &mut self,
        writes: &[Write],
        now: Timestamp,
        apply: fn(&mut Group<'_>, &[Write]) -> Result<Vec<group::Taken>, transaction::Failure>,
    ) -> Result<Committed, transaction::Failure> {
        let known_queues = self.queue_ids.len();
        let Self { connection, queue_rules, queue_ids, token_floor, .. } = self;
        let result = transaction::immediate(connection, |connection| {
            let mut group = Group::new(connection, queue_rules, queue_ids, *token_floor, now);
            let answers = apply(&mut group, writes)?;
            group.close(answers)
        });
        if result.is_err() && self.queue_ids.len() > known_queues {
            // Queues that the rolled back transaction made are not there.
            self.queue_ids = QueueIds::read(&mut self.connection)?;
        }
        result
    }

    /// Opens the database for writing: takes its lock, brings its tables up to date.
    ///
    /// # Errors
    /// Where another process serves it, or it cannot be opened or prepared.
    pub fn open(config: &Config) -> Result<Self, crate::store::OpenError> {
        let (mut connection, lock) = open::for_writing(&config.database)?;
        let queue_ids = QueueIds::read(&mut connection)
            .map_err(|error| open::failed(&config.database, &error))?;
        let token_floor = epoch::read(&mut connection)
            .map_err(|failure| open::failed(&config.database, &StoreError::from(failure)))?
            .token_floor;
        let queue_rules = config.queue_rules();
        let database = config.database.clone();
        Ok(Self { connection, queue_rules, queue_ids, token_floor, database, _lock: lock })
    }
}
