//! Webhook secrets: created, rotated and deleted.

use longshore::auth::webhook::{StoredWebhookSecret, WebhookSecret};
use longshore::job::{Span, WebhookSecretName};
use longshore::store::{Answer, MAX_WEBHOOK_SECRETS, Refusal, Write};

use super::Store;
use crate::kit::{job, submit};

fn name(text: &str) -> WebhookSecretName {
    text.parse().unwrap()
}

fn value(byte: u8) -> WebhookSecret {
    WebhookSecret::from_bytes([byte; 32])
}

fn create(text: &str, byte: u8) -> Write {
    Write::CreateWebhookSecret(name(text), value(byte), Vec::new())
}

fn rotate(text: &str, byte: u8, secs: u64) -> Write {
    Write::RotateWebhookSecret(name(text), value(byte), Span::from_secs(secs))
}

fn secret(answer: Result<Answer, Refusal>) -> StoredWebhookSecret {
    match answer {
        Ok(Answer::WebhookSecret(secret)) => *secret,
        other => panic!("not a webhook secret: {other:?}"),
    }
}

fn stored(store: &mut Store) -> Vec<StoredWebhookSecret> {
    store.reads.webhook_secrets().unwrap()
}

#[test]
fn a_webhook_secret_and_its_rotations_survive_a_restart() {
    let mut store = Store::fresh();
    assert_eq!(stored(&mut store), []);
    let created = secret(store.write(create("shop", 1)));
    assert_eq!(created, StoredWebhookSecret::new(name("shop"), value(1), store.now));
    store.reopen();
    assert_eq!(stored(&mut store), std::slice::from_ref(&created));
    store.advance(5);
    let rotated = secret(store.write(rotate("shop", 2, 60)));
    assert_eq!(rotated, created.rotated(value(2), Span::from_secs(60), store.now));
    assert_eq!(rotated.current(store.now), [value(2), value(1)]);
    store.reopen();
    assert_eq!(stored(&mut store), std::slice::from_ref(&rotated));
    let again = secret(store.write(rotate("shop", 3, 0)));
    assert_eq!((again.secret.clone(), again.previous.clone()), (value(3), None));
    assert_eq!(stored(&mut store), [again]);
    store.write(Write::DeleteWebhookSecret(name("shop"))).unwrap();
    assert_eq!(stored(&mut store), []);
}

#[test]
fn a_webhook_secret_keeps_the_queues_to_which_it_is_bound() {
    let mut store = Store::fresh();
    let queues = vec!["shop.*".parse().unwrap(), "mail".parse().unwrap()];
    let write = Write::CreateWebhookSecret(name("shop"), value(1), queues.clone());
    assert_eq!(secret(store.write(write)).info.queues, queues);
    assert_eq!(secret(store.write(rotate("shop", 2, 60))).info.queues, queues);
    store.reopen();
    assert_eq!(stored(&mut store)[0].info.queues, queues);
}

#[test]
fn a_name_belongs_to_one_webhook_secret_until_it_is_deleted() {
    let mut store = Store::fresh();
    // Of one group, only the second is refused.
    let group = [create("a", 1), create("a", 2), submit(vec![job()])];
    let [first, second, third] = store.commit(&group).answers.try_into().unwrap();
    assert_eq!(secret(first).secret, value(1));
    assert_eq!(second.unwrap_err(), Refusal::WebhookSecretExists(name("a")));
    assert!(third.is_ok());
    for write in [rotate("b", 2, 1), Write::DeleteWebhookSecret(name("b"))] {
        assert_eq!(store.write(write).unwrap_err(), Refusal::NoWebhookSecret(name("b")));
    }
    store.write(Write::DeleteWebhookSecret(name("a"))).unwrap();
    assert_eq!(secret(store.write(create("a", 3))).secret, value(3));
}

#[test]
fn the_number_of_webhook_secrets_is_bounded() {
    let mut store = Store::fresh();
    let many: Vec<Write> =
        (0..MAX_WEBHOOK_SECRETS).map(|number| create(&format!("s{number}"), 1)).collect();
    assert!(store.commit(&many).answers.iter().all(Result::is_ok));
    let refused = store.write(create("more", 1)).unwrap_err();
    assert_eq!(refused, Refusal::TooManyWebhookSecrets(MAX_WEBHOOK_SECRETS));
    store.write(rotate("s7", 2, 1)).unwrap();
    store.write(Write::DeleteWebhookSecret(name("s7"))).unwrap();
    store.write(create("more", 1)).unwrap();
    assert_eq!(stored(&mut store).len(), MAX_WEBHOOK_SECRETS as usize);
}

#[test]
fn an_impossible_webhook_secret_is_left_out_and_can_be_deleted() {
    let mut store = Store::fresh();
    store.write(create("a", 1)).unwrap();
    store.write(create("b", 2)).unwrap();
    store.corrupt("UPDATE webhook_secrets SET secret = x'00' WHERE name = 'a'");
    assert_eq!(
        stored(&mut store).iter().map(|secret| &secret.info.name).collect::<Vec<_>>(),
        [&name("b")]
    );
    let refused = store.write(rotate("a", 3, 1)).unwrap_err();
    assert!(matches!(refused, Refusal::ImpossibleRow(_)), "{refused}");
    store.write(Write::DeleteWebhookSecret(name("a"))).unwrap();
    store.write(create("a", 1)).unwrap();
}
