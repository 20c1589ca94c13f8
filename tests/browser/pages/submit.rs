//! The form that submits a job: one for each kind, with errors at their fields.

use serde_json::{Value, json};

use crate::chromium::page::Page;
use crate::kit::{Server, echo};
use crate::sample_server::SampleServer;

/// Returns the error that is shown at a field.
fn error(page: &Page, field: &str) -> String {
    page.text(&format!("#{field}-error")).unwrap_or_default()
}

/// Waits until an error is shown at a field, and returns it.
fn wait_for_error(page: &Page, field: &str) -> String {
    page.until(&format!("an error is shown at {field}"), || {
        Some(error(page, field)).filter(|error| !error.is_empty())
    })
}

/// Opens the form of a kind, as a user does.
fn choose_kind(page: &Page, kind: &str) {
    page.goto("/submit");
    if page.value("document.getElementById('kind').value") != kind {
        page.select("#kind", kind);
        page.press("Choose");
        page.wait_for_path(&format!("/submit?kind={kind}"));
    }
}

/// Submits the form and returns the job that it made, once it is final.
fn submit(page: &Page, server: &Server) -> Value {
    page.press("Submit");
    let id = page.until("the job's page opens", || {
        page.path().strip_prefix("/jobs/").and_then(|id| id.parse().ok())
    });
    server.wait_until_final(id)
}

#[test]
fn each_kind_has_a_form_that_submits_it() {
    let samples = SampleServer::start();
    let server = &samples.server;
    let Some(page) = Page::open(server, "/submit") else { return };
    choose_kind(&page, "http");
    page.fill("#url", &samples.target.url("/send"));
    page.select("#method", "POST");
    page.fill("#headers", "X-Shop: seven\nAccept: application/json");
    page.fill("#body", "{\"to\": \"ann\"}");
    let job = submit(&page, server);
    assert_eq!((&job["state"], &job["result"]["status"]), (&json!("completed"), &json!(200)));
    assert_eq!(job["payload"]["headers"]["X-Shop"], "seven");
    choose_kind(&page, "chat");
    page.select("#provider", "local");
    page.fill("#model", "mock");
    page.fill("#message", "Tell me a joke");
    let job = submit(&page, server);
    assert!(job["result"]["choices"][0]["message"]["content"].is_string(), "{job}");
    choose_kind(&page, "command");
    page.select("#name", "export");
    page.fill("#args", "--all\n--day=1");
    page.fill("#max_attempts", "1");
    let job = submit(&page, server);
    assert_eq!((&job["state"], &job["payload"]["args"][1]), (&json!("failed"), &json!("--day=1")));
    // The output before the failure is shown.
    page.wait_for_text("connecting to warehouse");
    choose_kind(&page, "sleep");
    page.fill("#duration", "10ms");
    assert_eq!(submit(&page, server)["state"], "completed");
    choose_kind(&page, "echo");
    page.fill("#payload", "{\"a\": [1, 2.50]}");
    assert_eq!(submit(&page, server)["result"], json!({"a": [1, 2.5]}));
    page.assert_clean();
}

#[test]
fn a_double_click_submits_one_job() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/submit?kind=echo") else { return };
    page.fill("#payload", "1");
    let twice =
        "const button = document.querySelector('.send button'); button.click(); button.click()";
    page.run(twice, &json!([]));
    page.wait_for_path("/jobs/1");
    server.wait_until_final(1);
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"].as_array().unwrap().len(), 1);
    page.assert_clean();
}

#[test]
fn another_kind_can_be_chosen_by_keyboard_and_keeps_the_options() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/submit?kind=http") else { return };
    page.fill("#queue", "mail");
    page.fill("#tags", "one\ntwo");
    page.click("#at_most_once");
    page.run("document.getElementById('kind').focus()", &json!([]));
    // Arrow keys change the selection and do not open another page yet.
    page.keys("\u{e015}");
    page.keys("\u{e015}");
    let kind = page.value("document.getElementById('kind').value");
    assert_eq!(page.path(), "/submit?kind=http");
    assert_ne!(kind, "http");
    page.press("Choose");
    let shown = format!("document.querySelector('form[method=post] [name=kind]').value === {kind}");
    page.wait_for("the form of that kind is shown", &shown);
    let kept = "['queue', 'tags'].map((id) => document.getElementById(id).value)";
    assert_eq!(page.value(kept), json!(["mail", "one\ntwo"]));
    assert_eq!(page.value("document.getElementById('at_most_once').checked"), true);
    page.assert_clean();
}

#[test]
fn errors_are_shown_at_their_fields_and_the_input_is_kept() {
    let samples = SampleServer::start();
    let Some(page) = Page::open(&samples.server, "/submit?kind=http") else { return };
    page.press("Submit");
    assert!(wait_for_error(&page, "url").contains("required"));
    page.fill("#url", "nowhere");
    page.fill("#headers", "no colon here");
    page.fill("#tags", "kept");
    page.press("Submit");
    assert!(wait_for_error(&page, "headers").contains("line 1"));
    page.fill("#headers", "");
    page.press("Submit");
    page.until("an error is shown at the URL", || {
        (error(&page, "headers").is_empty() && !error(&page, "url").is_empty()).then_some(())
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
        wait_for_error(&page, field);
        let kept = page.value(&format!("document.getElementById('{field}').value"));
        assert_eq!(kept, value);
    }
    assert_eq!(samples.server.all_jobs().len(), 0);
    page.assert_clean_except(&["status of 422"]);
}

#[test]
fn json_is_validated_while_it_is_typed_and_before_it_is_sent() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/submit?kind=echo") else { return };
    page.fill("#payload", "{\"a\": }");
    assert!(wait_for_error(&page, "payload").contains("JSON"));
    page.press("Submit");
    // The form is not sent.
    page.wait_for("the field has the focus", "document.activeElement.id === 'payload'");
    assert_eq!(page.path(), "/submit?kind=echo");
    page.fill("#payload", "{\"a\": 1}");
    page.until("the error is gone", || error(&page, "payload").is_empty().then_some(()));
    assert_eq!(submit(&page, &server)["payload"], json!({"a": 1}));
    page.assert_clean();
}

#[test]
fn a_repeated_key_returns_the_first_job_or_an_error_for_another_payload() {
    let server = Server::start();
    let Some(page) = Page::open(&server, "/submit?kind=echo") else { return };
    for (payload, expected) in [("1", Some("/jobs/1")), ("1", Some("/jobs/1")), ("2", None)] {
        page.goto("/submit?kind=echo");
        page.fill("#payload", payload);
        page.fill("#idempotency_key", "once & for all");
        page.press("Submit");
        match expected {
            Some(path) => page.wait_for_path(path),
            None => drop(wait_for_error(&page, "idempotency_key")),
        }
    }
    assert_eq!(server.all_jobs().len(), 1);
    server.submit(&echo(1));
    page.assert_clean_except(&["status of 422"]);
}

/// Returns the payload of a job as it is stored.
fn raw_payload(server: &Server, id: i64) -> String {
    let text = String::from_utf8(server.get(&format!("/v1/jobs/{id}")).body).unwrap();
    let (_, rest) = text.split_once("\"payload\":").unwrap();
    rest.rsplit_once(",\"result\":null").unwrap().0.to_owned()
}

#[test]
fn submitting_again_without_a_change_sends_the_same_bytes() {
    let server = Server::start();
    let Some(page) = Page::blank(&server.url()) else { return };
    for payload in [
        "{\r\n\t\"a\" :\r\n 1.0,\"a\":[1e2,\"\\r\\n\\u0041\\u0000\"] }",
        "\"\\n\\n\u{1f680}\u{feff}\u{2028}\u{85}\u{a0}</textarea>&amp;&#13; \"",
        r#"{"url":"http://127.0.0.1:1/","body":{"b":1.50 ,"a":[ 1,2]},"headers":{"X":"\u00e4"}}"#,
    ] {
        let kind = if payload.contains("url") { "http" } else { "echo" };
        let job = format!(
            "{{\"kind\": \"{kind}\", \"run_at\": \"2031-01-31T12:00:00.123Z\", \"tags\": [\" a \", \"b\"], \
             \"expires_at\": \"2032-01-31T12:00:00Z\", \"timeout\": \"90s\", \"payload\": {payload}}}"
        );
        let headers = [("content-type", "application/json")];
        let answer = server.request("POST", "/v1/jobs", &headers, job.as_bytes());
        let id = answer.expect(202)["id"].as_i64().unwrap();
        page.goto(&format!("/jobs/{id}"));
        page.click("#again");
        page.wait_for_path(&format!("/submit?from={id}"));
        page.press("Submit");
        page.wait_for_path(&format!("/jobs/{}", id + 1));
        assert_eq!(raw_payload(&server, id + 1), payload);
        let (old, new) = (server.job(id), server.job(id + 1));
        for field in ["run_at", "expires_at", "timeout", "tags", "max_attempts", "queue"] {
            assert_eq!(new[field], old[field], "{field}");
        }
    }
    page.assert_clean();
}
