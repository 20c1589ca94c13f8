//! Answers that clients do not read, and answers to large jobs.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::hostile::nested;
use crate::kit::leases::{lease, remote};
use crate::kit::usage::memory;
use crate::kit::{Connection, Server, Setup, echo, eventually, with};

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
    // An answer that was not read has ended. Each other one was refused, and is complete. Any of the requests can have
    // had room, since the reads above return theirs.
    let answers = unread.iter_mut().filter_map(|connection| connection.answer().ok());
    let refused = answers.filter(|answer| answer.status != 200).map(|answer| answer.problem(503));
    assert!(refused.count() >= 80);
}

/// Sends a request with a JSON body, and reads no answer.
fn post_without_reading(server: &Server, path: &str, body: &Value) -> Connection {
    let (mut connection, host, body) = (server.connect(), server.addr(), body.to_string());
    let head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json");
    let length = body.len();
    connection.send(format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}")).unwrap();
    connection
}

#[test]
fn unread_answers_to_submissions_leave_room_for_leases_pages_and_small_answers() {
    let server = Setup::new().config("limits.max_answer_bytes_in_flight = 8388608").start();
    let small: Vec<Value> = (0..50).map(remote).collect();
    server.post("/v1/jobs", &json!(small)).expect(202);
    let large = remote("x".repeat(3_000_000));
    let list = json!([large, large]);
    let mut unread: Vec<Connection> =
        (0..6).map(|_| post_without_reading(&server, "/v1/jobs", &list)).collect();
    let mut stored = 50;
    eventually("large submissions are refused", || {
        let is_refused = server.post("/v1/jobs", &large).status == 503;
        stored += usize::from(!is_refused);
        is_refused.then_some(())
    });
    for _ in 0..2 {
        assert_eq!(lease(&server, 1, &json!({"queues": ["default"]})).len(), 1);
        server.submit(&echo("x".repeat(60_000)));
        for path in ["/v1/jobs?limit=50", "/", "/jobs"] {
            assert_eq!(server.get(path).status, 200, "{path}");
        }
    }
    // Room is reserved before the jobs are stored. An answer may have ended, because it was not read.
    let answers = unread.iter_mut().map(|connection| connection.answer().ok());
    let refused = answers.flatten().filter(|answer| answer.status == 503).count();
    assert!((1..6).contains(&refused), "{refused} were refused");
    stored += 2 * (6 - refused);
    let page = server.get("/v1/jobs?kind=resize&limit=200").expect(200);
    assert_eq!(page["jobs"].as_array().unwrap().len(), stored);
}

#[test]
fn jobs_whose_answer_has_no_room_are_released_and_small_ones_are_leased_meanwhile() {
    let server = Setup::new().config("limits.max_answer_bytes_in_flight = 4194304").start();
    let large = with(remote("x".repeat(3_000_000)), &json!({"queue": "large"}));
    // The answer to one submission may still be counted while the next one arrives.
    let submit = || {
        let answer = server.post("/v1/jobs", &large);
        (answer.status == 202).then(|| answer.json()["id"].as_i64().unwrap())
    };
    let ids: Vec<i64> = (0..6).map(|_| eventually("there is room", submit)).collect();
    let call = json!({"queues": ["large"], "limit": 1});
    // One uses the share of workers, and one the bound.
    let unread = [(); 2].map(|()| post_without_reading(&server, "/v1/leases", &call));
    // A read of a large job in between could take the room of the second one.
    eventually("both are leased", || (server.queue("large")["jobs"]["running"] == 2).then_some(()));
    eventually("large answers are refused", || {
        (server.get(&format!("/v1/jobs/{}", ids[0])).status == 503).then_some(())
    });
    for _ in 0..4 {
        let refused = server.post("/v1/leases", &call);
        refused.problem(503);
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    eventually("the refused jobs are queued", || {
        (server.queue("large")["jobs"]["queued"] == 4).then_some(())
    });
    server.submit(&remote(1));
    assert_eq!(lease(&server, 1, &json!({"queues": ["default"]})).len(), 1);
    // A change is answered without the payload that has no room.
    let cancelled = server.post_empty(&format!("/v1/jobs/{}/cancel", ids[5])).expect(200);
    assert_eq!((&cancelled["state"], cancelled.get("payload")), (&json!("cancelled"), None));
    for mut connection in unread {
        let answer = connection.answer().unwrap().expect(200);
        assert_eq!(answer["jobs"][0]["payload"], large["payload"]);
    }
    eventually("there is room for the payload", || {
        let again = server.post_empty(&format!("/v1/jobs/{}/cancel", ids[5])).expect(200);
        (again["payload"] == large["payload"]).then_some(())
    });
}

#[test]
fn an_answer_that_is_read_too_slowly_ends() {
    let server = Setup::new().config("limits.max_answer_bytes_in_flight = 4194304").start();
    let job = with(echo("x".repeat(4_000_000)), &json!({"delay": "1h"}));
    let path = format!("/v1/jobs/{}", server.submit(&job));
    let request = format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", server.addr());
    let mut slow = TcpStream::connect(server.addr()).unwrap();
    slow.write_all(request.as_bytes()).unwrap();
    let started = Instant::now();
    // Its answer has the room before the next client asks.
    let mut start = [0; 12];
    slow.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200");
    slow.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    eventually("the answer waits", || (server.get(&path).status == 503).then_some(()));
    while server.get(&path).status != 200 {
        assert!(started.elapsed() < Duration::from_secs(150), "the answer does not end");
        // 10 kB in a second.
        let _ = slow.read(&mut [0; 5_000]);
        std::thread::sleep(Duration::from_millis(500));
    }
    assert!(started.elapsed() > Duration::from_secs(5), "{:?}", started.elapsed());
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
