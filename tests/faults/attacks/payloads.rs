//! A paused queue with large payloads, which is resumed again and again.

use std::time::Duration;

use serde_json::json;

use super::attack::Attack;
use crate::kit::{echo, with};

/// Number of jobs before the queue is resumed. Together they exceed `max_running_bytes`.
const JOBS: usize = 24;

/// Fills and drains the queue until the attacks are over.
pub(super) fn run(attack: &Attack) {
    let fields = json!({"queue": "large", "truncate_result": true, "max_attempts": 1});
    let job = with(echo("x".repeat(4_000_000)), &fields);
    while !attack.is_over() {
        set_paused(attack, true);
        let mut ids = Vec::new();
        while ids.len() < JOBS && !attack.is_over() {
            ids.push(attack.submit(&job));
        }
        set_paused(attack, false);
        wait_until_drained(attack);
        // Only a job that has ended can be deleted.
        for id in ids {
            let answer = attack.request("DELETE", &format!("/v1/jobs/{id}"), b"");
            assert_eq!(answer.status, 204, "job {id} was lost: {answer:?}");
            attack.count("large jobs run");
        }
    }
}

fn set_paused(attack: &Attack, paused: bool) {
    let body = json!({ "paused": paused }).to_string();
    attack.request("PATCH", "/v1/queues/large", body.as_bytes()).expect(200);
}

fn wait_until_drained(attack: &Attack) {
    for _ in 0..1_200 {
        let jobs = attack.request("GET", "/v1/queues/large", b"").expect(200)["jobs"].clone();
        if ["queued", "running", "retrying"].iter().all(|state| jobs[*state] == 0) {
            assert_eq!(jobs["failed"], 0, "{jobs}");
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("the queue of large payloads is not drained");
}
