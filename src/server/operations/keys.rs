//! API keys: created, revoked and listed.

use std::sync::Arc;

use crate::actor::keyring::Keyring;
use crate::auth::api_key::{ApiKey, NewKey, StoredKey};
use crate::auth::key_id::KeyId;
use crate::auth::secret::{KeyDigest, KeySecret};
use crate::config::Config;
use crate::job::Timestamp;
use crate::job::problem::Problem;
use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::store::{Answer, Write};

/// An API key that was just created, with its secret. The secret is not stored, so this is the only time at
/// which it is known.
#[derive(Debug, Clone)]
pub struct CreatedKey {
    /// The key.
    pub key: ApiKey,
    /// Text that clients send as `Authorization: Bearer`.
    pub secret: KeySecret,
}

impl Handle {
    /// Creates an API key. It is accepted from now on.
    ///
    /// After the first key, every HTTP request needs one, so the first key must always be able to create others:
    /// it must have the scope `admin`, no queue pattern and no expiry, unless `keyless_loopback` is set.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if the key is invalid, and [`Error::Refused`] if a key that is not
    /// revoked has its name or there are too many keys.
    pub async fn create_key(&self, key: NewKey) -> Result<CreatedKey, Error> {
        check_new_key(&key, self.needs_key(), self.config(), self.now())
            .map_err(|problem| Error::Invalid(vec![problem]))?;
        let secret = random_secret()?;
        let digest = secret.digest();
        // In a task of its own: if the caller goes away after the commit, the keyring still changes.
        let created = tokio::spawn(self.clone().store_key(key, digest));
        Ok(CreatedKey { key: created.await.map_err(|_ended| Error::Stopped)??, secret })
    }

    /// Revokes an API key: its requests are refused from now on, and its streams and waits end. A key that is
    /// revoked already stays as it is.
    ///
    /// If this cannot be stored, as on a full disk, the key is refused all the same until the restart. Call again
    /// before that.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the key does not exist.
    pub async fn revoke_key(&self, id: KeyId) -> Result<ApiKey, Error> {
        self.check_key_valid()?;
        tokio::spawn(self.clone().store_end(id)).await.map_err(|_ended| Error::Stopped)?
    }

    async fn store_key(self, key: NewKey, digest: KeyDigest) -> Result<ApiKey, Error> {
        let key = key_of(self.write(Write::CreateKey(key, digest), 0).await?)?;
        self.keyring().add(&StoredKey { key: key.clone(), digest });
        self.note_created(&key.id);
        Ok(key)
    }

    async fn store_end(self, id: KeyId) -> Result<ApiKey, Error> {
        // Before it is stored, so that a leaked key ends also if the disk is full.
        let has_ended = self.keyring().end(id);
        // A key may revoke itself, and has ended now.
        let unchecked = self.acting_for(self.principal().clone());
        unchecked.store_last_use(id).await;
        let revoked = unchecked.write(Write::RevokeKey(id), 0).await;
        if let (Err(error), true) = (&revoked, has_ended) {
            tracing::warn!(
                key = id.0,
                %error,
                "the end of the key was not stored: it is refused until the restart; revoke it again before that"
            );
        }
        let key = key_of(revoked?)?;
        self.keyring().revoke(id);
        Ok(key)
    }

    /// Stores the last use of a key, so that an operator sees whether a leaked key was used. If this fails, the
    /// key is still revoked.
    async fn store_last_use(&self, id: KeyId) {
        let mut uses = self.keyring().unstored_uses();
        uses.retain(|(used, _)| *used == id);
        if uses.is_empty() {
            return;
        }
        if let Err(error) = self.write(Write::TouchKeys(uses), 0).await {
            tracing::warn!(key = id.0, %error, "the last use of the key was not stored");
        }
    }

    /// Returns all API keys, also expired and revoked ones, by ascending id.
    ///
    /// # Errors
    /// Returns [`Error::Unreadable`] if the database cannot be read.
    pub async fn keys(&self) -> Result<Vec<ApiKey>, Error> {
        let _permit = self.list_read_permit()?;
        let stored = self.list_read(|store, _| store.keys()).await?;
        let mut keys: Vec<ApiKey> = stored.keys.into_iter().map(|stored| stored.key).collect();
        self.keyring().add_uses(&mut keys);
        Ok(keys)
    }

    /// Returns whether an API key was ever created, so that HTTP requests need one.
    pub fn needs_key(&self) -> bool {
        self.keyring().needs_key()
    }

    pub(crate) fn keyring(&self) -> &Arc<Keyring> {
        &self.connections().keyring
    }
}

/// Checks a key to create: `any_existed` is whether one was ever created.
///
/// The first key must be able to create others for as long as the server lives, or nobody could: from then on every
/// request needs a key.
///
/// # Errors
/// Returns what is wrong with the key.
pub(crate) fn check_new_key(
    key: &NewKey,
    any_existed: bool,
    config: &Config,
    now: Timestamp,
) -> Result<(), Problem> {
    if let Some((pointer, why)) = key.problem(now) {
        return Err(Problem::new(pointer, why));
    }
    if any_existed || config.keyless_loopback {
        return Ok(());
    }
    if !key.is_unbound_admin() {
        let why = "the first key must have the scope admin and no queue pattern: from then on every request \
                   needs a key, and this one could not create others";
        return Err(Problem::new("/scopes", why));
    }
    if key.expires_at.is_some() {
        let why = "the first key must not expire: from then on every request needs a key, and after its end \
                   nobody could create another";
        return Err(Problem::new("/expires_in", why));
    }
    Ok(())
}

/// Returns a secret with random bits of the operating system.
pub(crate) fn random_secret() -> Result<KeySecret, Error> {
    Ok(KeySecret::from_random(random_bits()?))
}

/// Returns random bits of the operating system.
pub(super) fn random_bits() -> Result<[u8; 32], Error> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(|error| {
        tracing::error!(%error, "the operating system returned no random numbers");
        Error::NoRandomness
    })?;
    Ok(bits)
}

fn key_of(answer: Answer) -> Result<ApiKey, Error> {
    match answer {
        Answer::Key(key) => Ok(*key),
        // The store answers these writes with the key.
        _ => Err(Error::Unreadable),
    }
}
