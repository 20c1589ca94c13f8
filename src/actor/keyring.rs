//! The keyring: the API keys that are accepted, in memory.
//!
//! It is filled at the start, and changed after each commit that creates a key, and before and after one that revokes
//! it. A request looks its key up by the digest of its secret, records the use, and keeps the entry to notice the
//! end of the key.

mod failed_sign_ins;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use crate::actor::key_usage::{KeyBounds, KeyUsage};
use crate::auth::api_key::{ApiKey, KeyName, StoredKey};
use crate::auth::key_id::KeyId;
use crate::auth::principal::Principal;
use crate::auth::secret::{InvalidSecret, KeyDigest, KeySecret};
use crate::auth::token::Signer;
use crate::job::Timestamp;
use crate::store::StoredKeys;
use failed_sign_ins::FailedSignIns;

/// Uses of a key within one minute are recorded once.
const MINUTE_MS: i64 = 60_000;

/// Value of a time of use if there was none.
const NEVER: i64 = i64::MIN;

/// Maximum number of revoked keys that are remembered because they were not in the keyring. Far fewer can be on
/// their way into it.
const MAX_REVOKED: usize = 10_000;

/// Reason why a key is not accepted. It never says which keys exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum KeyRefusal {
    /// The text is not a key, or a damaged one.
    #[error(transparent)]
    NotAKey(#[from] InvalidSecret),
    /// The key is unknown, revoked or expired.
    #[error("the key is not valid")]
    Invalid,
}

/// The API keys that are accepted. A lookup takes a read lock for the time of one map access.
#[derive(Debug)]
pub(crate) struct Keyring {
    entries: RwLock<Entries>,
    any_existed: AtomicBool,
    /// Whether a key was ever created, for those who wait for the first one.
    has_first: watch::Sender<bool>,
    signer: Signer,
    bounds: KeyBounds,
    failed_sign_ins: FailedSignIns,
}

/// The entries of a keyring.
#[derive(Debug, Default)]
struct Entries {
    /// Keys that are not revoked, by the first half of their digests.
    keys: HashMap<[u8; 16], Arc<KeyEntry>>,
    /// Keys that were revoked and had no entry. The task that has created one may add it after that.
    revoked: BTreeSet<KeyId>,
}

impl Entries {
    fn add(&mut self, digest: KeyDigest, entry: KeyEntry) {
        if !self.revoked.remove(&entry.id) {
            self.keys.insert(digest.lookup_half(), Arc::new(entry));
        }
    }

    fn revoke(&mut self, id: KeyId) {
        let before = self.keys.len();
        self.keys.retain(|_, entry| {
            if entry.id == id {
                entry.end();
            }
            entry.id != id
        });
        if self.keys.len() == before {
            self.revoked.insert(id);
        }
        if self.revoked.len() > MAX_REVOKED {
            self.revoked.pop_first();
        }
    }
}

/// An API key in memory.
#[derive(Debug)]
pub(crate) struct KeyEntry {
    name: KeyName,
    id: KeyId,
    digest: KeyDigest,
    principal: Principal,
    expires_at: Option<Timestamp>,
    /// Time of the first request in the last minute with requests.
    used_at: AtomicI64,
    /// Value of `used_at` that is stored.
    stored_use: AtomicI64,
    /// Whether the key was revoked or has expired.
    ended: watch::Sender<bool>,
    usage: Arc<KeyUsage>,
    /// What tokens use that were made with the key, so that their users cannot use up what the key needs.
    token_usage: Arc<KeyUsage>,
}

impl KeyEntry {
    fn new(stored: &StoredKey, bounds: KeyBounds) -> Self {
        let StoredKey { key, digest } = stored;
        let used_at = key.last_used_at.map_or(NEVER, Timestamp::millis);
        Self {
            name: key.name.clone(),
            id: key.id,
            digest: *digest,
            principal: key.principal(),
            expires_at: key.expires_at,
            used_at: AtomicI64::new(used_at),
            stored_use: AtomicI64::new(used_at),
            ended: watch::Sender::new(false),
            usage: Arc::new(KeyUsage::new(bounds)),
            token_usage: Arc::new(KeyUsage::new(bounds)),
        }
    }

    /// Returns the id of the key.
    pub(crate) fn id(&self) -> KeyId {
        self.id
    }

    /// Returns the name of the key.
    pub(crate) fn name(&self) -> &KeyName {
        &self.name
    }

    /// Returns what the key uses.
    pub(crate) fn usage(&self) -> &Arc<KeyUsage> {
        &self.usage
    }

    /// Returns what the tokens use that were made with the key.
    pub(crate) fn token_usage(&self) -> &Arc<KeyUsage> {
        &self.token_usage
    }

    /// Returns on whose behalf requests with the key are made.
    pub(crate) fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Returns whether the key was revoked, or was found to have expired.
    pub(crate) fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits until the key is revoked or expires.
    pub(crate) async fn ended(&self) {
        // The channel is open, because this value has its sender.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    /// Accepts a request with the key at `now`, and records the use.
    ///
    /// # Errors
    /// Returns [`KeyRefusal::Invalid`] if the key was revoked or has expired.
    pub(crate) fn accept(&self, now: Timestamp) -> Result<(), KeyRefusal> {
        if self.has_ended() || self.is_expired_at(now) {
            return Err(KeyRefusal::Invalid);
        }
        self.record_use(now);
        Ok(())
    }

    fn end(&self) {
        self.ended.send_replace(true);
    }

    fn is_expired_at(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|expires_at| expires_at <= now)
    }

    fn record_use(&self, now: Timestamp) {
        let (now, before) = (now.millis(), self.used_at.load(Ordering::Relaxed));
        // A write for each request would move the value between the caches of all threads.
        if before == NEVER || now.div_euclid(MINUTE_MS) != before.div_euclid(MINUTE_MS) {
            self.used_at.store(now, Ordering::Relaxed);
        }
    }

    fn last_used_at(&self) -> Option<Timestamp> {
        let used_at = self.used_at.load(Ordering::Relaxed);
        (used_at != NEVER).then(|| Timestamp::from_millis(used_at))
    }
}

impl Keyring {
    /// Creates the keyring of a database.
    pub(crate) fn new(stored: &StoredKeys, signer: Signer, bounds: KeyBounds) -> Self {
        let keyring = Self {
            entries: RwLock::default(),
            any_existed: AtomicBool::new(stored.any_existed),
            has_first: watch::Sender::new(stored.any_existed),
            signer,
            bounds,
            failed_sign_ins: FailedSignIns::default(),
        };
        stored.keys.iter().for_each(|key| keyring.add(key));
        keyring
    }

    /// Returns whether a key was ever created. From then on requests need one, also when the last key has
    /// ended.
    pub(crate) fn needs_key(&self) -> bool {
        self.any_existed.load(Ordering::Acquire)
    }

    /// Waits until requests need a key.
    pub(crate) async fn key_needed(&self) {
        // The channel is open, because this value has its sender.
        let _ = self.has_first.subscribe().wait_for(|has_first| *has_first).await;
    }

    /// Returns the signer of tokens.
    pub(crate) fn signer(&self) -> &Signer {
        &self.signer
    }

    /// Returns the counters of failed sign-ins to the pages.
    pub(crate) fn failed_sign_ins(&self) -> &FailedSignIns {
        &self.failed_sign_ins
    }

    /// Returns the name of a key that is not revoked.
    pub(crate) fn name_of(&self, id: KeyId) -> Option<KeyName> {
        self.entry(id).map(|entry| entry.name.clone())
    }

    /// Returns the key with this id if it is valid at `now`, and records its use.
    pub(crate) fn find_id(&self, id: KeyId, now: Timestamp) -> Option<Arc<KeyEntry>> {
        let entry =
            self.entry(id).filter(|entry| !entry.has_ended() && !entry.is_expired_at(now))?;
        entry.record_use(now);
        Some(entry)
    }

    /// Returns the key with this secret, and records its use at `now`.
    ///
    /// # Errors
    /// Returns [`KeyRefusal`] if the text is not the secret of a key that is valid at `now`.
    pub(crate) fn find(&self, secret: &str, now: Timestamp) -> Result<Arc<KeyEntry>, KeyRefusal> {
        let digest = KeyDigest::of(secret);
        let found = self.read().keys.get(&digest.lookup_half()).map(Arc::clone);
        let Some(entry) = found.filter(|entry| entry.digest == digest) else {
            KeySecret::parse(secret)?;
            return Err(KeyRefusal::Invalid);
        };
        entry.accept(now)?;
        Ok(entry)
    }

    /// Accepts a key from now on. One that is revoked only counts as a key that existed, also if
    /// [`revoke`](Self::revoke) came before this. The first key ends the requests that were made without one.
    pub(crate) fn add(&self, stored: &StoredKey) {
        if stored.key.revoked_at.is_none() {
            self.write().add(stored.digest, KeyEntry::new(stored, self.bounds));
        }
        if !self.any_existed.swap(true, Ordering::AcqRel) {
            self.has_first.send_replace(true);
        }
    }

    /// Refuses a key from now on, and ends the requests that were made with it. The key stays in the keyring until it
    /// is revoked, so that its last use can still be stored. Returns whether it is in the keyring.
    pub(crate) fn end(&self, id: KeyId) -> bool {
        let entry = self.entry(id);
        if let Some(entry) = &entry {
            entry.end();
        }
        entry.is_some()
    }

    /// Removes a key that is stored as revoked, and ends the requests that were made with it.
    pub(crate) fn revoke(&self, id: KeyId) {
        self.write().revoke(id);
    }

    /// Ends the requests that were made with keys which have expired at `now`.
    pub(crate) fn end_expired(&self, now: Timestamp) {
        let is_over = |entry: &&Arc<KeyEntry>| entry.is_expired_at(now) && !entry.has_ended();
        self.read().keys.values().filter(is_over).for_each(|entry| entry.end());
    }

    /// Returns the keys that were used in a minute that is not stored yet.
    pub(crate) fn unstored_uses(&self) -> Vec<(KeyId, Timestamp)> {
        let is_unstored = |entry: &&Arc<KeyEntry>| {
            entry.used_at.load(Ordering::Relaxed) != entry.stored_use.load(Ordering::Relaxed)
        };
        let read = self.read();
        let unstored = read.keys.values().filter(is_unstored);
        unstored.filter_map(|entry| Some((entry.id, entry.last_used_at()?))).collect()
    }

    /// Records that uses were stored.
    pub(crate) fn note_stored(&self, uses: &[(KeyId, Timestamp)]) {
        let read = self.read();
        for entry in read.keys.values() {
            if let Some((_, at)) = uses.iter().find(|(id, _)| *id == entry.id) {
                entry.stored_use.store(at.millis(), Ordering::Relaxed);
            }
        }
    }

    /// Sets the times of the last uses, some of which may not be stored yet.
    pub(crate) fn add_uses(&self, keys: &mut [ApiKey]) {
        let read = self.read();
        for entry in read.keys.values() {
            if let Some(key) = keys.iter_mut().find(|key| key.id == entry.id) {
                key.last_used_at = entry.last_used_at().max(key.last_used_at);
            }
        }
    }

    fn entry(&self, id: KeyId) -> Option<Arc<KeyEntry>> {
        self.read().keys.values().find(|entry| entry.id == id).map(Arc::clone)
    }

    /// A poisoned lock is safe to use: an entry is added or removed in one step.
    fn read(&self) -> RwLockReadGuard<'_, Entries> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Entries> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}
