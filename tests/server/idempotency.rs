//! `Idempotency-Key`: submitting twice makes one job.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::{Connection, LONG, Server, echo, sleep, with};

fn submit(server: &Server, key: &str, job: &Value) -> crate::kit::Response {
    server.post_with("/v1/jobs", &[("idempotency-key", key)], job)
}

#[test]
fn the_same_key_with_the_same_body_gives_the_first_job_as_it_stands() {
    let server = Server::start();
    let first = submit(&server, "a-1", &echo(7)).expect(202);
    server.finished(first["id"].as_i64().unwrap());
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
fn many_jobs_and_batches_are_found_again_by_their_key() {
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
fn a_key_that_is_none_is_refused() {
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
fn a_key_is_remembered_over_a_restart() {
    let mut server = Server::start();
    let first = submit(&server, "k", &echo(1)).expect(202);
    server.kill();
    server.start_again();
    assert_eq!(submit(&server, "k", &echo(1)).expect(202)["id"], first["id"]);
    submit(&server, "k", &echo(2)).problem(422);
}

/// Submits with one key again and again until it is answered, wherever the server then is.
fn until_answered(addr: &Mutex<std::net::SocketAddr>, body: &str) -> i64 {
    let began = Instant::now();
    let headers = [("content-type", "application/json"), ("idempotency-key", "one")];
    while began.elapsed() < LONG {
        let addr = *addr.lock().unwrap();
        let answer = Connection::open(addr).and_then(|mut connection| {
            connection.request("POST", "/v1/jobs", &headers, body.as_bytes())
        });
        match answer {
            Ok(answer) if answer.status == 202 => return answer.json()["id"].as_i64().unwrap(),
            Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
            Err(_) => {}
        }
        thread::sleep(Duration::from_millis(5));
    }
    panic!("the submission was never answered");
}

#[test]
fn fifty_at_once_with_one_key_make_one_job_though_the_server_is_killed_meanwhile() {
    let mut server = Server::start();
    let addr = Arc::new(Mutex::new(server.addr()));
    let ready = Arc::new(Barrier::new(51));
    let body = sleep("10ms").to_string();
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let (addr, ready, body) = (Arc::clone(&addr), Arc::clone(&ready), body.clone());
            thread::spawn(move || {
                ready.wait();
                // Every fifth goes on after the kill, so that there is always one who asks then.
                let mut ids = vec![until_answered(&addr, &body)];
                for _ in 0..number % 5 {
                    thread::sleep(Duration::from_millis(20));
                    ids.push(until_answered(&addr, &body));
                }
                ids
            })
        })
        .collect();
    ready.wait();
    thread::sleep(Duration::from_millis(8));
    server.kill();
    server.start_again();
    *addr.lock().unwrap() = server.addr();
    let ids: BTreeSet<i64> =
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let jobs = server.get("/v1/jobs").expect(200);
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1, "{jobs}");
    assert_eq!(server.finished(*ids.first().unwrap())["state"], "completed");
}

#[test]
fn a_submission_repeated_after_its_own_expiry_gives_the_first_job() {
    let server = Server::start();
    let soon = longshore::clock::Clock::system().now().plus(std::time::Duration::from_millis(400));
    let job = with(echo(1), &json!({"expires_at": soon}));
    let key = [("idempotency-key", "late")];
    let first = server.post_with("/v1/jobs", &key, &job).expect(202);
    std::thread::sleep(std::time::Duration::from_millis(500));
    let again = server.post_with("/v1/jobs", &key, &job).expect(202);
    assert_eq!(again["id"], first["id"]);
}
