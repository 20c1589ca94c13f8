//! The form that submits a job: one for each kind, with what is wrong told at its field.

use serde_json::{Value, json};

use crate::kit::{Server, echo};
use crate::page::Page;
use crate::scenery::Scenery;

/// What is told to be wrong with a field.
fn wrong(page: &Page, field: &str) -> String {
    page.text(&format!("#{field}-wrong")).unwrap_or_default()
}

/// Waits until something is told to be wrong with a field, and gives it.
fn wait_for_wrong(page: &Page, field: &str) -> String {
    page.until(&format!("{field} is told to be wrong"), || {
        Some(wrong(page, field)).filter(|why| !why.is_empty())
    })
}

/// Chooses a kind as a user does.
fn choose(page: &Page, kind: &str) {
    page.goto("/submit");
    if page.value("document.getElementById('kind').value") != kind {
        page.choose("#kind", kind);
        page.press("Choose");
        page.wait_for_path(&format!("/submit?kind={kind}"));
    }
}

/// Sends the form and gives the job that it made, once it is final.
fn send(page: &Page, server: &Server) -> Value {
    page.press("Submit");
    let id = page.until("the job's page opens", || {
        page.path().strip_prefix("/jobs/").and_then(|id| id.parse().ok())
    });
    server.finished(id)
}

#[test]
fn each_kind_is_submitted_by_a_form_of_its_own() {
    let scenery = Scenery::start();
    let server = &scenery.server;
    let Some(page) = Page::open(server, "/submit") else { return };
    choose(&page, "http");
    page.fill("#url", &scenery.target.url("/send"));
    page.choose("#method", "POST");
    page.fill("#headers", "X-Shop: seven\nAccept: application/json");
    page.fill("#body", "{\"to\": \"ann\"}");
    let job = send(&page, server);
    assert_eq!((&job["state"], &job["result"]["status"]), (&json!("completed"), &json!(200)));
    assert_eq!(job["payload"]["headers"]["X-Shop"], "seven");
    choose(&page, "chat");
    page.choose("#provider", "local");
    page.fill("#model", "mock");
    page.fill("#message", "Tell me a joke");
    let job = send(&page, server);
    assert!(job["result"]["choices"][0]["message"]["content"].is_string(), "{job}");
    choose(&page, "command");
    page.choose("#name", "export");
    page.fill("#args", "--all\n--day=1");
    page.fill("#max_attempts", "1");
    let job = send(&page, server);
    assert_eq!((&job["state"], &job["payload"]["args"][1]), (&json!("failed"), &json!("--day=1")));
    // What it said before it gave up is shown.
    page.wait_for_text("connecting to warehouse");
    choose(&page, "sleep");
    page.fill("#duration", "10ms");
    assert_eq!(send(&page, server)["state"], "completed");
    choose(&page, "echo");
    page.fill("#payload", "{\"a\": [1, 2.50]}");
    assert_eq!(send(&page, server)["result"], json!({"a": [1, 2.5]}));
    page.assert_clean();
}

#[test]
fn a_double_click_makes_one_job() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/submit?kind=echo") else { return };
    page.fill("#payload", "1");
    let twice =
        "const button = document.querySelector('.send button'); button.click(); button.click()";
    page.run(twice, &json!([]));
    page.wait_for_path("/jobs/1");
    server.finished(1);
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"].as_array().unwrap().len(), 1);
    page.assert_clean();
}

#[test]
fn another_kind_is_chosen_with_the_keyboard_and_what_was_typed_stays() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/submit?kind=http") else { return };
    page.fill("#queue", "mail");
    page.fill("#tags", "one\ntwo");
    page.click("#at_most_once");
    page.run("document.getElementById('kind').focus()", &json!([]));
    // Arrow keys pass by other kinds, and lead nowhere yet.
    page.keys("\u{e015}");
    page.keys("\u{e015}");
    let kind = page.value("document.getElementById('kind').value");
    assert_eq!(page.path(), "/submit?kind=http");
    assert_ne!(kind, "http");
    page.press("Choose");
    let shown = format!("document.querySelector('form[method=post] [name=kind]').value === {kind}");
    page.wait_for("the form of that kind is there", &shown);
    let kept = "['queue', 'tags'].map((id) => document.getElementById(id).value)";
    assert_eq!(page.value(kept), json!(["mail", "one\ntwo"]));
    assert_eq!(page.value("document.getElementById('at_most_once').checked"), true);
    page.assert_clean();
}

#[test]
fn what_is_wrong_is_told_at_its_field_and_what_was_typed_stays() {
    let scenery = Scenery::start();
    let Some(page) = Page::open(&scenery.server, "/submit?kind=http") else { return };
    page.press("Submit");
    assert!(wait_for_wrong(&page, "url").contains("missing"));
    page.fill("#url", "nowhere");
    page.fill("#headers", "no colon here");
    page.fill("#tags", "kept");
    page.press("Submit");
    assert!(wait_for_wrong(&page, "headers").contains("line 1"));
    page.fill("#headers", "");
    page.press("Submit");
    page.until("the URL is told to be wrong", || {
        (wrong(&page, "headers").is_empty() && !wrong(&page, "url").is_empty()).then_some(())
    });
    assert_eq!(page.value("document.getElementById('url').value"), "nowhere");
    assert_eq!(page.value("document.getElementById('tags').value"), "kept");
    for (field, value) in [
        ("queue", "Not A Queue"),
        ("priority", "101"),
        ("delay", "soon"),
        ("max_attempts", "0"),
        ("timeout", "25h"),
        ("tags", "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11"),
    ] {
        page.goto("/submit?kind=sleep");
        page.fill(&format!("#{field}"), value);
        page.press("Submit");
        wait_for_wrong(&page, field);
        let kept = page.value(&format!("document.getElementById('{field}').value"));
        assert_eq!(kept, value);
    }
    assert_eq!(scenery.server.all_jobs().len(), 0);
    page.assert_clean_but_for(&["status of 422"]);
}

#[test]
fn json_is_checked_while_it_is_typed_and_before_it_is_sent() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/submit?kind=echo") else { return };
    page.fill("#payload", "{\"a\": }");
    assert!(wait_for_wrong(&page, "payload").contains("JSON"));
    page.press("Submit");
    // It is not even sent.
    page.wait_for("the field has the focus", "document.activeElement.id === 'payload'");
    assert_eq!(page.path(), "/submit?kind=echo");
    page.fill("#payload", "{\"a\": 1}");
    page.until("all is well", || wrong(&page, "payload").is_empty().then_some(()));
    assert_eq!(send(&page, &server)["payload"], json!({"a": 1}));
    page.assert_clean();
}

#[test]
fn the_same_key_again_leads_to_the_first_job_and_with_another_payload_to_a_fault() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/submit?kind=echo") else { return };
    for (payload, expected) in [("1", Some("/jobs/1")), ("1", Some("/jobs/1")), ("2", None)] {
        page.goto("/submit?kind=echo");
        page.fill("#payload", payload);
        page.fill("#idempotency_key", "once & for all");
        page.press("Submit");
        match expected {
            Some(path) => page.wait_for_path(path),
            None => drop(wait_for_wrong(&page, "idempotency_key")),
        }
    }
    assert_eq!(server.all_jobs().len(), 1);
    server.submit(&echo(1));
    page.assert_clean_but_for(&["status of 422"]);
}
