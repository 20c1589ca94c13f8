//! Workers that wait for jobs: held open, answered the moment there is one.

use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::kit::process::between;
use crate::kit::{LONG, Server, Setup, eventually, sleep, with};
use crate::leases::{lease, lease_action, remote};

/// Calls for jobs beside the test, which hears what came.
fn waiting(server: &Server, fields: &Value) -> mpsc::Receiver<(u16, Value)> {
    let mut connection = server.connect();
    let call = with(json!({"wait": "60s"}), fields).to_string();
    let (tell, heard) = mpsc::channel();
    std::thread::spawn(move || {
        let headers = [("content-type", "application/json")];
        let answer = connection.request("POST", "/v1/leases", &headers, call.as_bytes());
        let answer = answer.map_or((0, json!(null)), |answer| (answer.status, answer.json()));
        let _ = tell.send(answer);
    });
    heard
}

/// The same of a server where only one may wait, once it does.
fn held(server: &Server, fields: &Value) -> mpsc::Receiver<(u16, Value)> {
    let mut heard = waiting(server, fields);
    eventually("it waits, and a second one is refused", || {
        // It may have come just while a second one was looked after.
        if heard.try_recv().is_ok_and(|(status, _)| status == 503) {
            heard = waiting(server, fields);
        }
        let second = server.post("/v1/leases", &json!({"kinds": ["none"]}));
        if second.status == 200 {
            return None;
        }
        second.problem(503);
        Some(())
    });
    heard
}

fn jobs(heard: &mpsc::Receiver<(u16, Value)>) -> Vec<Value> {
    let (status, body) = heard.recv_timeout(LONG).unwrap();
    assert_eq!(status, 200, "{body}");
    body["jobs"].as_array().unwrap().clone()
}

#[test]
fn who_waits_is_answered_when_there_is_a_job() {
    let server = Setup::new().config("limits.max_waits = 1").start();
    let heard = held(&server, &json!({"limit": 10}));
    let id = server.submit(&remote(1));
    let jobs = jobs(&heard);
    assert_eq!((jobs.len(), &jobs[0]["id"]), (1, &json!(id)));
}

#[test]
fn who_waits_hears_of_jobs_that_become_due_or_come_back() {
    let server = Server::start();
    let heard = waiting(&server, &json!({}));
    server.submit(&with(remote(1), &json!({"delay": "300ms"})));
    let first = jobs(&heard).remove(0);
    let heard = waiting(&server, &json!({}));
    lease_action(&server, &first, "release", &json!({})).expect(200);
    let second = jobs(&heard).remove(0);
    let heard = waiting(&server, &json!({}));
    let soon = json!({"error": {"code": "x"}, "retry_in": "100ms"});
    lease_action(&server, &second, "fail", &soon).expect(200);
    assert_eq!(jobs(&heard)[0]["lease_token"], 3);
}

#[test]
fn a_wait_ends_with_nothing() {
    let server = Server::start();
    assert_eq!(lease(&server, 1, &json!({"wait": "200ms"})), Vec::<Value>::new());
    assert_eq!(lease(&server, 1, &json!({})), Vec::<Value>::new());
    server.submit(&remote(1));
    assert_eq!(lease(&server, 1, &json!({"wait": "200ms"})).len(), 1);
}

#[test]
fn who_waits_for_some_queues_or_kinds_gets_nothing_else() {
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
fn a_hundred_who_wait_get_a_job_each() {
    let server = Server::start();
    let all: Vec<_> = (0..100).map(|_| waiting(&server, &json!({}))).collect();
    let many: Vec<Value> = (0..100).map(remote).collect();
    server.post("/v1/jobs", &json!(many)).expect(202);
    let mut ids: Vec<i64> =
        all.iter().map(|heard| jobs(heard)[0]["id"].as_i64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=100).collect::<Vec<_>>());
}

#[test]
fn who_went_away_while_waiting_takes_no_job_along() {
    let server = Server::start();
    for round in 1..=20 {
        let mut gone = server.connect();
        let body = r#"{"wait": "60s"}"#;
        let head = "POST /v1/leases HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
        gone.send(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).unwrap();
        drop(gone);
        let id = server.submit(&remote(round));
        // At once, or after the server has seen that nobody took it.
        let mine = lease(&server, 1, &json!({"wait": "60s"})).remove(0);
        assert_eq!((&mine["id"], &mine["attempt"]), (&json!(id), &json!(1)));
        lease_action(&server, &mine, "complete", &json!({})).expect(200);
    }
}

#[test]
fn a_drain_sends_those_who_wait_away_and_takes_what_is_finished() {
    let mut server = Server::start();
    let slow = server.submit(&sleep("5s"));
    server.reaches(slow, "running");
    server.submit(&remote(1));
    let mine = lease(&server, 1, &json!({})).remove(0);
    let heard = waiting(&server, &json!({}));
    // It waits: a job that it takes shows that it is there.
    server.submit(&remote(2));
    assert_eq!(jobs(&heard).len(), 1);
    let heard = waiting(&server, &json!({}));
    server.terminate();
    // While the slow job runs: it may have come before or after the drain began.
    let (status, _) = heard.recv_timeout(LONG).unwrap();
    assert!(matches!(status, 200 | 503), "{status}");
    assert_eq!(server.job(slow)["state"], "running");
    assert_eq!(server.get("/readyz").status, 503);
    let refused = server.post("/v1/leases", &json!({"wait": "60s"}));
    refused.problem(503);
    assert!(refused.header("retry-after").is_some());
    assert_eq!(lease_action(&server, &mine, "complete", &json!({"result": 1})).status, 200);
    assert!(server.ended().success());
    server.start_again();
    assert_eq!(server.job(2)["state"], "completed");
    assert_eq!(server.job(3)["state"], "running", "its worker holds it still");
}

#[test]
fn no_more_wait_than_may() {
    let server = Setup::new().config("limits.max_waits = 1").start();
    let heard = held(&server, &json!({}));
    assert!(server.post("/v1/leases", &json!({})).header("retry-after").is_some());
    server.submit(&remote(1));
    assert_eq!(jobs(&heard).len(), 1);
}

#[test]
fn a_rate_holds_for_remote_workers() {
    let server = Server::start();
    let rate = json!({"rate": {"limit": 2, "period": "1s"}});
    server.patch("/v1/queues/default", &rate).expect(200);
    let many: Vec<Value> = (0..4).map(remote).collect();
    server.post("/v1/jobs", &json!(many)).expect(202);
    assert_eq!(lease(&server, 4, &json!({})).len(), 2);
    assert_eq!(lease(&server, 4, &json!({})).len(), 0);
    let late = jobs(&waiting(&server, &json!({"limit": 4})));
    let first = server.job(1);
    let second = server.job(late[0]["id"].as_i64().unwrap());
    let pause = between(&first["started_at"], &second["started_at"]);
    assert!(pause >= Duration::from_secs(1), "{pause:?}");
}

#[test]
fn a_renewal_that_came_while_the_server_stood_still_holds_the_lease() {
    let server = Server::start();
    server.submit(&remote(1));
    let mine = lease(&server, 1, &json!({"lease": "1s"})).remove(0);
    let mut connection = server.connect();
    kill_process(server.pid(), Signal::STOP).unwrap();
    let body = json!({"lease_token": mine["lease_token"], "lease": "1m"}).to_string();
    let head =
        "POST /v1/leases/1/renew HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
    connection.send(format!("{head}\r\ncontent-length: {}\r\n\r\n{body}", body.len())).unwrap();
    // The lease is long over when the server goes on; the time for the head of a request is not.
    std::thread::sleep(Duration::from_secs(4));
    kill_process(server.pid(), Signal::CONT).unwrap();
    connection.answer().unwrap().expect(200);
    assert_eq!(
        lease_action(&server, &mine, "complete", &json!({})).expect(200)["state"],
        "completed"
    );
}

#[test]
fn who_waits_in_vain_holds_nobody_up() {
    let server = Server::start();
    let idle = json!({"kinds": ["never"], "limit": 1_000});
    let _vain: Vec<_> = (0..50).map(|_| waiting(&server, &idle)).collect();
    for payload in 0..50 {
        server.submit(&remote(payload));
        let mine = lease(&server, 1, &json!({"kinds": ["resize"]}));
        assert_eq!(mine.len(), 1);
        lease_action(&server, &mine[0], "complete", &json!({})).expect(200);
    }
}
