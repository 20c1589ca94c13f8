//! Large answers that are never read, and pages of large jobs.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::json;

use super::attack::Attack;
use crate::kit::hostile::nested;
use crate::kit::{Connection, Server, echo, with};

/// Number of connections with unread answers.
const CONNECTIONS: usize = 60;
/// Requests on each connection. Several, because the system buffers the answer to a single one.
const REQUESTS: usize = 4;
/// Time after which a connection is replaced; by then the server has given it up.
const MAX_AGE: Duration = Duration::from_secs(45);

/// Jobs whose answers are large.
pub(super) struct LargeJobs {
    /// A job with a payload of 4 MB and a result of 1 MiB.
    flat: i64,
    /// A job that waits, whose payload is 120 lists, one in the other.
    nested: i64,
}

impl LargeJobs {
    pub(super) fn submit(server: &Server) -> Self {
        let flat = with(echo("x".repeat(4_000_000)), &json!({"truncate_result": true}));
        let flat = server.run(&flat)["id"].as_i64().unwrap();
        let payload = nested(119, 1_900_000);
        let body = format!("{{\"kind\":\"echo\",\"delay\":\"24h\",\"payload\":{payload}}}");
        let headers = [("content-type", "application/json")];
        let nested = server.request("POST", "/v1/jobs", &headers, body.as_bytes()).expect(202);
        Self { flat, nested: nested["id"].as_i64().unwrap() }
    }
}

/// Asks for large answers without reading them until the attacks are over.
pub(super) fn keep(attack: &Attack, jobs: &LargeJobs) {
    let paths = [
        format!("/v1/jobs/{}", jobs.flat),
        format!("/submit?from={}", jobs.nested),
        format!("/v1/jobs/{}/events", jobs.flat),
    ];
    let requests = paths.map(|path| {
        format!("GET {path} HTTP/1.1\r\nhost: {}\r\n\r\n", attack.addr).repeat(REQUESTS)
    });
    let mut unread: VecDeque<(Instant, Connection)> = VecDeque::new();
    for request in requests.iter().cycle() {
        if attack.is_over() {
            return;
        }
        while unread.front().is_some_and(|(opened, _)| opened.elapsed() > MAX_AGE) {
            unread.pop_front();
        }
        let room = unread.len() < CONNECTIONS;
        if let Some(mut connection) = room.then(|| Connection::open(attack.addr).ok()).flatten() {
            // The server may refuse the connection.
            if connection.send(request).is_ok() {
                attack.count("answers unread");
                unread.push_back((Instant::now(), connection));
            }
        }
        attack.pause(Duration::from_millis(100));
    }
}

/// Reads the page of a job with a large payload until the attacks are over.
pub(super) fn read_pages(attack: &Attack, jobs: &LargeJobs) {
    for path in
        [format!("/submit?from={}", jobs.nested), format!("/jobs/{}", jobs.nested)].iter().cycle()
    {
        if attack.is_over() {
            return;
        }
        if let Some(page) = attack.try_request("GET", path, b"") {
            assert!(page.status == 200 && page.body.len() < 1 << 20, "{path}: {}", page.status);
            attack.count("pages read");
        }
        attack.pause(Duration::from_millis(200));
    }
}
