//! API keys: created, revoked, and never forgotten.

use longshore::auth::api_key::{ApiKey, NewKey};
use longshore::auth::key_id::KeyId;
use longshore::auth::scope::{Scope, Scopes};
use longshore::auth::secret::KeySecret;
use longshore::store::{Answer, MAX_KEYS, Refusal, Write};

use super::Store;
use crate::kit::{job, submit};

fn new_key(name: &str) -> NewKey {
    NewKey::admin(name.parse().unwrap())
}

/// Returns the write that creates a key whose secret has this number.
fn create(key: NewKey, number: u32) -> Write {
    let mut bits = [0; 32];
    bits[..4].copy_from_slice(&number.to_be_bytes());
    Write::CreateKey(key, KeySecret::from_random(bits).digest())
}

fn key(answer: Result<Answer, Refusal>) -> ApiKey {
    match answer {
        Ok(Answer::Key(key)) => *key,
        other => panic!("not a key: {other:?}"),
    }
}

fn names(store: &mut Store) -> Vec<String> {
    let keys = store.reads.keys().unwrap().keys;
    keys.iter().map(|stored| stored.key.name.to_string()).collect()
}

#[test]
fn a_key_is_stored_with_everything_but_its_secret_and_survives_a_restart() {
    let mut store = Store::fresh();
    assert_eq!(store.reads.keys().unwrap(), Default::default());
    let wanted = NewKey {
        scopes: Scopes::of(&[Scope::Read, Scope::Work]),
        queues: vec!["shop.*".parse().unwrap(), "mail".parse().unwrap()],
        expires_at: Some(store.after(60)),
        ..new_key("web shop")
    };
    let created = key(store.write(create(wanted.clone(), 1)));
    let expected = ApiKey {
        id: KeyId(1),
        name: wanted.name.clone(),
        scopes: wanted.scopes,
        queues: wanted.queues.clone(),
        created_at: store.now,
        expires_at: wanted.expires_at,
        revoked_at: None,
        last_used_at: None,
    };
    assert_eq!(created, expected);
    store.reopen();
    let stored = store.reads.keys().unwrap();
    assert!(stored.any_existed);
    let Write::CreateKey(_, digest) = create(wanted, 1) else { unreachable!("not a key") };
    assert_eq!((&stored.keys[0].key, stored.keys[0].digest), (&expected, digest));
}

#[test]
fn a_name_belongs_to_one_key_until_it_is_revoked() {
    let mut store = Store::fresh();
    // Of one group, only the second is refused.
    let group = [create(new_key("a"), 1), create(new_key("a"), 2), submit(vec![job()])];
    let [first, second, third] = store.commit(&group).answers.try_into().unwrap();
    let first = key(first);
    assert_eq!(second.unwrap_err(), Refusal::KeyNameTaken("a".parse().unwrap()));
    assert!(third.is_ok());
    store.advance(5);
    let revoked = key(store.write(Write::RevokeKey(first.id)));
    assert_eq!(revoked.revoked_at, Some(store.now));
    store.advance(5);
    let again = key(store.write(Write::RevokeKey(first.id)));
    assert_eq!(again, revoked, "the first time stays");
    let next = key(store.write(create(new_key("a"), 2)));
    assert!(next.id > first.id);
    assert_eq!(store.write(Write::RevokeKey(KeyId(99))).unwrap_err(), Refusal::NoKey(KeyId(99)));
    assert_eq!(names(&mut store), ["a", "a"]);
}

#[test]
fn the_last_use_only_moves_forward() {
    let mut store = Store::fresh();
    let id = key(store.write(create(new_key("a"), 1))).id;
    let last_use = |store: &mut Store| store.reads.keys().unwrap().keys[0].key.last_used_at;
    let (early, late) = (store.after(10), store.after(70));
    for (at, expected) in [(early, early), (late, late), (early, late)] {
        store.write(Write::TouchKeys(vec![(KeyId(9), at), (id, at)])).unwrap();
        assert_eq!(last_use(&mut store), Some(expected));
    }
}

#[test]
fn the_number_of_keys_is_bounded_and_their_ids_are_never_reused() {
    let mut store = Store::fresh();
    let all: Vec<Write> =
        (0..MAX_KEYS).map(|number| create(new_key(&format!("key {number}")), number)).collect();
    store.commit(&all);
    let refused = store.write(create(new_key("one more"), MAX_KEYS)).unwrap_err();
    assert_eq!(refused, Refusal::TooManyKeys(MAX_KEYS));
    let revoke: Vec<Write> = (1..=MAX_KEYS).map(|id| Write::RevokeKey(KeyId(id.into()))).collect();
    store.commit(&revoke);
    // The oldest of the revoked keys make room for newer ones.
    store.advance(1);
    for number in 1..=3 {
        let key = key(store.write(create(new_key("next"), MAX_KEYS + number)));
        assert_eq!(key.id, KeyId(i64::from(MAX_KEYS + number)));
        store.write(Write::RevokeKey(key.id)).unwrap();
    }
    let keys = store.reads.keys().unwrap();
    // The third creation has kept the latest of those that were revoked then.
    assert_eq!(keys.keys.len(), MAX_KEYS as usize + 1);
    assert_eq!(keys.keys[0].key.id, KeyId(3));
}

#[test]
fn a_key_that_cannot_be_read_is_not_accepted_and_still_counts_as_one() {
    let mut store = Store::fresh();
    store.write(create(new_key("a"), 1)).unwrap();
    store.corrupt("UPDATE api_keys SET scopes = '[\"root\"]'");
    let stored = store.reads.keys().unwrap();
    assert_eq!((stored.keys.len(), stored.any_existed), (0, true));
}
