//! API keys: created, revoked and listed.

use std::sync::Arc;

use crate::actor::keyring::Keyring;
use crate::auth::api_key::{ApiKey, NewKey, StoredKey};
use crate::auth::key_id::KeyId;
use crate::auth::secret::{KeyDigest, KeySecret};
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
    /// After the first key, every HTTP request needs one, so the first key must be able to create others:
    /// it must have the scope `admin` and no queue pattern, unless `keyless_loopback` is set.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if the key is invalid, and [`Error::Refused`] if a key that is not
    /// revoked has its name or there are too many keys.
    pub async fn create_key(&self, key: NewKey) -> Result<CreatedKey, Error> {
        self.check_key(&key)?;
        let secret = random_secret()?;
        let digest = secret.digest();
        // In a task of its own: if the caller goes away after the commit, the keyring still changes.
        let created = tokio::spawn(self.clone().store_key(key, digest));
        Ok(CreatedKey { key: created.await.map_err(|_ended| Error::Stopped)??, secret })
    }

    /// Revokes an API key: its requests are refused from now on, and its streams and waits end. A key that is
    /// revoked already stays as it is.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the key does not exist.
    pub async fn revoke_key(&self, id: KeyId) -> Result<ApiKey, Error> {
        tokio::spawn(self.clone().store_end(id)).await.map_err(|_ended| Error::Stopped)?
    }

    async fn store_key(self, key: NewKey, digest: KeyDigest) -> Result<ApiKey, Error> {
        let key = key_of(self.write(Write::CreateKey(key, digest), 0).await?)?;
        self.keyring().add(&StoredKey { key: key.clone(), digest });
        Ok(key)
    }

    async fn store_end(self, id: KeyId) -> Result<ApiKey, Error> {
        // The last use tells an operator whether a leaked key was used.
        let mut uses = self.keyring().unstored_uses();
        uses.retain(|(used, _)| *used == id);
        if !uses.is_empty() {
            self.write(Write::TouchKeys(uses), 0).await?;
        }
        let key = key_of(self.write(Write::RevokeKey(id), 0).await?)?;
        self.keyring().revoke(id);
        Ok(key)
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

    fn check_key(&self, key: &NewKey) -> Result<(), Error> {
        let invalid = |pointer: &str, why: &str| Error::Invalid(vec![Problem::new(pointer, why)]);
        if let Some((pointer, why)) = key.problem(self.now()) {
            return Err(invalid(pointer, &why));
        }
        let is_lockout =
            !self.needs_key() && !self.config().keyless_loopback && !key.is_unbound_admin();
        if is_lockout {
            let why = "the first key must have the scope admin and no queue pattern: from then on \
                       every request needs a key, and this one could not create others";
            return Err(invalid("/scopes", why));
        }
        Ok(())
    }
}

/// Returns a secret with random bits of the operating system.
pub(crate) fn random_secret() -> Result<KeySecret, Error> {
    let mut bits = [0; 32];
    getrandom::fill(&mut bits).map_err(|error| {
        tracing::error!(%error, "the operating system returned no random numbers");
        Error::NoRandomness
    })?;
    Ok(KeySecret::from_random(bits))
}

fn key_of(answer: Answer) -> Result<ApiKey, Error> {
    match answer {
        Answer::Key(key) => Ok(*key),
        // The store answers these writes with the key.
        _ => Err(Error::Unreadable),
    }
}
