//! The keys in a database that no server uses.

use crate::auth::api_key::{ApiKey, NewKey};
use crate::auth::key_id::KeyId;
use crate::auth::secret::KeySecret;
use crate::cli::error::CliError;
use crate::cli::server::database::open_database::{OpenDatabase, no_answer};
use crate::server::{check_new_key, random_secret};
use crate::store::{Answer, ReadStore, StoredKeys, Write};

impl OpenDatabase {
    /// Returns all keys.
    pub(super) fn keys(&mut self) -> Result<Vec<ApiKey>, CliError> {
        Ok(self.stored_keys()?.keys.into_iter().map(|stored| stored.key).collect())
    }

    fn stored_keys(&mut self) -> Result<StoredKeys, CliError> {
        self.read(ReadStore::keys)
    }

    /// Creates a key.
    pub(super) fn create_key(&mut self, key: NewKey) -> Result<(ApiKey, KeySecret), CliError> {
        let any_existed = self.stored_keys()?.any_existed;
        check_new_key(&key, any_existed, self.config(), self.now()).map_err(|problem| {
            CliError::Usage(format!("{}: {}", option_of(&problem.pointer), problem.detail))
        })?;
        let secret = random_secret().map_err(|error| CliError::Usage(error.to_string()))?;
        let key = self.write_key(&Write::CreateKey(key, secret.digest()))?;
        Ok((key, secret))
    }

    /// Revokes a key.
    pub(super) fn revoke_key(&mut self, id: KeyId) -> Result<ApiKey, CliError> {
        self.write_key(&Write::RevokeKey(id))
    }

    fn write_key(&mut self, write: &Write) -> Result<ApiKey, CliError> {
        match self.write(write)? {
            Answer::Key(key) => Ok(*key),
            _ => Err(no_answer()),
        }
    }
}

/// Returns the option or argument of `longshore key create` that sets a field.
fn option_of(pointer: &str) -> &str {
    match pointer {
        "/name" => "NAME",
        "/scopes" => "--scope",
        "/queues" => "--queue",
        "/expires_in" => "--expires",
        other => other,
    }
}
