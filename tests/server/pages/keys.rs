//! The page of the API keys.

use serde_json::json;

use super::login::Session;
use super::{checked, get_html, page, send};
use crate::keys::{Key, call, create, first_key};
use crate::kit::{Server, eventually};

/// Returns the secret that a page shows.
fn secret_in(text: &str) -> String {
    let (_, rest) = text.split_once("<code id=\"new-key\">").unwrap();
    rest.split_once('<').unwrap().0.to_owned()
}

/// Returns the row of a key.
fn row(text: &str, id: i64) -> String {
    let (_, rest) = text.split_once(&format!("<tr id=\"key-{id}\">")).unwrap();
    rest.split_once("</tr>").unwrap().0.to_owned()
}

#[test]
fn the_first_key_is_made_by_a_form_and_its_secret_is_shown_once() {
    let server = Server::start();
    let text = page(&server, "/keys");
    assert!(text.contains("No key has been created.") && text.contains("No key is needed yet."));
    // It must be able to make others.
    let refused = send(&server, "/keys", "name=shop&scope=submit");
    assert_eq!(refused.status, 422);
    let text = checked("/keys", &refused);
    assert!(text.contains("the first key must have the scope admin"), "{text}");
    assert!(text.contains("value=\"shop\""), "the input is kept");
    let created = send(&server, "/keys", "name=ops&scope=admin");
    assert_eq!(created.status, 201);
    let text = checked("/keys", &created);
    let secret = secret_in(&text);
    assert!(secret.starts_with("ls_") && text.contains("Copy it now."), "{text}");
    assert!(text.contains("From now on every request needs a key."), "{text}");
    assert_eq!(get_html(&server, "/keys").status, 303);
    let ops = Key { id: 1, secret };
    let text = Session::open(&server, &ops).page("/keys");
    assert!(!text.contains(&ops.secret[3..20]) && !text.contains("No key is needed"), "{text}");
    assert!(row(&text, 1).contains("<span class=\"tag\">you</span>"), "{text}");
    eventually("the log has the line", || server.log().contains("route=/keys").then_some(()));
    assert!(!server.log().contains(&ops.secret));
}

#[test]
fn keys_are_listed_created_and_revoked() {
    let server = Server::start();
    let ops = first_key(&server);
    let session = Session::open(&server, &ops);
    let form = "name=shop&scope=submit&scope=read&queues=shop.*+mail&expires_in=90d";
    let created = session.send("/keys", form);
    assert_eq!(created.status, 201);
    let text = checked("/keys", &created);
    let shop = Key { id: 2, secret: secret_in(&text) };
    assert!(text.contains("href=\"/keys\">Done"), "{text}");
    call(&server, &shop, "GET", "/v1/jobs", None).expect(200);
    let keys = call(&server, &ops, "GET", "/v1/keys", None).expect(200);
    assert_eq!(keys["keys"][1]["queues"], json!(["shop.*", "mail"]));
    let text = row(&session.page("/keys"), 2);
    for expected in ["submit, read", "shop.*, mail", "days</time>", ">valid<"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    // The name is taken.
    let again = session.send("/keys", "name=shop&scope=read");
    assert_eq!(again.status, 409);
    assert!(checked("/keys", &again).contains("id=\"name-error\">"), "409");
    let revoked = session.send("/keys/2/revoke", "");
    assert_eq!((revoked.status, revoked.header("location")), (303, Some("/keys")));
    call(&server, &shop, "GET", "/v1/jobs", None).problem(401);
    let text = row(&session.page("/keys"), 2);
    assert!(text.contains(">revoked<") && !text.contains("<form"), "{text}");
    assert_eq!(session.send("/keys/99/revoke", "").status, 404);
    assert_eq!(session.send("/keys/x/revoke", "").status, 404);
    // The own key ends the session. It is the last one, so the page says how to get in again.
    assert!(row(&session.page("/keys"), 1).contains("No other key can create keys."));
    let last = session.send("/keys/1/revoke", "");
    assert_eq!(last.status, 200);
    let text = checked("/keys", &last);
    let expected = "<code>longshore key create NAME --scope admin --database FILE</code>";
    assert!(text.contains(expected) && !text.contains("Create key"), "{text}");
    assert_eq!(session.get("/keys").status, 303);
}

#[test]
fn errors_are_shown_at_their_fields_and_names_are_text() {
    let server = Server::start();
    let session = Session::open(&server, &first_key(&server));
    for (form, expected) in [
        ("scope=read", "id=\"name-error\">must be 1 to 64 printable characters"),
        ("name=%E2%80%AEa&scope=read", "id=\"name-error\">must be 1 to 64 printable characters"),
        ("name=7&scope=read", "id=\"name-error\">must not consist of digits only"),
        ("name=a", "id=\"scopes-error\">choose at least one"),
        ("name=a&scope=all", "id=\"scopes-error\">must be submit, read, work or admin"),
        ("name=a&scope=read&queues=A%3F", "id=\"queues-error\">must be 1 to 64 of a-z"),
        ("name=a&scope=read&expires_in=soon", "id=\"expires_in-error\">"),
        ("name=a&scope=read&expires_in=0s", "id=\"expires_in-error\">must be longer than 0s"),
        (&format!("name=a&scope=read&queues={}", "a,".repeat(33)), "must list at most 32"),
    ] {
        let response = session.send("/keys", form);
        assert_eq!(response.status, 422, "{form}");
        let text = checked(form, &response);
        assert!(text.contains(expected), "{form}: {text}");
        let is_marked = text.contains("aria-invalid=\"true\"");
        // The check boxes of the scopes are a group, which has no value of its own.
        assert!(is_marked || expected.contains("scopes-error"), "{form}: {text}");
        assert!(!text.contains("id=\"key-2\""), "{form}");
    }
    let evil = "\"><img src=x onerror=alert(1)><script>alert(2)</script>'&";
    let encoded: String = evil.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let refused = session.send("/keys", &format!("name={encoded}&queues={encoded}"));
    let created = session.send("/keys", &format!("name={encoded}&scope=admin"));
    assert_eq!((refused.status, created.status), (422, 201));
    let texts = [checked("refused", &refused), checked("created", &created)];
    let evil_key = Key { id: 2, secret: secret_in(&texts[1]) };
    let signed_in = Session::open(&server, &evil_key).page("/keys");
    let missing = Session::open(&server, &evil_key).get("/jobs/99");
    for text in texts.into_iter().chain([signed_in, checked("missing", &missing)]) {
        assert!(!text.contains("<img") && !text.contains("<script>"), "{text}");
        assert!(text.contains("&#60;script&#62;alert(2)"), "{text}");
    }
}

#[test]
fn only_a_key_that_may_do_everything_opens_the_page() {
    let server = Server::start();
    let ops = first_key(&server);
    for (name, request) in [
        ("read", json!({"name": "r", "scopes": ["read", "submit", "work"]})),
        ("bound", json!({"name": "b", "scopes": ["admin"], "queues": ["*"]})),
    ] {
        let session = Session::open(&server, &create(&server, &ops, &request));
        assert_eq!(session.get("/keys").status, 403, "{name}");
        assert_eq!(session.send("/keys", "name=x&scope=admin").status, 403, "{name}");
        assert_eq!(session.send("/keys/1/revoke", "").status, 403, "{name}");
        assert!(!session.page("/jobs").contains("href=\"/keys\""), "{name}");
    }
    let keys = call(&server, &ops, "GET", "/v1/keys", None).expect(200);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 3);
}
