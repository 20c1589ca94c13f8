//! A submission that is repeated with its key while the server is killed (L8): one job.

use std::collections::BTreeSet;
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use crate::kit::{Connection, LONG, Server, sleep};
use crate::row::Row;

/// Submits with one key again and again until it is answered, wherever the server then is.
fn until_answered(addr: &Mutex<std::net::SocketAddr>, key: &str, body: &str) -> i64 {
    let began = Instant::now();
    let headers = [("content-type", "application/json"), ("idempotency-key", key)];
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
    let what = "a submission repeated by fifty over a kill";
    let Some(mut row) = Row::begin("L8", what, (1, 100, "keys")) else { return };
    let mut server = Server::start();
    for number in 0..row.times {
        one_key_makes_one_job(&mut server, &format!("key-{number}"));
    }
    let jobs = server.all_jobs();
    assert_eq!(jobs.len(), usize::try_from(row.times).unwrap(), "{jobs:?}");
    row.count("submissions of each", "50 and more");
    row.count("duplicates", 0);
    row.held();
}

fn one_key_makes_one_job(server: &mut Server, key: &str) {
    let addr = Arc::new(Mutex::new(server.addr()));
    let ready = Arc::new(Barrier::new(51));
    let body = sleep("10ms").to_string();
    let clients: Vec<_> = (0..50)
        .map(|number| {
            let (addr, ready) = (Arc::clone(&addr), Arc::clone(&ready));
            let (key, body) = (key.to_owned(), body.clone());
            thread::spawn(move || {
                ready.wait();
                // Every fifth goes on after the kill, so that there is always one who asks then.
                let mut ids = vec![until_answered(&addr, &key, &body)];
                for _ in 0..number % 5 {
                    thread::sleep(Duration::from_millis(20));
                    ids.push(until_answered(&addr, &key, &body));
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
    let other = server.post_with("/v1/jobs", &[("idempotency-key", key)], &sleep("11ms"));
    other.problem(422);
    assert_eq!(server.finished(*ids.first().unwrap())["state"], "completed");
}
