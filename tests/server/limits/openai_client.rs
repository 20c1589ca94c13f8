//! Requests of OpenAI's client libraries, which are not applied to the native routes.

use serde_json::json;

use crate::kit::{Response, Server, echo, sleep};

/// The headers that version 1 of the Python library adds to a request.
const LIBRARY: [(&str, &str); 5] = [
    ("authorization", "Bearer sk-none"),
    ("user-agent", "OpenAI/Python 1.109.1"),
    ("x-stainless-lang", "python"),
    ("x-stainless-package-version", "1.109.1"),
    ("x-stainless-retry-count", "0"),
];

fn assert_refused(answer: &Response, request: &str) {
    let detail = answer.problem(404);
    assert_eq!(answer.json()["type"], "urn:longshore:problem:not-found", "{request}");
    assert!(detail.contains("no OpenAI routes"), "{request}: {detail}");
}

#[test]
fn a_request_of_the_openai_library_is_answered_with_404_before_it_has_an_effect() {
    let server = Server::start();
    server.post("/v1/batches", &json!({"jobs": [sleep("1h")]})).expect(202);
    server.wait_for_state(1, "running");
    let job = echo(1).to_string();
    let json = [&LIBRARY[..], &[("content-type", "application/json")]].concat();
    for (method, path, body) in [
        ("POST", "/v1/batches/1/cancel", "{}"),
        ("GET", "/v1/batches/1", ""),
        ("GET", "/v1/batches", ""),
        ("POST", "/v1/batches", job.as_str()),
        ("POST", "/v1/chat/completions", r#"{"model": "m", "messages": []}"#),
        ("POST", "/v1/jobs", &job),
        ("POST", "/v1/jobs/1/cancel", ""),
        ("DELETE", "/v1/jobs/1", ""),
        ("PATCH", "/v1/queues/default", r#"{"paused": true}"#),
        ("POST", "/v1/leases", "{}"),
        ("GET", "/v1/models", ""),
        ("POST", "/chat/completions", "{}"),
        ("GET", "/batches/1", ""),
        ("POST", "/openai/v1/chat/completions", "{}"),
    ] {
        let answer = server.request(method, path, &json, body.as_bytes());
        assert_refused(&answer, &format!("{method} {path}"));
    }
    let batch = server.get("/v1/batches/1").expect(200);
    assert_eq!((&batch["counts"]["running"], &batch["total"]), (&json!(1), &json!(1)));
    assert_eq!(server.queue("default")["paused"], false);
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn one_header_of_the_library_in_any_case_is_enough_and_other_headers_are_not() {
    let server = Server::start();
    for name in ["X-Stainless-Lang", "x-stainless-async", "X-STAINLESS-RAW-RESPONSE"] {
        assert_refused(&server.request("GET", "/v1/kinds", &[(name, "")], b""), name);
    }
    for (name, value) in [
        ("x-stainless", "x"),
        ("x-stain-less-lang", "python"),
        ("x-request", "x-stainless-lang"),
        ("user-agent", "OpenAI/Python 1.109.1"),
    ] {
        server.request("GET", "/v1/kinds", &[(name, value)], b"").expect(200);
    }
}
