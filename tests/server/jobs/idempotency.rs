//! `Idempotency-Key`: a submission that is repeated with the same key makes one job.

use serde_json::{Value, json};

use crate::kit::{Server, echo, with};

fn submit(server: &Server, key: &str, job: &Value) -> crate::kit::Response {
    server.post_with("/v1/jobs", &[("idempotency-key", key)], job)
}

#[test]
fn the_same_key_with_the_same_body_returns_the_first_job_in_its_current_state() {
    let server = Server::start();
    let first = submit(&server, "a-1", &echo(7)).expect(202);
    server.wait_until_final(first["id"].as_i64().unwrap());
    let again = submit(&server, "\"a-1\"", &echo(7)).expect(202);
    assert_eq!(again["id"], first["id"]);
    assert_eq!(again["state"], "completed");
    let other = submit(&server, "a-2", &echo(7)).expect(202);
    assert_ne!(other["id"], first["id"]);
}

#[test]
fn the_same_key_with_another_body_is_refused() {
    let server = Server::start();
    submit(&server, "k", &echo(1)).expect(202);
    let answer = submit(&server, "k", &echo(2));
    answer.problem(422);
    assert_eq!(answer.json()["type"], "urn:longshore:problem:idempotency-key-reused");
    let answer =
        server.post_with("/v1/batches", &[("idempotency-key", "k")], &json!({"jobs": [echo(1)]}));
    answer.problem(422);
}

#[test]
fn a_repeated_key_returns_the_same_jobs_or_the_same_batch() {
    let server = Server::start();
    let jobs = json!([echo(1), echo(2)]);
    let first = submit(&server, "many", &jobs).expect(202);
    let again = submit(&server, "many", &jobs).expect(202);
    let ids = |body: &Value| -> Vec<i64> {
        body["jobs"].as_array().unwrap().iter().map(|job| job["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(&first), ids(&again));
    let batch = json!({"name": "b", "jobs": [echo(1)]});
    let post =
        || server.post_with("/v1/batches", &[("idempotency-key", "batch")], &batch).expect(202);
    assert_eq!(post()["id"], post()["id"]);
}

#[test]
fn an_invalid_key_is_refused() {
    let server = Server::start();
    let long = "x".repeat(256);
    for key in ["", "\"\"", "schlüssel", &long] {
        submit(&server, key, &echo(1)).problem(400);
    }
    let twice = [("idempotency-key", "a"), ("idempotency-key", "b")];
    server.post_with("/v1/jobs", &twice, &echo(1)).problem(400);
    submit(&server, &long[1..], &echo(1)).expect(202);
}

#[test]
fn a_key_is_remembered_across_a_restart() {
    let mut server = Server::start();
    let first = submit(&server, "k", &echo(1)).expect(202);
    server.kill();
    server.restart();
    assert_eq!(submit(&server, "k", &echo(1)).expect(202)["id"], first["id"]);
    submit(&server, "k", &echo(2)).problem(422);
}

#[test]
fn a_submission_repeated_after_its_own_expiry_returns_the_first_job() {
    let server = Server::start();
    let soon = longshore::clock::Clock::system().now().plus(std::time::Duration::from_millis(400));
    let job = with(echo(1), &json!({"expires_at": soon}));
    let key = [("idempotency-key", "late")];
    let first = server.post_with("/v1/jobs", &key, &job).expect(202);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let again = server.post_with("/v1/jobs", &key, &job).expect(202);
    assert_eq!(again["id"], first["id"]);
}

#[test]
fn a_submission_with_a_relative_expiry_can_be_repeated() {
    let server = Server::start();
    let job = with(echo(1), &json!({"expires_in": "1h", "delay": "10m"}));
    let first = submit(&server, "relative", &job).expect(202);
    assert_eq!(submit(&server, "relative", &job).expect(202), first);
    let other = with(echo(1), &json!({"expires_in": "2h", "delay": "10m"}));
    submit(&server, "relative", &other).problem(422);
}

/// Submits a text with the key `k`.
fn submit_text(server: &Server, path: &str, media_type: &str, body: &str) -> crate::kit::Response {
    let headers = [("content-type", media_type), ("idempotency-key", "k")];
    server.request("POST", path, &headers, body.as_bytes())
}

#[test]
fn the_same_job_in_another_form_returns_the_first_job() {
    let server = Server::start();
    let post = |body: &str| submit_text(&server, "/v1/jobs", "application/json", body);
    let first =
        post(r#"{"kind":"echo","payload":{"a":[1.0,"x"],"b":null},"delay":"1h"}"#).expect(202);
    for body in [
        r#"{"kind": "echo", "payload": {"a": [1.0, "x"], "b": null}, "delay": "1h"}"#,
        "{\"delay\":\"1h\",\"payload\":{\"b\":null,\"a\":[1.0,\"x\"]},\"kind\":\"echo\"}\n",
        r#"{"kind":"\u0065cho","payload":{"\u0061":[1.0,"\u0078"],"b":null},"delay":"60m"}"#,
        r#"{"kind":"echo","payload":{"a":[1.0,"x"],"b":null},"delay":3600,"priority":0,"tags":[],"at_most_once":false}"#,
        "\u{feff}{\"kind\":\"echo\",\"payload\":{\"a\":[1.0,\"x\"],\"b\":null},\"delay\":\"1h\",\"queue\":null}",
    ] {
        let again = post(body).expect(202);
        assert_eq!((&again["id"], &again["run_at"]), (&first["id"], &first["run_at"]), "{body}");
    }
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"].as_array().unwrap().len(), 1);
}

#[test]
fn another_value_is_refused_with_the_id_of_the_first_job() {
    let server = Server::start();
    server.submit(&echo(0));
    let post = |body: &str| submit_text(&server, "/v1/jobs", "application/json", body);
    post(r#"{"kind":"echo","payload":{"a":1,"b":[2]}}"#).expect(202);
    for body in [
        r#"{"kind":"echo","payload":{"a":1.0,"b":[2]}}"#,
        r#"{"kind":"echo","payload":{"a":1,"b":["2"]}}"#,
        r#"{"kind":"echo","payload":{"a":1,"b":[2]},"queue":"default"}"#,
        r#"{"kind":"echo","payload":{"a":1,"b":[2]},"max_attempts":5}"#,
        r#"{"kind":"echo","payload":{"a":1,"b":[2]},"priority":1}"#,
        r#"{"kind":"echo","payload":{"a":1,"a":1,"b":[2]}}"#,
        r#"[{"kind":"echo","payload":{"a":1,"b":[2]}}]"#,
    ] {
        let detail = post(body).problem(422);
        let expected =
            "the idempotency key was used before with a different request, whose first job is 2";
        assert_eq!(detail, expected, "{body}");
    }
}

#[test]
fn lines_and_an_array_are_the_same_list_and_batches_are_compared_by_value() {
    let server = Server::start();
    let post = |media_type: &str, body: &str| {
        submit_text(&server, "/v1/jobs", media_type, body).expect(202)
    };
    let lines = "{\"kind\":\"echo\"}\n\n{\"kind\":\"echo\",\"payload\":2}\n";
    let first = post("application/x-ndjson", lines);
    let array = r#"[{"kind": "echo", "payload": null}, {"payload": 2, "kind": "echo"}]"#;
    let again = post("application/json", array);
    assert_eq!((&again["jobs"][0]["id"], &again["jobs"][1]["id"]), (&json!(1), &json!(2)));
    assert_eq!(first["jobs"][1]["id"], 2);
    let batch = |body: &str| {
        let headers = [("content-type", "application/json"), ("idempotency-key", "b")];
        server.request("POST", "/v1/batches", &headers, body.as_bytes())
    };
    let first = batch(r#"{"name":"n","jobs":[{"kind":"echo"}]}"#).expect(202);
    let again =
        batch(r#"{"jobs": [{"kind": "echo", "priority": 0}], "name": "\u006e"}"#).expect(202);
    assert_eq!(first["id"], again["id"]);
    batch(r#"{"name":"m","jobs":[{"kind":"echo"}]}"#).problem(422);
    batch(r#"{"jobs":[{"kind":"echo"}]}"#).problem(422);
}
