//! Answers that clients do not read, and answers to large jobs.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::kit::hostile::nested;
use crate::kit::usage::memory;
use crate::kit::{Connection, Server, Setup, echo, eventually};

/// Returns a job with a payload and a result of this many bytes each.
fn large_job(bytes: usize) -> Value {
    echo("x".repeat(bytes))
}

/// Asks for a path on so many connections without reading an answer.
fn ask_without_reading(server: &Server, path: &str, count: usize) -> Vec<Connection> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", server.addr());
    let ask = |_| {
        let mut connection = server.connect();
        connection.send(&request).unwrap();
        connection
    };
    (0..count).map(ask).collect()
}

#[test]
fn answers_that_nobody_reads_are_bounded_and_end() {
    let server = Setup::new().config("limits.max_answer_bytes_in_flight = 33554432").start();
    let id = server.run(&large_job(4_000_000))["id"].as_i64().unwrap();
    let path = format!("/v1/jobs/{id}");
    let small = server.run(&echo(1))["id"].as_i64().unwrap();
    let before = memory(&server);
    let mut unread = ask_without_reading(&server, &path, 100);
    let started = Instant::now();
    eventually("large reads are refused", || (server.get(&path).status == 503).then_some(()));
    // Other requests are answered meanwhile.
    server.job(small);
    server.run(&echo(2));
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < 200 << 20, "{} MB", grown >> 20);
    // Nobody closes a connection, and yet there is room again.
    while server.get(&path).status != 200 {
        assert!(started.elapsed() < Duration::from_secs(300), "the answers do not end");
        std::thread::sleep(Duration::from_millis(100));
    }
    let refused = unread.split_off(50);
    for mut connection in refused {
        // What was refused is a complete answer.
        connection.answer().unwrap().problem(503);
    }
}

#[test]
fn a_large_answer_is_complete_and_its_connection_is_kept() {
    let server = Server::start();
    let job = server.run(&large_job(900_000));
    let id = job["id"].as_i64().unwrap();
    let mut connection = server.connect();
    for _ in 0..3 {
        let answer = connection.request("GET", &format!("/v1/jobs/{id}"), &[], b"").unwrap();
        assert_eq!(answer.expect(200)["result"], job["payload"]);
    }
    let list = connection.request("GET", "/v1/jobs?include=payload,result", &[], b"").unwrap();
    assert_eq!(list.expect(200)["jobs"][0]["payload"], job["payload"]);
}

#[test]
fn a_large_event_arrives_whole() {
    let server = Server::start();
    let job = server.run(&large_job(900_000));
    let mut connection = server.connect();
    let path = format!("/v1/jobs/{}/events", job["id"]);
    assert_eq!(connection.request("GET", &path, &[], b"").unwrap().status, 200);
    let mut text = Vec::new();
    while !text.ends_with(b"}\n\n") {
        text.extend(connection.chunk().unwrap().expect("the stream has the last state"));
    }
    let text = String::from_utf8(text).unwrap();
    let data = text.rsplit_once("data: ").unwrap().1;
    let state: Value = serde_json::from_str(data.trim_end()).unwrap();
    assert_eq!(state["result"], job["payload"]);
}

#[test]
fn events_that_nobody_reads_are_bounded() {
    let server = Setup::new().config("limits.max_answer_bytes_in_flight = 33554432").start();
    let id = server.run(&large_job(4_000_000))["id"].as_i64().unwrap();
    let before = memory(&server);
    let unread = ask_without_reading(&server, &format!("/v1/jobs/{id}/events"), 60);
    eventually("the budget is used up", || {
        (server.get(&format!("/v1/jobs/{id}")).status == 503).then_some(())
    });
    let grown = memory(&server).saturating_sub(before);
    assert!(grown < 300 << 20, "{} MB", grown >> 20);
    drop(unread);
    eventually("the budget is free", || {
        (server.get(&format!("/v1/jobs/{id}")).status == 200).then_some(())
    });
}

#[test]
fn pages_fold_large_and_deep_values() {
    let server = Server::start();
    let payloads = [
        nested(119, 1_900_000),
        nested(119, 30_000),
        format!("\"{}\"", "\\\"".repeat(1_000_000)),
        format!("{{{}\"z\":1}}", (0..100_000).map(|n| format!("\"k{n}\":1,")).collect::<String>()),
    ];
    for payload in payloads {
        let body = format!("{{\"kind\":\"echo\",\"delay\":\"1h\",\"payload\":{payload}}}");
        let headers = [("content-type", "application/json")];
        let answer = server.request("POST", "/v1/jobs", &headers, body.as_bytes());
        let id = answer.expect(202)["id"].clone();
        for path in [format!("/jobs/{id}"), format!("/submit?from={id}")] {
            let page = server.request("GET", &path, &[("accept", "text/html")], b"");
            assert_eq!(page.status, 200, "{path}");
            assert!(page.body.len() < 1 << 20, "{path}: {} bytes", page.body.len());
            let text = String::from_utf8(page.body).unwrap();
            let raw = format!("href=\"/v1/jobs/{id}\"");
            assert!(payload.len() <= 64 << 10 || text.contains(&raw), "{path}");
        }
    }
}
