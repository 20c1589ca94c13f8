//! The keys in a database that no server uses.

use crate::auth::api_key::{ApiKey, NewKey};
use crate::auth::key_id::KeyId;
use crate::auth::secret::KeySecret;
use crate::cli::error::CliError;
use crate::cli::server::database::DatabaseArgs;
use crate::clock::Clock;
use crate::config::Config;
use crate::job::Timestamp;
use crate::server::{check_new_key, random_secret};
use crate::store::sqlite::{SqliteReads, SqliteWrites};
use crate::store::{Answer, OpenError, ReadStore, StoreError, StoredKeys, Write, WriteStore};

/// A database that is open as a server opens it, so that no server can use it meanwhile.
pub(super) struct KeyDatabase {
    config: Config,
    writes: SqliteWrites,
    reads: SqliteReads,
    now: Timestamp,
}

impl KeyDatabase {
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

    pub(super) fn now(&self) -> Timestamp {
        self.now
    }

    /// Returns all keys.
    pub(super) fn keys(&mut self) -> Result<Vec<ApiKey>, CliError> {
        Ok(self.stored()?.keys.into_iter().map(|stored| stored.key).collect())
    }

    fn stored(&mut self) -> Result<StoredKeys, CliError> {
        self.reads.keys().map_err(|error| self.failed(&error))
    }

    /// Creates a key.
    pub(super) fn create(&mut self, key: NewKey) -> Result<(ApiKey, KeySecret), CliError> {
        let any_existed = self.stored()?.any_existed;
        check_new_key(&key, any_existed, &self.config, self.now).map_err(|problem| {
            CliError::Usage(format!("{}: {}", problem.pointer, problem.detail))
        })?;
        let secret = random_secret().map_err(|error| CliError::Usage(error.to_string()))?;
        let key = self.write(&Write::CreateKey(key, secret.digest()))?;
        Ok((key, secret))
    }

    /// Revokes a key.
    pub(super) fn revoke(&mut self, id: KeyId) -> Result<ApiKey, CliError> {
        self.write(&Write::RevokeKey(id))
    }

    fn write(&mut self, write: &Write) -> Result<ApiKey, CliError> {
        let committed = self.writes.commit(&[write], self.now);
        let committed = committed.map_err(|error| self.failed(&error))?;
        match committed.answers.into_iter().next() {
            Some(Ok(Answer::Key(key))) => Ok(*key),
            Some(Err(refusal)) => Err(CliError::Usage(refusal.to_string())),
            _ => Err(CliError::Usage("the database did not answer".into())),
        }
    }

    fn failed(&self, error: &StoreError) -> CliError {
        CliError::Unusable(OpenError::failed(self.config.database.to_string().as_ref(), error))
    }
}
