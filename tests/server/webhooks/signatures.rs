//! Webhooks that are signed, as a receiver with the published library of another language sees them.

use serde_json::{Value, json};

use super::receiver::Receiver;
use super::secrets::{create_secret, rotate_secret};
use crate::kit::http::Request;
use crate::kit::webhook::{has_foreign_library, verify_with_foreign_library};
use crate::kit::{Server, echo, skip, with};

/// Returns whether the published library accepts a webhook with this secret.
fn verify(request: &Request, secret: &str) -> bool {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let header =
        |name: &str| (name.to_owned(), request.header(name).unwrap_or_default().to_owned());
    let body = String::from_utf8(request.body.clone()).unwrap();
    verify_with_foreign_library(&names.map(header), &body, secret)
}

fn signed(receiver: &Receiver, secret: &str) -> Value {
    receiver.with_callback(echo("ü"), &json!({"secret": secret, "include_result": true}))
}

#[test]
fn the_published_library_accepts_a_webhook_with_its_secret_and_both_secrets_after_a_rotation() {
    if !has_foreign_library() {
        return skip("the Python library standardwebhooks is not installed");
    }
    let server = Server::start();
    let receiver = Receiver::accepting();
    let (old, other) = (create_secret(&server, "shop"), create_secret(&server, "other"));
    server.submit(&signed(&receiver, "shop"));
    let request = receiver.next();
    assert!(verify(&request, &old));
    assert!(!verify(&request, &other));
    let new = rotate_secret(&server, "shop", "1h");
    server.submit(&signed(&receiver, "shop"));
    let request = receiver.next();
    assert!(verify(&request, &old) && verify(&request, &new));
    assert!(!verify(&request, &other));
    // A rotation without overlap ends the earlier secrets at once.
    let latest = rotate_secret(&server, "shop", "0s");
    server.submit(&signed(&receiver, "shop"));
    let request = receiver.next();
    assert!(verify(&request, &latest));
    assert!(!verify(&request, &old) && !verify(&request, &new));
}

#[test]
fn a_webhook_whose_secret_was_deleted_waits_for_it_and_an_unsigned_one_has_no_signature() {
    let server = Server::start();
    let receiver = Receiver::accepting();
    create_secret(&server, "shop");
    let delayed = with(signed(&receiver, "shop"), &json!({"delay": "1h"}));
    let id = server.submit(&delayed);
    assert_eq!(server.delete("/v1/webhook-secrets/shop").status, 204);
    server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    let delivery = crate::kit::eventually("the webhook waits", || {
        server.all_jobs().into_values().find(|job| job["state"] == "retrying")
    });
    assert_eq!(delivery["error"]["code"], "no_webhook_secret");
    server.submit(&receiver.with_callback(echo(1), &json!({})));
    let request = receiver.next();
    assert_eq!(request.header("webhook-signature"), None);
    assert!(request.header("webhook-id").is_some());
    assert_eq!(receiver.others().len(), 0);
}
