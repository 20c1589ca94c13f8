//! The keyring: the API keys that are accepted, in memory.
//!
//! It is filled at the start, and changed after each commit that creates or revokes a key. A request looks its
//! key up by the digest of its secret, records the use, and keeps the entry to notice the end of the key.

mod failed_sign_ins;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

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
    /// Keys that are not revoked, by the first half of their digests.
    entries: RwLock<HashMap<[u8; 16], Arc<KeyEntry>>>,
    any_existed: AtomicBool,
    signer: Signer,
    bounds: KeyBounds,
    failed_sign_ins: FailedSignIns,
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
        let (entries, any_existed) = (RwLock::default(), AtomicBool::default());
        let failed_sign_ins = FailedSignIns::default();
        let keyring = Self { entries, any_existed, signer, bounds, failed_sign_ins };
        keyring.any_existed.store(stored.any_existed, Ordering::Release);
        stored.keys.iter().for_each(|key| keyring.add(key));
        keyring
    }

    /// Returns whether a key was ever created. From then on requests need one, also when the last key has
    /// ended.
    pub(crate) fn needs_key(&self) -> bool {
        self.any_existed.load(Ordering::Acquire)
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
        self.read().values().find(|entry| entry.id == id).map(|entry| entry.name.clone())
    }

    /// Returns the key with this id if it is valid at `now`, and records its use.
    pub(crate) fn find_id(&self, id: KeyId, now: Timestamp) -> Option<Arc<KeyEntry>> {
        let found = self.read().values().find(|entry| entry.id == id).map(Arc::clone);
        let entry = found.filter(|entry| !entry.has_ended() && !entry.is_expired_at(now))?;
        entry.record_use(now);
        Some(entry)
    }

    /// Returns the key with this secret, and records its use at `now`.
    ///
    /// # Errors
    /// Returns [`KeyRefusal`] if the text is not the secret of a key that is valid at `now`.
    pub(crate) fn find(&self, secret: &str, now: Timestamp) -> Result<Arc<KeyEntry>, KeyRefusal> {
        let digest = KeyDigest::of(secret);
        let found = self.read().get(&digest.lookup_half()).map(Arc::clone);
        let Some(entry) = found.filter(|entry| entry.digest == digest) else {
            KeySecret::parse(secret)?;
            return Err(KeyRefusal::Invalid);
        };
        entry.accept(now)?;
        Ok(entry)
    }

    /// Accepts a key from now on. One that is revoked only counts as a key that existed.
    pub(crate) fn add(&self, stored: &StoredKey) {
        self.any_existed.store(true, Ordering::Release);
        if stored.key.revoked_at.is_none() {
            let entry = Arc::new(KeyEntry::new(stored, self.bounds));
            self.write().insert(stored.digest.lookup_half(), entry);
        }
    }

    /// Accepts a key no more, and ends the requests that were made with it.
    pub(crate) fn revoke(&self, id: KeyId) {
        self.write().retain(|_, entry| {
            if entry.id == id {
                entry.end();
            }
            entry.id != id
        });
    }

    /// Ends the requests that were made with keys which have expired at `now`.
    pub(crate) fn end_expired(&self, now: Timestamp) {
        let is_over = |entry: &&Arc<KeyEntry>| entry.is_expired_at(now) && !entry.has_ended();
        self.read().values().filter(is_over).for_each(|entry| entry.end());
    }

    /// Returns the keys that were used in a minute that is not stored yet.
    pub(crate) fn unstored_uses(&self) -> Vec<(KeyId, Timestamp)> {
        let is_unstored = |entry: &&Arc<KeyEntry>| {
            entry.used_at.load(Ordering::Relaxed) != entry.stored_use.load(Ordering::Relaxed)
        };
        let read = self.read();
        let unstored = read.values().filter(is_unstored);
        unstored.filter_map(|entry| Some((entry.id, entry.last_used_at()?))).collect()
    }

    /// Records that uses were stored.
    pub(crate) fn note_stored(&self, uses: &[(KeyId, Timestamp)]) {
        let read = self.read();
        for entry in read.values() {
            if let Some((_, at)) = uses.iter().find(|(id, _)| *id == entry.id) {
                entry.stored_use.store(at.millis(), Ordering::Relaxed);
            }
        }
    }

    /// Sets the times of the last uses, some of which may not be stored yet.
    pub(crate) fn add_uses(&self, keys: &mut [ApiKey]) {
        let read = self.read();
        for entry in read.values() {
            if let Some(key) = keys.iter_mut().find(|key| key.id == entry.id) {
                key.last_used_at = entry.last_used_at().max(key.last_used_at);
            }
        }
    }

    /// A poisoned lock is safe to use: an entry is added or removed in one step.
    fn read(&self) -> std::sync::RwLockReadGuard<'_, HashMap<[u8; 16], Arc<KeyEntry>>> {
        self.entries.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, HashMap<[u8; 16], Arc<KeyEntry>>> {
        self.entries.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{KeyLimits, Limits};

    fn bounds() -> KeyBounds {
        KeyBounds::new(&KeyLimits::default(), &Limits::default())
    }
    use crate::auth::scope::Scopes;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    fn secret(number: u8) -> KeySecret {
        KeySecret::from_random([number; 32])
    }

    fn stored(number: u8, expires_at: Option<Timestamp>) -> StoredKey {
        let key = ApiKey {
            id: KeyId(number.into()),
            name: format!("key {number}").parse().unwrap(),
            scopes: Scopes::ADMIN,
            queues: Vec::new(),
            created_at: at(0),
            expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        StoredKey { key, digest: secret(number).digest() }
    }

    fn refusal(keyring: &Keyring, text: &str, now: Timestamp) -> String {
        keyring.find(text, now).unwrap_err().to_string()
    }

    #[test]
    fn unknown_revoked_and_expired_keys_are_refused_with_the_same_text() {
        let keyring = Keyring::new(&StoredKeys::default(), Signer::new([1; 32]), bounds());
        assert!(!keyring.needs_key());
        keyring.add(&stored(1, None));
        keyring.add(&stored(2, Some(at(10))));
        keyring.add(&stored(3, None));
        keyring.revoke(KeyId(3));
        assert_eq!(keyring.find(secret(1).reveal(), at(99)).unwrap().id(), KeyId(1));
        assert_eq!(keyring.find(secret(2).reveal(), at(9)).unwrap().id(), KeyId(2));
        for number in [2, 3, 4] {
            let text = refusal(&keyring, secret(number).reveal(), at(10));
            assert_eq!(text, "the key is not valid", "{number}");
        }
        let damaged = secret(1).reveal().replace("ls_", "ls_x");
        assert!(refusal(&keyring, &damaged, at(0)).contains("checksum"), "{damaged}");
        assert!(refusal(&keyring, "x", at(0)).contains("letters and digits"));
    }

    #[test]
    fn a_keyring_without_valid_keys_still_needs_one() {
        let impossible = StoredKeys { keys: Vec::new(), any_existed: true };
        assert!(Keyring::new(&impossible, Signer::new([1; 32]), bounds()).needs_key());
        let keyring = Keyring::new(&StoredKeys::default(), Signer::new([1; 32]), bounds());
        keyring.add(&stored(1, None));
        keyring.revoke(KeyId(1));
        assert!(keyring.needs_key());
        let mut revoked = stored(1, None);
        revoked.key.revoked_at = Some(at(1));
        let keyring = Keyring::new(
            &StoredKeys { keys: vec![revoked], any_existed: true },
            Signer::new([1; 32]),
            bounds(),
        );
        assert_eq!(refusal(&keyring, secret(1).reveal(), at(2)), "the key is not valid");
    }

    #[actix_web::test]
    async fn whoever_waits_learns_that_a_key_was_revoked_or_has_expired() {
        let keyring = Keyring::new(&StoredKeys::default(), Signer::new([1; 32]), bounds());
        keyring.add(&stored(1, None));
        keyring.add(&stored(2, Some(at(10))));
        let revoked = keyring.find(secret(1).reveal(), at(0)).unwrap();
        let expired = keyring.find(secret(2).reveal(), at(0)).unwrap();
        keyring.end_expired(at(9));
        assert!(!revoked.has_ended() && !expired.has_ended());
        keyring.end_expired(at(10));
        expired.ended().await;
        let ended = revoked.ended();
        keyring.revoke(KeyId(1));
        ended.await;
        assert!(revoked.has_ended());
    }

    #[test]
    fn uses_are_recorded_once_a_minute() {
        let keyring = Keyring::new(&StoredKeys::default(), Signer::new([1; 32]), bounds());
        keyring.add(&stored(1, None));
        keyring.add(&stored(2, None));
        assert_eq!(keyring.unstored_uses(), []);
        for secs in [5, 6, 59] {
            keyring.find(secret(1).reveal(), at(secs)).unwrap();
        }
        let uses = keyring.unstored_uses();
        assert_eq!(uses, [(KeyId(1), at(5))]);
        keyring.find(secret(1).reveal(), at(61)).unwrap();
        keyring.note_stored(&uses);
        assert_eq!(keyring.unstored_uses(), [(KeyId(1), at(61))]);
        keyring.note_stored(&keyring.unstored_uses());
        assert_eq!(keyring.unstored_uses(), []);
        let mut keys = [stored(1, None).key, stored(2, None).key];
        keyring.add_uses(&mut keys);
        assert_eq!(keys.map(|key| key.last_used_at), [Some(at(61)), None]);
    }
}
