//! Tests of the keyring.

use super::*;
use crate::auth::scope::Scopes;
use crate::config::{KeyLimits, Limits};

fn bounds() -> KeyBounds {
    KeyBounds::new(&KeyLimits::default(), &Limits::default())
}

fn empty() -> Keyring {
    Keyring::new(&StoredKeys::default(), Signer::new([1; 32]), bounds())
}

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
    let keyring = empty();
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
    let keyring = empty();
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
async fn a_wait_ends_when_its_key_is_revoked_or_expires() {
    let keyring = empty();
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
    let keyring = empty();
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

#[test]
fn a_key_that_was_revoked_before_it_was_added_is_not_accepted() {
    let keyring = empty();
    keyring.revoke(KeyId(1));
    keyring.add(&stored(1, None));
    assert!(keyring.needs_key());
    assert_eq!(refusal(&keyring, secret(1).reveal(), at(0)), "the key is not valid");
    assert!(keyring.find_id(KeyId(1), at(0)).is_none() && keyring.name_of(KeyId(1)).is_none());
    // Only that key.
    keyring.add(&stored(2, None));
    assert_eq!(keyring.find(secret(2).reveal(), at(0)).unwrap().id(), KeyId(2));
}

#[test]
fn the_keys_that_are_remembered_as_revoked_are_bounded_and_the_latest_of_them() {
    let keyring = empty();
    let max = i64::try_from(MAX_REVOKED).unwrap();
    (0..=max).map(|ahead| KeyId(ahead + 100)).for_each(|id| keyring.revoke(id));
    assert_eq!(keyring.read().revoked.len(), MAX_REVOKED);
    assert_eq!(keyring.read().revoked.first(), Some(&KeyId(101)));
    // A key that was in the keyring need not be remembered.
    keyring.add(&stored(1, None));
    keyring.revoke(KeyId(1));
    assert!(!keyring.read().revoked.contains(&KeyId(1)));
}

#[test]
fn a_key_that_has_ended_and_is_not_revoked_yet_is_refused_and_its_use_is_kept() {
    let keyring = empty();
    keyring.add(&stored(1, None));
    let entry = keyring.find(secret(1).reveal(), at(5)).unwrap();
    assert!(!keyring.end(KeyId(2)) && !entry.has_ended());
    assert!(keyring.end(KeyId(1)) && entry.has_ended());
    assert!(entry.accept(at(6)).is_err() && keyring.find_id(KeyId(1), at(6)).is_none());
    assert_eq!(refusal(&keyring, secret(1).reveal(), at(6)), "the key is not valid");
    assert_eq!(keyring.unstored_uses(), [(KeyId(1), at(5))]);
    keyring.revoke(KeyId(1));
    assert_eq!(keyring.unstored_uses(), []);
    // An end that nothing has followed is none for a key with that id which is created later.
    keyring.add(&stored(2, None));
    assert!(keyring.find(secret(2).reveal(), at(6)).is_ok());
}

#[actix_web::test]
async fn a_wait_without_a_key_ends_when_a_key_is_needed() {
    let keyring = empty();
    let mut needed = std::pin::pin!(keyring.key_needed());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(needed.as_mut().poll(&mut context).is_pending());
    keyring.add(&stored(1, None));
    needed.await;
    keyring.key_needed().await;
}
