//! Waiting workers: remote workers whose lease request waits until a job is available.

use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::kit::between;
use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Server, Setup, TEST_TIMEOUT, eventually, sleep, with};

/// Sends a lease request that waits, on a thread of its own. The receiver gets the status and the
/// body of the answer.
fn waiting(server: &Server, fields: &Value) -> mpsc::Receiver<(u16, Value)> {
    let mut connection = server.connect();
    let call = with(json!({"wait": "60s"}), fields);
    let (sender, answer) = mpsc::channel();
    std::thread::spawn(move || {
        let response = connection.post("/v1/leases", &call);
        let response =
            response.map_or((0, json!(null)), |response| (response.status, response.json()));
        let _ = sender.send(response);
    });
    answer
}

/// Sends a lease request that waits to a server with `max_waits = 1`, and returns once it waits.
fn waiting_alone(server: &Server, fields: &Value) -> mpsc::Receiver<(u16, Value)> {
    let mut answer = waiting(server, fields);
    eventually("the request waits and a second one is refused", || {
        // If a second request was being answered when the first one arrived, the first one was
        // refused; it is sent again.
        if answer.try_recv().is_ok_and(|(status, _)| status == 503) {
            answer = waiting(server, fields);
        }
        let second = server.post("/v1/leases", &json!({"kinds": ["none"]}));
        if second.status == 200 {
            return None;
        }
        second.problem(503);
        Some(())
    });
    answer
}

/// Waits for the answer of a lease request and returns its jobs.
fn jobs(answer: &mpsc::Receiver<(u16, Value)>) -> Vec<Value> {
    let (status, body) = answer.recv_timeout(TEST_TIMEOUT).unwrap();
    assert_eq!(status, 200, "{body}");
    body["jobs"].as_array().unwrap().clone()
}

#[test]
fn a_waiting_worker_is_answered_when_a_job_is_submitted() {
    let server = Setup::new().config("limits.max_waits = 1").start();
    let answer = waiting_alone(&server, &json!({"limit": 10}));
    let id = server.submit(&remote(1));
    let jobs = jobs(&answer);
    assert_eq!((jobs.len(), &jobs[0]["id"]), (1, &json!(id)));
}

#[test]
fn a_waiting_worker_gets_jobs_that_become_due_or_are_requeued() {
    let server = Server::start();
    let answer = waiting(&server, &json!({}));
    server.submit(&with(remote(1), &json!({"delay": "300ms"})));
    let first = jobs(&answer).remove(0);
    let answer = waiting(&server, &json!({}));
    lease_action(&server, &first, "release", &json!({})).expect(200);
    let second = jobs(&answer).remove(0);
    let answer = waiting(&server, &json!({}));
    let soon = json!({"error": {"code": "x"}, "retry_in": "100ms"});
    lease_action(&server, &second, "fail", &soon).expect(200);
    assert_eq!(jobs(&answer)[0]["lease_token"], 3);
}

#[test]
fn a_wait_without_jobs_ends_with_an_empty_list() {
    let server = Server::start();
    assert_eq!(lease(&server, 1, &json!({"wait": "200ms"})), Vec::<Value>::new());
    assert_eq!(lease(&server, 1, &json!({})), Vec::<Value>::new());
    server.submit(&remote(1));
    assert_eq!(lease(&server, 1, &json!({"wait": "200ms"})).len(), 1);
}

#[test]
fn a_worker_that_waits_for_some_queues_or_kinds_gets_no_other_jobs() {
    let server = Server::start();
    let by_queue = waiting(&server, &json!({"queues": ["mail"], "limit": 5}));
    let by_kind = waiting(&server, &json!({"kinds": ["shrink"], "limit": 5}));
    let other = server.submit(&remote(1));
    let mail = server.submit(&with(remote(2), &json!({"queue": "mail"})));
    let shrink = server.submit(&with(remote(3), &json!({"kind": "shrink"})));
    let ids =
        |jobs: Vec<Value>| json!(jobs.iter().map(|job| job["id"].clone()).collect::<Vec<_>>());
    assert_eq!(ids(jobs(&by_queue)), json!([mail]));
    assert_eq!(ids(jobs(&by_kind)), json!([shrink]));
    assert_eq!(ids(lease(&server, 5, &json!({}))), json!([other]));
}

#[test]
fn a_hundred_waiting_workers_get_one_job_each() {
    let server = Server::start();
    let all: Vec<_> = (0..100).map(|_| waiting(&server, &json!({}))).collect();
    let many: Vec<Value> = (0..100).map(remote).collect();
    server.post("/v1/jobs", &json!(many)).expect(202);
    let mut ids: Vec<i64> =
        all.iter().map(|answer| jobs(answer)[0]["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>());
}

#[test]
fn a_worker_that_disconnects_while_it_waits_takes_no_job() {
    let server = Server::start();
    for round in 1..=20 {
        let mut connection = server.connect();
        let body = r#"{"wait": "60s"}"#;
        let head = "POST /v1/leases HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
        connection.send(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).unwrap();
        drop(connection);
        let id = server.submit(&remote(round));
        // Leased at once, or after the server has noticed that the first worker disconnected.
        let leased = lease(&server, 1, &json!({"wait": "60s"})).remove(0);
        assert_eq!((&leased["id"], &leased["attempt"]), (&json!(id), &json!(1)));
        lease_action(&server, &leased, "complete", &json!({})).expect(200);
    }
}

#[test]
fn a_draining_server_answers_waiting_workers_and_accepts_outcomes() {
    let mut server = Server::start();
    let slow = server.submit(&sleep("5s"));
    server.wait_for_state(slow, "running");
    server.submit(&remote(1));
    let leased = lease(&server, 1, &json!({})).remove(0);
    let answer = waiting(&server, &json!({}));
    // The job that the request receives shows that it has reached the server.
    server.submit(&remote(2));
    assert_eq!(jobs(&answer).len(), 1);
    let answer = waiting(&server, &json!({}));
    server.terminate();
    // Answered while the slow job runs: with 200 and no jobs if the request arrives before the drain
    // starts, with 503 if it arrives later.
    let (status, _) = answer.recv_timeout(TEST_TIMEOUT).unwrap();
    assert!(matches!(status, 200 | 503), "{status}");
    assert_eq!(server.job(slow)["state"], "running");
    assert_eq!(server.get("/readyz").status, 503);
    let refused = server.post("/v1/leases", &json!({"wait": "60s"}));
    refused.problem(503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(lease_action(&server, &leased, "complete", &json!({"result": 1})).status, 200);
    assert!(server.wait_for_exit().success());
    server.restart();
    assert_eq!(server.job(2)["state"], "completed");
    assert_eq!(server.job(3)["state"], "running", "its lease is still valid");
}

#[test]
fn lease_requests_past_max_waits_are_refused() {
    let server = Setup::new().config("limits.max_waits = 1").start();
    let answer = waiting_alone(&server, &json!({}));
    assert!(server.post("/v1/leases", &json!({})).header("retry-after").is_some());
    server.submit(&remote(1));
    assert_eq!(jobs(&answer).len(), 1);
}

#[test]
fn a_rate_limit_applies_to_remote_workers() {
    let server = Server::start();
    let rate = json!({"rate": {"limit": 2, "period": "1s"}});
    server.patch("/v1/queues/default", &rate).expect(200);
    let many: Vec<Value> = (0..4).map(remote).collect();
    server.post("/v1/jobs", &json!(many)).expect(202);
    assert_eq!(lease(&server, 4, &json!({})).len(), 2);
    assert_eq!(lease(&server, 4, &json!({})).len(), 0);
    let later = jobs(&waiting(&server, &json!({"limit": 4})));
    let first = server.job(1);
    let second = server.job(later[0]["id"].as_i64().unwrap());
    let pause = between(&first["started_at"], &second["started_at"]);
    assert!(pause >= Duration::from_secs(1), "{pause:?}");
}

#[test]
fn a_renewal_sent_while_the_server_was_stopped_keeps_the_lease() {
    let server = Server::start();
    server.submit(&remote(1));
    let leased = lease(&server, 1, &json!({"lease": "1s"})).remove(0);
    let mut connection = server.connect();
    kill_process(server.pid(), Signal::STOP).unwrap();
    let body = json!({"lease_token": leased["lease_token"], "lease": "1m"}).to_string();
    let head =
        "POST /v1/leases/1/renew HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
    connection.send(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).unwrap();
    // Longer than the lease (1 s), shorter than the server waits for a request head (5 s).
    std::thread::sleep(Duration::from_secs(4));
    kill_process(server.pid(), Signal::CONT).unwrap();
    connection.answer().unwrap().expect(200);
    assert_eq!(
        lease_action(&server, &leased, "complete", &json!({})).expect(200)["state"],
        "completed"
    );
}

#[test]
fn workers_that_wait_for_an_unused_kind_do_not_delay_others() {
    let server = Server::start();
    let unused = json!({"kinds": ["never"], "limit": 1_000});
    let _waiting: Vec<_> = (0..50).map(|_| waiting(&server, &unused)).collect();
    for payload in 0..50 {
        server.submit(&remote(payload));
        let leased = lease(&server, 1, &json!({"kinds": ["resize"]}));
        assert_eq!(leased.len(), 1);
        lease_action(&server, &leased[0], "complete", &json!({})).expect(200);
    }
}
