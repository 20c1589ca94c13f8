//! Jobs whose programs and upstreams never pause.

use std::time::Duration;

use serde_json::{Value, json};

use super::attack::Attack;
use crate::kit::http::Target;
use crate::kit::{between, is_final};

/// Timeout of each attempt.
const TIMEOUT: Duration = Duration::from_secs(2);
/// Number of jobs that are submitted at once.
const AT_ONCE: usize = 2;

/// Runs programs that flood their log until the attacks are over.
pub(super) fn run_programs(attack: &Attack) {
    let job = job("command", &json!({"name": "flood"}));
    while !attack.is_over() {
        for job in run(attack, &job) {
            assert_eq!(job["error"]["code"], "timeout", "{job}");
            attack.stopped("programs stopped", late(&job));
        }
    }
}

/// Calls servers that answer without end until the attacks are over.
pub(super) fn call_upstreams(attack: &Attack) {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let last_chunk = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";
    let upstreams = [
        Target::endless("", "HTTP/1.1 100 Continue\r\n\r\n"),
        Target::endless(chunked, "1;a=b"),
        Target::endless(last_chunk, "name: value\r\n"),
    ];
    for upstream in upstreams.iter().cycle() {
        if attack.is_over() {
            return;
        }
        let job = job("http", &json!({"url": upstream.url("/")}));
        for job in run(attack, &job) {
            let code = &job["error"]["code"];
            assert!(code == "connection" || code == "timeout", "{job}");
            attack.stopped("calls stopped", late(&job));
        }
    }
}

/// Returns the time from the deadline of a job to its end.
fn late(job: &Value) -> Duration {
    between(&job["started_at"], &job["finished_at"]).saturating_sub(TIMEOUT)
}

fn job(kind: &str, payload: &Value) -> Value {
    json!({"kind": kind, "payload": payload, "queue": "floods", "timeout": "2s", "max_attempts": 1})
}

/// Runs some jobs at once, and returns them when they have ended.
fn run(attack: &Attack, job: &Value) -> [Value; AT_ONCE] {
    let ids: [Value; AT_ONCE] = std::array::from_fn(|_| attack.submit(job));
    ids.map(|id| {
        loop {
            let job = attack.request("GET", &format!("/v1/jobs/{id}?wait=30s"), b"").expect(200);
            if is_final(&job) {
                return job;
            }
        }
    })
}
