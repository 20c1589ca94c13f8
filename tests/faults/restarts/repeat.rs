//! Repeats a submission with one idempotency key while the server is killed (L8): it must make one
//! job.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::fault_row::FaultRow;
use crate::kit::{Connection, Server, TEST_TIMEOUT, sleep};

/// Submits with one key until it is answered, at the current address of the server. Returns the id.
fn submit_until_answered(addr: &Mutex<std::net::SocketAddr>, key: &str, body: &str) -> i64 {
    let started = Instant::now();
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
    while started.elapsed() < TEST_TIMEOUT {
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
fn fifty_concurrent_submissions_with_one_key_make_one_job_while_the_server_is_killed() {
    let what = "fifty clients repeat one submission while the server is killed";
    let Some(mut row) = FaultRow::start("L8", what, (1, 100, "keys")) else { return };
    let mut server = Server::start();
    for number in 0..row.times {
        submit_concurrently_with_one_key(&mut server, &format!("key-{number}"));
    }
    let jobs = server.all_jobs();
    assert_eq!(jobs.len(), usize::try_from(row.times).unwrap(), "{jobs:?}");
    row.count("submissions of each", "50 and more");
    row.count("duplicates", 0);
    row.held();
}

fn submit_concurrently_with_one_key(server: &mut Server, key: &str) {
    let addr = Arc::new(Mutex::new(server.addr()));
    let ready = Arc::new(Barrier::new(51));
    let body = sleep("10ms").to_string();
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let (addr, ready) = (Arc::clone(&addr), Arc::clone(&ready));
            let (key, body) = (key.to_owned(), body.clone());
            thread::spawn(move || {
                ready.wait();
                // Four of five clients repeat the submission up to four times, so that some requests
                // are sent after the kill.
                let mut ids = vec![submit_until_answered(&addr, &key, &body)];
                for _ in 0..number % 5 {
                    thread::sleep(Duration::from_millis(20));
                    ids.push(submit_until_answered(&addr, &key, &body));
                }
                ids
            })
        })
        .collect();
    ready.wait();
    thread::sleep(Duration::from_millis(8));
    server.kill();
    server.restart();
    *addr.lock().unwrap() = server.addr();
    let ids: BTreeSet<i64> =
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let other = server.post_with("/v1/jobs", &[("idempotency-key", key)], &sleep("11ms"));
    other.problem(422);
    assert_eq!(server.wait_until_final(*ids.first().unwrap())["state"], "completed");
}
