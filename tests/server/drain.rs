//! The first SIGTERM: nothing begins any more, what runs may end.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection;
use diesel::{Connection as _, SqliteConnection};
use serde_json::{Value, json};

use crate::kit::target::Target;
use crate::kit::{Connection, LONG, Server, Setup, echo, eventually, sleep, with};

/// A job that calls a server which answers when the test says so.
fn held_call() -> (Value, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (tell, called) = mpsc::channel();
    let (release, released) = mpsc::channel();
    let released = std::sync::Mutex::new(released);
    let target = Target::start(move |caller, _| {
        tell.send(()).unwrap();
        // An error says that the test has ended.
        let _ = released.lock().unwrap().recv();
        caller.answer("200 OK", "", "{}");
    });
    let job = json!({"kind": "http", "payload": {"url": target.url("/")}});
    (job, called, release)
}

fn until_draining(server: &Server) {
    eventually("the server drains", || {
        let answer = server.get("/readyz");
        (answer.status == 503).then(|| {
            assert_eq!(answer.json()["status"], "draining");
            assert!(answer.header("retry-after").is_some());
        })
    });
}

#[test]
fn a_draining_server_lets_end_what_runs_and_begins_nothing() {
    let mut server = Server::start();
    let (job, called, release) = held_call();
    let running = server.submit(&job);
    called.recv_timeout(LONG).unwrap();
    server.terminate();
    until_draining(&server);
    assert_eq!(server.get("/healthz").status, 200);
    // What is submitted now is kept for the next start.
    let kept = server.submit(&echo(1));
    assert_eq!(server.job(kept)["state"], "queued");
    let addr = server.addr();
    let waiting = std::thread::spawn(move || {
        let path = format!("/v1/jobs/{kept}?wait=60s");
        Connection::open(addr).unwrap().request("GET", &path, &[], b"").unwrap()
    });
    let ended = server.get(&format!("/v1/jobs/{running}?wait=100ms")).expect(200);
    assert_eq!(ended["state"], "running");
    release.send(()).unwrap();
    assert_eq!(server.ended().code(), Some(0));
    // Who still waits is answered before the end.
    assert_eq!(waiting.join().unwrap().expect(200)["state"], "queued");
    server.start_again();
    let job = server.job(running);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)));
    assert_eq!(server.finished(kept)["state"], "completed");
}

#[test]
fn what_does_not_end_in_the_grace_goes_back_without_burning_an_attempt() {
    let mut server = Setup::new().config("shutdown_grace = '200ms'").start();
    let (tell, told) = mpsc::channel();
    let target = Target::start(move |caller, _| {
        // After the restart it is called once more, and nobody listens any more.
        let _ = tell.send("called");
        caller.closed();
        let _ = tell.send("closed");
    });
    let call = json!({"kind": "http", "payload": {"url": target.url("/")}});
    let sleeping = server.submit(&sleep("1h"));
    let calling = server.submit(&call);
    let once = server.submit(&with(call, &json!({"at_most_once": true})));
    for _ in 0..2 {
        assert_eq!(told.recv_timeout(LONG), Ok("called"));
    }
    server.reaches(sleeping, "running");
    // So that it can be looked at after the next start.
    server.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    for _ in 0..2 {
        assert_eq!(told.recv_timeout(LONG), Ok("closed"));
    }
    server.start_again();
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
    assert_eq!(server.reaches(sleeping, "running")["attempt"], 1);
}

#[test]
fn a_second_signal_ends_the_server_at_once() {
    let mut server = Setup::new().config("shutdown_grace = '1h'").start();
    let id = server.submit(&sleep("1h"));
    server.reaches(id, "running");
    server.terminate();
    until_draining(&server);
    let began = Instant::now();
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    server.start_again();
    let job = server.reaches(id, "running");
    assert_eq!(job["attempt"], 2, "nobody knows how far it came, so it counts: {job}");
}

#[test]
fn a_job_that_is_leased_while_the_signal_comes_is_given_back_as_well() {
    let mut server = Setup::new().config("shutdown_grace = '200ms'").start();
    server.run(&echo(1));
    // Holds up the transaction in which the job is stored and leased.
    let mut blocker = SqliteConnection::establish(server.database().to_str().unwrap()).unwrap();
    blocker.batch_execute("BEGIN IMMEDIATE").unwrap();
    let addr = server.addr();
    let submitting = std::thread::spawn(move || {
        let headers = [("content-type", "application/json")];
        let body = sleep("1h").to_string();
        Connection::open(addr).unwrap().request("POST", "/v1/jobs", &headers, body.as_bytes())
    });
    // One request after the other reaches the server; the transaction has begun by then.
    std::thread::sleep(Duration::from_millis(300));
    server.terminate();
    until_draining(&server);
    blocker.batch_execute("ROLLBACK").unwrap();
    let answer = submitting.join().unwrap().unwrap().expect(202);
    assert_eq!(server.ended().code(), Some(0));
    server.start_again();
    let job = server.reaches(answer["id"].as_i64().unwrap(), "running");
    assert_eq!((&job["attempt"], &job["failures"]), (&json!(1), &json!([])));
}

#[test]
fn an_idle_server_ends_at_once() {
    let mut server = Server::start();
    // Connections that are kept alive do not hold it.
    let mut idle = server.connect();
    idle.request("GET", "/healthz", &[], b"").unwrap().expect(200);
    let began = Instant::now();
    server.terminate();
    assert_eq!(server.ended().code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
}
