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
