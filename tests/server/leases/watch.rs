//! Watches of leases: a worker learns at once that it should stop a job.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Server, Setup, TEST_TIMEOUT, eventually, is_installed, pointers, skip, with};

/// Time within which a worker must learn that it should stop.
const AT_ONCE: Duration = Duration::from_secs(1);

/// Submits jobs with a long timeout, and leases them.
fn running(server: &Server, count: u32) -> Vec<Value> {
    let job = with(remote(0), &json!({"timeout": "1h"}));
    server.post("/v1/jobs", &Value::from(vec![job; count as usize])).expect(202);
    let leased = lease(server, count, &json!({"lease": "10m"}));
    assert_eq!(leased.len(), count as usize);
    leased
}

/// Returns the leases as a watch lists them.
fn listed(leases: &[Value]) -> Value {
    let entry = |lease: &Value| json!({"id": lease["id"], "lease_token": lease["lease_token"]});
    leases.iter().map(entry).collect()
}

/// Watches leases without waiting.
fn watch_now(server: &Server, leases: &Value) -> Value {
    server.post("/v1/leases/watch", &json!({"leases": leases})).expect(200)["leases"].clone()
}

/// Watches leases on a thread of its own. The receiver gets the entries of the answer and its time.
fn watch(server: &Server, leases: &[Value]) -> mpsc::Receiver<(Value, Instant)> {
    let mut connection = server.connect();
    let body = json!({"leases": listed(leases), "wait": "60s"});
    let (sender, answer) = mpsc::channel();
    std::thread::spawn(move || {
        // Refused while a probe of the test holds the last permit.
        let mut answer = || connection.post("/v1/leases/watch", &body).ok();
        while let Some(answer) = answer() {
            if answer.status != 503 {
                let _ = sender.send((answer.expect(200)["leases"].clone(), Instant::now()));
                return;
            }
        }
    });
    answer
}

/// Returns the status of a watch that does not wait.
fn watch_probe(server: &Server) -> u16 {
    let body = json!({"leases": [{"id": 1, "lease_token": 1}]});
    server.post("/v1/leases/watch", &body).status
}

#[test]
fn a_watch_is_answered_at_once_when_a_job_is_cancelled() {
    let server = Setup::new().config("limits.max_waits = 1").start();
    let leases = running(&server, 3);
    let answer = watch(&server, &leases);
    eventually("the watch waits", || (watch_probe(&server) == 503).then_some(()));
    let before = Instant::now();
    server.post_empty("/v1/jobs/2/cancel").expect(200);
    let (entries, at) = answer.recv_timeout(TEST_TIMEOUT).unwrap();
    assert_eq!(entries, json!([{"id": 2, "lease_token": 1, "cancel": true}]));
    assert!(at - before < AT_ONCE, "{:?}", at - before);
    // The others were not reported, and can be watched further.
    assert_eq!(watch_now(&server, &listed(&[leases[0].clone(), leases[2].clone()])), json!([]));
}

#[test]
fn a_cancel_before_the_watch_is_reported_at_once() {
    let server = Server::start();
    let leases = running(&server, 2);
    server.post_empty("/v1/jobs/1/cancel").expect(200);
    let before = Instant::now();
    let (entries, at) = watch(&server, &leases).recv_timeout(TEST_TIMEOUT).unwrap();
    assert_eq!(entries, json!([{"id": 1, "lease_token": 1, "cancel": true}]));
    assert!(at - before < AT_ONCE);
}

#[test]
fn each_of_many_cancels_reaches_its_watch_while_it_begins() {
    let server = Server::start();
    let leases = running(&server, 50);
    let watches: Vec<_> =
        leases.iter().map(|lease| watch(&server, std::slice::from_ref(lease))).collect();
    let mut slowest = Duration::ZERO;
    for (lease, watch) in leases.iter().zip(&watches) {
        let before = Instant::now();
        server.post_empty(&format!("/v1/jobs/{}/cancel", lease["id"])).expect(200);
        let (entries, at) = watch.recv_timeout(TEST_TIMEOUT).unwrap();
        assert_eq!((&entries[0]["id"], &entries[0]["cancel"]), (&lease["id"], &json!(true)));
        slowest = slowest.max(at - before);
    }
    assert!(slowest < AT_ONCE, "{slowest:?}");
}

#[test]
fn the_cancel_of_a_batch_reaches_the_workers_of_its_running_jobs() {
    let server = Setup::new().config("limits.max_waits = 1").start();
    let job = with(remote(0), &json!({"timeout": "1h"}));
    let batch = server.post("/v1/batches", &json!({"jobs": [job, job]})).expect(202)["id"].clone();
    let leases = lease(&server, 2, &json!({}));
    let answer = watch(&server, &leases);
    eventually("the watch waits", || (watch_probe(&server) == 503).then_some(()));
    server.post_empty(&format!("/v1/batches/{batch}/cancel")).expect(200);
    let (entries, _) = answer.recv_timeout(TEST_TIMEOUT).unwrap();
    assert_eq!(entries.as_array().unwrap().len(), 2, "{entries}");
}

#[test]
fn a_watch_is_answered_when_a_lease_is_no_longer_held() {
    let server = Server::start();
    let ended = running(&server, 2);
    lease_action(&server, &ended[0], "complete", &json!({})).expect(200);
    lease_action(&server, &ended[1], "release", &json!({})).expect(200);
    let stale = |id: i64, token: i64| json!({"id": id, "lease_token": token, "stale": true});
    assert_eq!(watch_now(&server, &listed(&ended)), json!([stale(1, 1), stale(2, 1)]));
    let again = lease(&server, 1, &json!({"lease": "1s"}));
    // It expires, because nobody renews it.
    let (entries, _) = watch(&server, &again).recv_timeout(TEST_TIMEOUT).unwrap();
    assert_eq!(entries, json!([stale(2, 2)]));
}

#[test]
fn an_odd_entry_is_reported_by_itself_and_a_repeated_one_is_harmless() {
    let server = Server::start();
    running(&server, 2);
    server.post_empty("/v1/jobs/1/cancel").expect(200);
    let leases = json!([
        {"id": "1", "lease_token": 1, "kind": "resize"}, {"id": 1, "lease_token": 1},
        {"id": 2, "lease_token": 1}, {"id": "x", "lease_token": 7}, 5, null, {"id": 9, "lease_token": 1},
    ]);
    let entries = watch_now(&server, &leases);
    let [cancelled, missing, odd @ ..] = entries.as_array().unwrap().as_slice() else {
        panic!("{entries}")
    };
    assert_eq!(cancelled, &json!({"id": 1, "lease_token": 1, "cancel": true}));
    assert_eq!(missing, &json!({"id": 9, "lease_token": 1, "stale": true}));
    assert_eq!(odd.len(), 3);
    assert_eq!((&odd[0]["id"], &odd[0]["lease_token"]), (&json!(null), &json!(7)));
    for (entry, pointer) in odd.iter().zip(["/leases/3", "/leases/4", "/leases/5"]) {
        assert_eq!(
            (&entry["stale"], &entry["errors"][0]["pointer"]),
            (&json!(true), &json!(pointer))
        );
        assert_eq!(entry["type"], "urn:longshore:problem:invalid");
    }
}

#[test]
fn a_watch_without_anything_to_report_ends_with_an_empty_list() {
    let server = Server::start();
    let leases = running(&server, 1);
    assert_eq!(watch_now(&server, &listed(&leases)), json!([]));
    let body = json!({"leases": listed(&leases), "wait": "200ms"});
    assert_eq!(server.post("/v1/leases/watch", &body).expect(200), json!({"leases": []}));
    // Progress and renewals are no reason to stop.
    let progress = json!({"progress": {"percent": 1}});
    lease_action(&server, &leases[0], "renew", &progress).expect(200);
    assert_eq!(watch_now(&server, &listed(&leases)), json!([]));
}

#[test]
fn every_invalid_field_of_a_watch_is_named() {
    let server = Server::start();
    let wrong = server.post("/v1/leases/watch", &json!({"leases": [], "wait": "2m"}));
    wrong.problem(422);
    assert_eq!(pointers(&wrong), ["/leases", "/wait"]);
    let many = vec![json!({"id": 1, "lease_token": 1}); 1_001];
    assert_eq!(pointers(&server.post("/v1/leases/watch", &json!({"leases": many}))), ["/leases"]);
    assert_eq!(
        pointers(&server.post("/v1/leases/watch", &json!({"leases": [], "waits": 1}))),
        ["/waits"]
    );
    server.post("/v1/leases/watch", &json!({})).problem(422);
    // An answer repeats only the start of what is invalid.
    let long = "x".repeat(70_000);
    for body in [json!({"leases": long}), json!({"leases": [], long: 1})] {
        let refused = server.post("/v1/leases/watch", &body);
        refused.problem(422);
        assert!(refused.body.len() < 1_000, "{} bytes", refused.body.len());
    }
    server.get("/v1/leases/watch").problem(405);
}

#[test]
fn the_number_of_watched_leases_is_bounded() {
    let server = Server::start();
    let leases = running(&server, 1_000);
    let _watches: Vec<_> = (0..100).map(|_| watch(&server, &leases)).collect();
    eventually("no further lease can be watched", || (watch_probe(&server) == 503).then_some(()));
    // Other requests that wait have room.
    assert!(lease(&server, 1, &json!({"wait": "10ms"})).is_empty());
}

#[test]
fn a_server_that_stops_answers_its_watches() {
    let server = Setup::new().config("limits.max_waits = 1").start();
    let leases = running(&server, 1);
    let answer = watch(&server, &leases);
    eventually("the watch waits", || (watch_probe(&server) == 503).then_some(()));
    let before = Instant::now();
    server.terminate();
    let (entries, at) = answer.recv_timeout(TEST_TIMEOUT).unwrap();
    assert_eq!(entries, json!([]));
    assert!(at - before < Duration::from_secs(5));
}

#[test]
fn a_python_worker_stops_a_cancelled_job_long_before_it_renews() {
    if !is_installed("python3") {
        return skip("python3 is not installed");
    }
    let server = Server::start();
    let fields = json!({"kind": "wait", "payload": {"seconds": 4}, "timeout": "1h"});
    let id = server.submit(&with(remote(0), &fields));
    let mut worker = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/worker.py"))
        .args(["--url", &server.url(), "--lease", "600", "--grace", "1"])
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    server.wait_for_state(id, "running");
    server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    // A worker that learned it with a renewal, after 200 s, would complete the job.
    server.wait_for_state(id, "cancelled");
    worker.kill().unwrap();
    worker.wait().unwrap();
}
