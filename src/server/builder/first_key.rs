//! The first API key of a new database, which an operator brings along, as for a container.

use std::path::Path;

use crate::auth::api_key::NewKey;
use crate::auth::secret::KeySecret;
use crate::clock::Clock;
use crate::config::Config;
use crate::config::warn_if_readable_by_others;
use crate::store::{StoreError, StoredKeys, Write, WriteStore};

/// Name of the first key.
const NAME: &str = "first";

/// Reason why the first key was not stored.
pub(super) enum FirstKeyError {
    /// The database failed.
    Store(StoreError),
    /// The file cannot be read, or has no key.
    Unusable(String),
}

impl From<StoreError> for FirstKeyError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Stores the first key, if there is one and no key was ever created. Returns whether it did.
///
/// # Errors
/// Returns [`FirstKeyError`] if the file cannot be read or has no key.
pub(super) fn store(
    given: Option<KeySecret>,
    stored: &StoredKeys,
    store: &mut dyn WriteStore,
    config: &Config,
    clock: &Clock,
) -> Result<bool, FirstKeyError> {
    if stored.any_existed {
        log_untaken(given, stored, config, clock);
        return Ok(false);
    }
    let secret = match (given, &config.first_key_file) {
        (Some(secret), _) => secret,
        (None, Some(path)) => read(path)?,
        (None, None) => return Ok(false),
    };
    let name = NAME.parse().map_err(|error| FirstKeyError::Unusable(format!("{NAME}: {error}")))?;
    let write = Write::CreateKey(NewKey::admin(name), secret.digest());
    let committed = store.commit(&[&write], clock.now())?;
    if let Some(Err(refusal)) = committed.answers.into_iter().next() {
        return Err(FirstKeyError::Unusable(refusal.to_string()));
    }
    tracing::info!(
        name = NAME,
        "stored the first key, with the scope admin: every request needs a key now"
    );
    Ok(true)
}

/// Logs why the first key is not taken, with a warning if clients that send it are refused.
fn log_untaken(given: Option<KeySecret>, stored: &StoredKeys, config: &Config, clock: &Clock) {
    let secret = match (given, &config.first_key_file) {
        (Some(secret), _) => secret,
        // A file that was removed after the first start is no fault.
        (None, Some(path)) if !path.exists() => {
            tracing::info!(
                path = %path.display(),
                "first_key_file is not read: the database has keys, and the file does not exist"
            );
            return;
        }
        (None, Some(path)) => match read(path) {
            Ok(secret) => secret,
            Err(FirstKeyError::Store(_)) => return,
            Err(FirstKeyError::Unusable(why)) => {
                tracing::warn!(why, "the first key is not taken: the database has keys");
                return;
            }
        },
        (None, None) => return,
    };
    let (digest, now) = (secret.digest(), clock.now());
    match stored.keys.iter().find(|stored| stored.digest == digest) {
        Some(stored) if stored.key.is_valid_at(now) => tracing::info!(
            key = stored.key.id.0,
            "the first key is not taken: the database has it already"
        ),
        found => {
            let state = if found.is_some() { "revoked or expired" } else { "not one of them" };
            tracing::warn!(
                "the first key is not taken: the database has keys, and this one is {state}; requests with it \
                 are refused"
            );
        }
    }
}

fn read(path: &Path) -> Result<KeySecret, FirstKeyError> {
    let failed = |why: String| FirstKeyError::Unusable(format!("{}: {why}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
    warn_if_readable_by_others(path, "the first key");
    KeySecret::parse(text.trim()).map_err(|error| failed(error.to_string()))
}
