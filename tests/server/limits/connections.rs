//! Connections whose requests never end, and more connections than there is room for.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::hostile::chunked_head;
use crate::kit::{Connection, Server, Setup, echo, eventually};

/// Sends a byte every 100 ms until the server closes the connection, and returns the time that this took
/// and what the server sent meanwhile.
fn drip_until_closed(connection: &mut Connection, byte: &str) -> (Duration, String) {
    let started = Instant::now();
    while connection.send(byte).is_ok() && started.elapsed() < Duration::from_secs(100) {
        std::thread::sleep(Duration::from_millis(100));
    }
    let rest = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
    (started.elapsed(), rest)
}

#[test]
fn a_body_that_does_not_come_closes_the_connection_after_the_answer() {
    let server = Server::start();
    let foreign = "origin: http://evil.example\r\n";
    let cases = [
        ("GET /healthz", "", 200),
        ("GET /v1/jobs", "", 200),
        ("POST /v1/jobs", foreign, 403),
        ("GET /nowhere", "", 404),
        ("PUT /healthz", "", 405),
        ("POST /v1/jobs", "content-type: text/plain\r\n", 415),
        ("POST /v1/jobs/1/cancel", "", 404),
        ("DELETE /v1/jobs/1", "", 404),
    ];
    for (line, headers, status) in cases {
        let mut connection = server.connect();
        connection.send(chunked_head(server.addr(), line, headers)).unwrap();
        let answer = connection.answer().unwrap();
        assert_eq!(answer.status, status, "{line}");
        assert_eq!(answer.header("connection"), Some("close"), "{line}");
        let started = Instant::now();
        assert_eq!(connection.read_to_end(), b"", "{line}");
        assert!(started.elapsed() < Duration::from_secs(20), "{line}: {:?}", started.elapsed());
    }
}

#[test]
fn a_body_with_a_length_that_does_not_come_closes_the_connection_as_well() {
    let server = Server::start();
    for line in ["GET /healthz", "GET /nowhere", "POST /v1/jobs", "DELETE /v1/jobs/1"] {
        let mut connection = server.connect();
        let host = server.addr();
        let head = format!("{line} HTTP/1.1\r\nhost: {host}\r\ncontent-length: 1000000\r\n\r\n");
        connection.send(head).unwrap();
        connection.answer().unwrap();
        let (elapsed, _) = drip_until_closed(&mut connection, "x");
        assert!(elapsed < Duration::from_secs(20), "{line}: {elapsed:?}");
    }
}

#[test]
fn a_body_that_drips_after_the_answer_is_cut_off() {
    let server = Server::start();
    for (line, chunk) in [("GET /healthz", "1\r\nx\r\n"), ("POST /v1/jobs", "x")] {
        let mut connection = server.connect();
        connection.send(chunked_head(server.addr(), line, "")).unwrap();
        connection.answer().unwrap();
        let (elapsed, _) = drip_until_closed(&mut connection, chunk);
        assert!(elapsed < Duration::from_secs(20), "{line}: {elapsed:?}");
    }
}

#[test]
fn a_second_head_that_drips_is_cut_off_as_the_first() {
    let server = Server::start();
    let mut connection = server.connect();
    let request = format!("GET /healthz HTTP/1.1\r\nhost: {}\r\n", server.addr());
    connection.send(format!("{request}\r\n")).unwrap();
    assert_eq!(connection.answer().unwrap().status, 200);
    connection.send(format!("{request}x: ")).unwrap();
    let (elapsed, answer) = drip_until_closed(&mut connection, "x");
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert!(elapsed < Duration::from_secs(50), "{elapsed:?}");
}

#[test]
fn a_connection_is_kept_after_a_body_that_is_complete() {
    let server = Server::start();
    let mut connection = server.connect();
    let id = connection.post("/v1/jobs", &echo(1)).unwrap().expect(202)["id"].clone();
    let host = server.addr();
    let cases = [
        format!(
            "GET /healthz HTTP/1.1\r\nhost: {host}\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        ),
        format!(
            "GET /v1/jobs/{id}?wait=1s HTTP/1.1\r\nhost: {host}\r\ncontent-length: 2\r\n\r\n{{}}"
        ),
        format!(
            "POST /v1/jobs HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\nf\r\n{{\"kind\":\"echo\"}}\r\n0\r\n\r\n"
        ),
    ];
    for request in cases {
        for _ in 0..2 {
            connection.send(&request).unwrap();
            let answer = connection.answer().unwrap();
            assert!(answer.status < 300 && answer.header("connection").is_none(), "{request}");
        }
    }
}

#[test]
fn a_client_past_max_connections_is_refused_at_once_and_served_when_there_is_room() {
    // With so few there is room for one subscriber of all jobs and for one of a single job only.
    let server = Setup::new().config("limits.max_connections = 2").start();
    let job = json!({"kind": "echo", "delay": "1h"});
    let path = format!("/v1/jobs/{}/events", server.submit(&job));
    let mut streams: Vec<Connection> = ["/v1/events", &path]
        .iter()
        .map(|path| {
            let mut connection = server.connect();
            let host = server.addr();
            connection.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")).unwrap();
            assert_eq!(connection.answer().unwrap().status, 200);
            connection
        })
        .collect();
    // Each is answered or closed at once, and nearly all are answered.
    let mut answered = 0;
    for _ in 0..20 {
        let started = Instant::now();
        if let Ok(answer) = server.connect().request("GET", "/healthz", &[], b"") {
            assert_eq!(answer.problem(503), "the server has no room for another connection; retry");
            assert_eq!(answer.header("retry-after"), Some("1"));
            answered += 1;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    }
    assert!(answered >= 15, "only {answered} of 20 clients were answered");
    let refused = || server.log().contains("connections were refused").then_some(());
    eventually("the refusals are logged", refused);
    streams.pop();
    eventually("there is room", || {
        let answer = server.connect().request("GET", "/healthz", &[], b"");
        answer.is_ok_and(|answer| answer.status == 200).then_some(())
    });
    // The streams were not harmed. The last connection may not have ended yet.
    let (headers, body) = ([("content-type", "application/json")], echo(1).to_string());
    eventually("a job is submitted", || {
        let answer = server.connect().request("POST", "/v1/jobs", &headers, body.as_bytes());
        answer.is_ok_and(|answer| answer.status == 202).then_some(())
    });
    for stream in &mut streams {
        assert!(stream.chunk().unwrap().is_some());
    }
}

#[test]
fn idle_connections_make_room_for_new_clients() {
    let server = Setup::new().config("limits.max_connections = 10").start();
    let mut idle: Vec<Connection> = (0..10).map(|_| server.connect()).collect();
    for connection in &mut idle {
        assert_eq!(connection.request("GET", "/healthz", &[], b"").unwrap().status, 200);
    }
    for _ in 0..100 {
        assert_eq!(server.get("/healthz").status, 200);
    }
}

#[test]
fn a_flood_of_unfinished_requests_leaves_descriptors_for_jobs_and_room_for_clients() {
    let config = "[commands.greet]\nargv = ['echo', 'hello']";
    let server = Setup::new().config(config).after("ulimit -n 400").start();
    let has_logged = |text: &str| server.log().contains(text).then_some(());
    eventually("the bound is logged", || has_logged("max_connections=200"));
    let mut keeper = server.connect();
    let flood: Vec<Connection> = (0..420)
        .map(|number| {
            let mut connection = server.connect();
            let line = if number % 2 == 0 { "GET /healthz" } else { "POST /v1/jobs" };
            // The server may have refused the connection already.
            let _ = connection.send(chunked_head(
                server.addr(),
                line,
                "content-type: application/json\r\n",
            ));
            connection
        })
        .collect();
    let started = Instant::now();
    let job = json!({"kind": "command", "payload": {"name": "greet"}});
    let id = eventually("a client is served", || {
        // A kept connection that is idle may have been closed to make room.
        let try_submit = |connection: &mut Connection| connection.post("/v1/jobs", &job).ok();
        let answer = try_submit(&mut keeper).filter(|answer| answer.status == 202);
        let answer = answer.or_else(|| try_submit(&mut server.connect()))?;
        (answer.status == 202).then(|| answer.json()["id"].clone())
    });
    eventually("the program has run", || {
        let answer = server.get(&format!("/v1/jobs/{id}"));
        (answer.status == 200).then(|| answer.json()).filter(|job| job["state"] == "completed")
    });
    assert!(started.elapsed() < Duration::from_secs(60), "{:?}", started.elapsed());
    drop(flood);
}

#[test]
fn clients_that_wait_or_subscribe_leave_room_for_others() {
    let server = Setup::new().after("ulimit -n 400").start();
    let has_logged = |text: &str| server.log().contains(text).then_some(());
    eventually("the bound is logged", || has_logged("max_waits=100 max_feeds=50"));
    let id = server.submit(&json!({"kind": "echo", "delay": "1h"}));
    let paths = [
        "/v1/events".to_owned(),
        format!("/v1/jobs/{id}/events"),
        format!("/v1/jobs/{id}?wait=60s"),
    ];
    let mut flood = Vec::new();
    for path in &paths {
        for _ in 0..200 {
            let mut connection = server.connect();
            let host = server.addr();
            // The server may have refused the connection already.
            let _ = connection.send(format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
            flood.push(connection);
        }
        let started = Instant::now();
        for _ in 0..20 {
            eventually("a client is served", || {
                (server.get("/healthz").status == 200).then_some(())
            });
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{path}: {:?}", started.elapsed());
    }
}

#[test]
fn a_raised_limit_on_open_files_is_logged() {
    let server = Setup::new().after("ulimit -S -n 900").start();
    let has_logged = |text: &str| server.log().contains(text).then_some(());
    eventually("the limit is logged", || has_logged("raised the limit on open files"));
}
