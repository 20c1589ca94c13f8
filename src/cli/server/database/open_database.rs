//! A database that no server uses, opened by a command.

use crate::cli::error::CliError;
use crate::cli::server::database::DatabaseArgs;
use crate::clock::Clock;
use crate::config::Config;
use crate::job::Timestamp;
use crate::store::sqlite::{SqliteReads, SqliteWrites};
use crate::store::{Answer, OpenError, StoreError, Write, WriteStore};

/// A database that is open as a server opens it, so that no server can use it meanwhile.
pub(in crate::cli::server) struct OpenDatabase {
    config: Config,
    writes: SqliteWrites,
    reads: SqliteReads,
    now: Timestamp,
}

impl OpenDatabase {
    /// Opens the database that the arguments name. It is created if that is allowed.
    pub(super) fn open(args: DatabaseArgs, is_new_allowed: bool) -> Result<Self, CliError> {
        let config = args.find_config()?;
        if !is_new_allowed && config.database.file().is_some_and(|file| !file.exists()) {
            return Err(CliError::Usage(format!("there is no database {}", config.database)));
        }
        let writes = SqliteWrites::open(&config).map_err(CliError::Unusable)?;
        let reads = SqliteReads::open(&config).map_err(CliError::Unusable)?;
        Ok(Self { config, writes, reads, now: Clock::system().now() })
    }

    pub(in crate::cli::server) fn now(&self) -> Timestamp {
        self.now
    }

    pub(in crate::cli::server) fn config(&self) -> &Config {
        &self.config
    }

    /// Runs a read.
    pub(in crate::cli::server) fn read<T>(
        &mut self,
        read: impl FnOnce(&mut SqliteReads) -> Result<T, StoreError>,
    ) -> Result<T, CliError> {
        read(&mut self.reads).map_err(|error| self.failed(&error))
    }

    /// Commits a write.
    pub(in crate::cli::server) fn write(&mut self, write: &Write) -> Result<Answer, CliError> {
        let committed = self.writes.commit(&[write], self.now);
        let committed = committed.map_err(|error| self.failed(&error))?;
        match committed.answers.into_iter().next() {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(refusal)) => Err(CliError::Usage(refusal.to_string())),
            None => Err(no_answer()),
        }
    }

    fn failed(&self, error: &StoreError) -> CliError {
        CliError::Unusable(OpenError::failed(self.config.database.to_string().as_ref(), error))
    }
}

/// Returns the error for a write that was not answered as the store answers it.
pub(in crate::cli::server) fn no_answer() -> CliError {
    CliError::Usage("the database did not answer".into())
}
