//! The shapes of JSON values: objects, durations and names of headers.

use serde_json::{Value, json};

use crate::kit::{Server, echo, pointers, with};

#[test]
fn an_object_is_never_taken_from_an_array() {
    let server = Server::start();
    let cases = [
        ("/v1/leases", json!([]), ""),
        ("/v1/leases", json!([["default"], null, 1]), ""),
        ("/v1/jobs", json!([["echo", 1]]), "/0"),
        ("/v1/jobs", with(echo(1), &json!({"backoff": []})), "/backoff"),
        ("/v1/jobs", with(echo(1), &json!({"backoff": ["1s", 2.0]})), "/backoff"),
        ("/v1/jobs", json!({"kind": "sleep", "payload": ["1s"]}), "/payload"),
        ("/v1/jobs", json!({"kind": "http", "payload": ["http://127.0.0.1:1"]}), "/payload"),
        (
            "/v1/jobs",
            json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1", "headers": []}}),
            "/payload/headers",
        ),
        ("/v1/jobs", json!({"kind": "command", "payload": ["hello"]}), "/payload"),
        ("/v1/jobs", json!({"kind": "chat", "payload": []}), "/payload"),
        ("/v1/batches", json!(["name", [echo(1)]]), ""),
        ("/v1/batches", json!({"jobs": [["echo"]]}), "/jobs/0"),
        ("/v1/jobs/cancel", json!([[1]]), ""),
        ("/v1/jobs/1", json!([]), ""),
        ("/v1/jobs", with(echo(1), &json!({"metadata": []})), "/metadata"),
        ("/v1/queues/mail", json!([true]), ""),
        ("/v1/queues/mail", json!({"rate": [1, "1s"]}), "/rate"),
    ];
    for (path, body, pointer) in cases {
        let answer = match path.starts_with("/v1/queues/") || path == "/v1/jobs/1" {
            true => server.patch(path, &body),
            false => server.post(path, &body),
        };
        let detail = answer.problem(422);
        let is_typed = detail.contains("invalid type: sequence, expected ");
        assert!(is_typed || pointer == "/metadata", "{path} {body}: {detail}");
        assert!(!detail.contains("struct"), "{path} {body}: {detail}");
        assert_eq!(pointers(&answer), [pointer], "{path} {body}");
    }
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"], json!([]));
}

#[test]
fn a_duration_is_a_number_of_seconds_or_a_text_with_units() {
    let server = Server::start();
    for (given, shown) in [
        (json!(90), "1m 30s"),
        (json!(0.25), "250ms"),
        (json!(1.0004), "1s"),
        (json!("1m30s"), "1m 30s"),
        (json!("1.5s"), "1s 500ms"),
        (json!("1d"), "24h"),
        (json!("0d 1h"), "1h"),
    ] {
        let job = server.submit(&with(echo(1), &json!({"timeout": given})));
        assert_eq!(server.job(job)["timeout"], shown, "{given}");
    }
    let job = server
        .submit(&with(echo(1), &json!({"delay": "2d", "backoff": {"initial": 0.5, "max": 60}})));
    assert_eq!(server.job(job)["state"], "scheduled");
    let queue =
        server.patch("/v1/queues/mail", &json!({"rate": {"limit": 5, "period": 0.5}})).expect(200);
    assert_eq!(queue["rate"]["period"], "500ms");
    server.post("/v1/leases", &json!({"lease": 30, "wait": 0})).expect(200);
    let slept = server.run(&json!({"kind": "sleep", "payload": {"duration": 0.01}}));
    assert_eq!(slept["state"], "completed");
    server.get("/v1/jobs/1?wait=0.01").expect(200);
}

#[test]
fn a_duration_that_is_neither_is_refused_with_the_accepted_forms() {
    let server = Server::start();
    let refused = |value: &str, expected: &str| {
        let body = format!(r#"{{"kind": "echo", "timeout": {value}}}"#);
        let answer = server.request(
            "POST",
            "/v1/jobs",
            &[("content-type", "application/json")],
            body.as_bytes(),
        );
        let detail = answer.problem(422);
        assert!(detail.contains(expected), "{value}: {detail}");
        assert_eq!(pointers(&answer), ["/timeout"], "{value}");
    };
    for value in
        ["true", "\"soon\"", "\"NaN\"", "\"\"", "[1]", "{}", "\"1 month\"", "\"90\"", "\"1.5\""]
    {
        refused(
            value,
            "a number of seconds such as 90 or 0.5, or a text with units such as \"500ms\"",
        );
    }
    for value in ["-1", "-0.5", "1e300", "\"-1s\"", "\"-1d\"", "\"4000d\"", "9e18"] {
        refused(value, "must be between zero and ten years");
    }
    refused("1e999", "number out of range");
    refused("86401", "must be between 1ms and 24h");
    server.get("/v1/jobs?wait=-1").problem(400);
}

#[test]
fn a_header_that_is_listed_twice_is_refused_with_both_names() {
    let server = Server::start();
    let submit = |headers: &str| {
        let body = format!(
            r#"{{"kind": "http", "payload": {{"url": "http://127.0.0.1:1", "headers": {headers}}}}}"#
        );
        server.request("POST", "/v1/jobs", &[("content-type", "application/json")], body.as_bytes())
    };
    for (headers, pointer, detail) in [
        (
            r#"{"X-A": "1", "x-a": "2"}"#,
            "x-a",
            r#""X-A" and "x-a" are the same header; list it once"#,
        ),
        (
            r#"{"a": "1", "b": "2", "A": "1"}"#,
            "A",
            r#""a" and "A" are the same header; list it once"#,
        ),
        (r#"{"x-a": "1", "x-a": "2"}"#, "x-a", r#""x-a" is listed more than once"#),
        (r#"{"X-\u0041": "1", "X-A": "1"}"#, "X-A", r#""X-A" is listed more than once"#),
    ] {
        let answer = submit(headers);
        assert!(answer.problem(422).ends_with(detail), "{headers}: {answer:?}");
        assert_eq!(pointers(&answer), [format!("/payload/headers/{pointer}")], "{headers}");
    }
    let thrice = submit(r#"{"A": "1", "a": "2", "content-type": "x", "Content-Type": "y"}"#);
    assert_eq!(pointers(&thrice), ["/payload/headers/a", "/payload/headers/Content-Type"]);
    let listed: Value = server.get("/v1/jobs").expect(200)["jobs"].clone();
    assert_eq!(listed, json!([]));
    submit(r#"{"X-A": "1", "X-B": "1", "XA": "1"}"#).expect(202);
}
