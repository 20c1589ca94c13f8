//! The SQLite backend: one file an operation.

mod batch;
mod cancel;
mod counts;
mod delete;
mod finish;
mod group;
mod lease;
mod lease_remote;
mod list;
mod open;
mod queue;
mod read;
mod renew;
mod rescue;
mod retry;
mod size_limit;
mod stage;
mod statement;
mod submit;
mod transaction;

use std::path::PathBuf;

use diesel::sqlite::SqliteConnection;

use crate::config::Config;
use crate::job::Timestamp;
use crate::job::queue::{QueueLoad, QueueRules};
use crate::store::{Committed, StoreError, Write, WriteStore};
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
    database: PathBuf,
    _lock: Lock,
}

impl WriteStore for SqliteWrites {
    fn commit(&mut self, writes: &[Write], now: Timestamp) -> Result<Committed, StoreError> {
        let committed = match self.try_commit(writes, now, |group, write| group.apply(write)) {
            // One write hit a constraint. Again, each behind a savepoint, so that it fails alone.
            Err(transaction::Failure::Write(_)) => {
                self.try_commit(writes, now, |group, write| group.apply_alone(write))
            }
            result => result,
        };
        committed.map_err(|failure| size_limit::read_as_full(failure.into(), &self.database))
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
        apply: fn(&mut Group<'_>, &Write) -> group::Applied,
    ) -> Result<Committed, transaction::Failure> {
        let known_queues = self.queue_ids.len();
        let Self { connection, queue_rules, queue_ids, .. } = self;
        let result = transaction::immediate(connection, |connection| {
            let mut group = Group::new(connection, queue_rules, queue_ids, now);
            let mut answers = Vec::with_capacity(writes.len());
            for write in writes {
                answers.push(match apply(&mut group, write) {
                    Ok(answer) => Ok(answer),
                    Err(group::Stop::Refused(refusal)) => Err(refusal),
                    Err(group::Stop::Failed(error)) => return Err(error),
                });
            }
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
        let queue_rules = config.queue_rules();
        let database = config.database.clone();
        Ok(Self { connection, queue_rules, queue_ids, database, _lock: lock })
    }
}
