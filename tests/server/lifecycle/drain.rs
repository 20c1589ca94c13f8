//! Draining: after SIGTERM the server starts no more jobs and lets running jobs finish.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, SqliteConnection};
use serde_json::{Value, json};

use crate::kit::http::{Target, gate};
use crate::kit::{Connection, Server, Setup, TEST_TIMEOUT, echo, eventually, sleep, with};

/// Returns a job whose HTTP call is answered only when the test releases it, with a receiver that
/// reports the call and a sender that releases it.
fn held_call() -> (Value, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (sender, called) = mpsc::channel();
    let (release, released) = gate();
    let target = Target::start(move |caller, _| {
        sender.send(()).unwrap();
        released.wait();
        caller.answer("200 OK", "", "{}");
    });
    let job = json!({"kind": "http", "payload": {"url": target.url("/")}});
    (job, called, release)
}

fn wait_until_draining(server: &Server) {
    eventually("the server drains", || {
        let answer = server.get("/readyz");
        (answer.status == 503).then(|| {
            assert_eq!(answer.json()["status"], "draining");
            assert!(answer.header("retry-after").is_some());
        })
    });
}

#[test]
fn a_draining_server_finishes_running_jobs_and_starts_no_others() {
    let mut server = Server::start();
    let (job, called, release) = held_call();
    let running = server.submit(&job);
    called.recv_timeout(TEST_TIMEOUT).unwrap();
    server.terminate();
    wait_until_draining(&server);
    assert_eq!(server.get("/healthz").status, 200);
    // Jobs submitted now are stored for the next start.
    let queued = server.submit(&echo(1));
    assert_eq!(server.job(queued)["state"], "queued");
    let addr = server.addr();
    let waiting = std::thread::spawn(move || {
        let path = format!("/v1/jobs/{queued}?wait=60s");
        Connection::open(addr).unwrap().request("GET", &path, &[], b"").unwrap()
    });
    let job = server.get(&format!("/v1/jobs/{running}?wait=100ms")).expect(200);
    assert_eq!(job["state"], "running");
    release.send(()).unwrap();
    assert_eq!(server.wait_for_exit().code(), Some(0));
    // A request that still waits is answered before the server stops.
    assert_eq!(waiting.join().unwrap().expect(200)["state"], "queued");
    server.restart();
    let job = server.job(running);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)));
    assert_eq!(server.wait_until_final(queued)["state"], "completed");
}

#[test]
fn jobs_still_running_after_the_grace_period_are_requeued_without_using_an_attempt() {
    let mut server = Setup::new().config("shutdown_grace = '200ms'").start();
    let (sender, calls) = mpsc::channel();
    let target = Target::start(move |caller, _| {
        // The target is called again after the restart, when the receiver may be gone.
        let _ = sender.send("called");
        caller.wait_until_closed();
        let _ = sender.send("closed");
    });
    let call = json!({"kind": "http", "payload": {"url": target.url("/")}});
    let sleeping = server.submit(&sleep("1h"));
    let calling = server.submit(&call);
    let once = server.submit(&with(call, &json!({"at_most_once": true})));
    for _ in 0..2 {
        assert_eq!(calls.recv_timeout(TEST_TIMEOUT), Ok("called"));
    }
    server.wait_for_state(sleeping, "running");
    // Paused, so that the jobs are still queued when they are read after the restart.
    server.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    server.terminate();
    assert_eq!(server.wait_for_exit().code(), Some(0));
    for _ in 0..2 {
        assert_eq!(calls.recv_timeout(TEST_TIMEOUT), Ok("closed"));
    }
    server.restart();
    for id in [sleeping, calling] {
        let job = server.job(id);
        assert_eq!((&job["state"], &job["attempt"]), (&json!("queued"), &json!(0)), "{job}");
        assert_eq!(job["failures"], json!([]));
    }
    let job = server.job(once);
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&json!("failed"), &json!("outcome_unknown"))
    );
    server.post_empty(&format!("/v1/jobs/{once}/retry")).problem(409);
    server.patch("/v1/queues/default", &json!({"paused": false})).expect(200);
    assert_eq!(server.wait_for_state(sleeping, "running")["attempt"], 1);
}

#[test]
fn a_second_signal_stops_the_server_at_once() {
    let mut server = Setup::new().config("shutdown_grace = '1h'").start();
    let id = server.submit(&sleep("1h"));
    server.wait_for_state(id, "running");
    server.terminate();
    wait_until_draining(&server);
    let started = Instant::now();
    server.terminate();
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    server.restart();
    let job = server.wait_for_state(id, "running");
    assert_eq!(
        job["attempt"], 2,
        "an interrupted attempt counts, because its progress is unknown: {job}"
    );
}

#[test]
fn a_job_leased_while_the_signal_arrives_is_released_too() {
    let mut server = Setup::new().config("shutdown_grace = '200ms'").start();
    server.run(&echo(1));
    // Blocks the transaction that stores and leases the job.
    let mut blocker = SqliteConnection::establish(server.database().to_str().unwrap()).unwrap();
    blocker.batch_execute("BEGIN IMMEDIATE").unwrap();
    let addr = server.addr();
    let submitting =
        std::thread::spawn(move || Connection::open(addr).unwrap().post("/v1/jobs", &sleep("1h")));
    // Time for the request to reach the server and for its transaction to start.
    std::thread::sleep(Duration::from_millis(300));
    server.terminate();
    wait_until_draining(&server);
    blocker.batch_execute("ROLLBACK").unwrap();
    let answer = submitting.join().unwrap().unwrap().expect(202);
    assert_eq!(server.wait_for_exit().code(), Some(0));
    server.restart();
    let job = server.wait_for_state(answer["id"].as_i64().unwrap(), "running");
    assert_eq!((&job["attempt"], &job["failures"]), (&json!(1), &json!([])));
}

#[test]
fn an_idle_server_stops_at_once() {
    let mut server = Server::start();
    // An idle keep-alive connection does not delay the shutdown.
    let mut idle = server.connect();
    idle.request("GET", "/healthz", &[], b"").unwrap().expect(200);
    let started = Instant::now();
    server.terminate();
    assert_eq!(server.wait_for_exit().code(), Some(0));
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
}
