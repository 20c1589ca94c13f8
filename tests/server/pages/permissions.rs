//! What a key may not do is not shown.

use serde_json::{Value, json};

use super::login::Session;
use super::{checked, submit_evil_jobs};
use crate::keys::{Key, call, create, first_key};
use crate::kit::{Server, Setup, echo, with};

/// A server with jobs, and its first key.
fn filled() -> (Server, Key) {
    let config = "[providers.local]\nbase_url = 'http://127.0.0.1:1/v1'";
    let server = Setup::new().config(config).start();
    submit_evil_jobs(&server);
    server.submit(&with(echo(1), &json!({"delay": "1h", "tags": ["later"]})));
    server.submit(&with(echo(1), &json!({"delay": "1h", "queue": "treasury"})));
    let ops = first_key(&server);
    (server, ops)
}

fn key(server: &Server, ops: &Key, scopes: &Value, queues: &[&str]) -> Key {
    let name = format!("{scopes} {queues:?}");
    create(server, ops, &json!({"name": name, "scopes": scopes, "queues": queues}))
}

/// Returns the paths in the navigation.
fn navigation(text: &str) -> Vec<&str> {
    let (_, nav) = text.split_once("<nav aria-label=\"Pages\">").unwrap();
    let (nav, _) = nav.split_once("</nav>").unwrap();
    nav.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect()
}

/// Returns the targets of the forms in a page, without signing out.
fn forms(text: &str) -> Vec<&str> {
    let forms = text.split("<form").skip(1).filter(|form| form.contains("method=\"post\""));
    let actions = forms.filter_map(|form| form.split("action=\"").nth(1)?.split('"').next());
    actions.filter(|action| *action != "/logout").collect()
}

#[test]
fn a_key_that_reads_sees_no_button() {
    let (server, ops) = filled();
    let session = Session::open(&server, &key(&server, &ops, &json!(["read"]), &[]));
    let paths = [
        "/",
        "/jobs",
        "/jobs/1",
        "/jobs/5",
        "/queues",
        "/queues/default",
        "/batches",
        "/batches/1",
    ];
    for path in paths {
        let text = session.page(path);
        assert_eq!(forms(&text), [""; 0], "{path}");
        assert!(!text.contains("href=\"/submit") && !text.contains("type=\"checkbox\""), "{path}");
        assert_eq!(
            navigation(&text),
            ["/", "/jobs", "/queues", "/providers", "/batches"],
            "{path}"
        );
    }
    // The server refuses what is not shown, with a page.
    for path in ["/submit", "/keys"] {
        let refused = session.get(path);
        assert_eq!(refused.status, 403, "{path}");
        let text = checked(path, &refused);
        assert!(text.contains("This needs a key with the scope"), "{text}");
        assert_eq!(navigation(&text).len(), 5, "{path}");
    }
    assert_eq!(session.get("/demo").status, 403);
    for path in
        ["/jobs/5/cancel", "/jobs/selected", "/queues/default/pause", "/submit", "/demo/start"]
    {
        assert_eq!(session.send(path, "").status, 403, "{path}");
    }
}

#[test]
fn a_key_that_submits_sees_its_jobs_and_no_list() {
    let (server, ops) = filled();
    let session = Session::open(&server, &key(&server, &ops, &json!(["submit"]), &[]));
    let text = session.page("/submit");
    assert_eq!(navigation(&text), ["/submit"]);
    assert!(text.contains("class=\"brand\" href=\"/submit\""), "{text}");
    assert_eq!(session.send("/submit", "kind=echo&payload=1&delay=1h").status, 303);
    let text = session.page("/jobs/5");
    assert_eq!(forms(&text), ["/jobs/5/cancel"]);
    assert!(text.contains("later") && text.contains("/submit?from=5"), "{text}");
    let text = text + &session.page("/batches/1") + &session.page("/jobs/1");
    for link in ["href=\"/jobs?", "href=\"/queues", "href=\"/\"", "href=\"/jobs\""] {
        assert!(!text.contains(link), "{link}: {text}");
    }
    assert_eq!(session.send("/jobs/5/cancel", "").status, 303);
    for path in ["/", "/jobs", "/queues", "/queues/default", "/batches", "/demo"] {
        assert_eq!(session.get(path).status, 403, "{path}");
    }
    for path in ["/jobs/5/retry", "/jobs/5/delete", "/jobs/selected"] {
        assert_eq!(session.send(path, "").status, 403, "{path}");
    }
}

#[test]
fn a_key_sees_the_examples_whose_queues_it_may_use() {
    let (server, ops) = filled();
    let scopes = json!(["admin"]);
    let page = |queues: &[&str]| {
        let text = Session::open(&server, &key(&server, &ops, &scopes, queues)).page("/demo");
        ["/demo/start", "/demo/semaphore", "lanes-title"].map(|part| text.contains(part))
    };
    assert_eq!(page(&["d*"]), [true, true, true]);
    assert_eq!(page(&["default"]), [true, false, false]);
    assert_eq!(page(&["default", "demo-work"]), [true, false, true]);
    let session = Session::open(&server, &key(&server, &ops, &scopes, &["treasury"]));
    assert!(!session.page("/").contains("/demo"));
    let text = session.page("/demo");
    assert!(text.contains("which your key may not use") && !text.contains("/demo/"), "{text}");
    // The form names the queue that the key may use.
    assert!(session.page("/submit").contains("name=\"queue\" value=\"treasury\""));
}

#[test]
fn a_key_of_some_queues_sees_nothing_about_the_others() {
    let (server, ops) = filled();
    let bound = key(&server, &ops, &json!(["admin"]), &["default"]);
    let session = Session::open(&server, &bound);
    for path in ["/", "/jobs", "/queues", "/queues/default", "/batches", "/submit", "/demo"] {
        let text = session.page(path);
        let expected = ["/", "/jobs", "/queues", "/batches", "/submit", "/demo"];
        assert_eq!(navigation(&text), expected, "{path}");
        assert!(!text.contains("treasury"), "{path}: {text}");
    }
    let text = session.page("/");
    assert!(!text.contains("id=\"lanes\"") && text.contains("/queues/default/pause"), "{text}");
    assert_eq!(session.get("/providers").status, 403);
    assert_eq!(session.get("/keys").status, 403);
    assert_eq!(session.get("/queues/treasury").status, 404);
    // Not even a form that names it.
    assert_eq!(session.send("/queues/treasury/pause", "").status, 403);
    let queue = call(&server, &ops, "GET", "/v1/queues/treasury", None).expect(200);
    assert_eq!(queue["paused"], false);
}

#[test]
fn an_example_that_limits_a_queue_needs_a_key_that_may() {
    let (server, ops) = filled();
    let scopes = json!(["read", "submit"]);
    let session = Session::open(&server, &key(&server, &ops, &scopes, &[]));
    let text = session.page("/demo");
    assert!(text.contains("/demo/start") && !text.contains("/demo/semaphore"), "{text}");
    assert_eq!(session.send("/demo/semaphore", "").status, 403);
    assert_eq!(session.send("/demo/start", "").status, 303);
    let names = call(&server, &ops, "GET", "/v1/queues", None).expect(200).to_string();
    assert!(!names.contains("max_running\":5"), "{names}");
}
