//! Invalid requests whose errors would be long, or expensive to make.

use std::time::Duration;

use super::attack::Attack;
use crate::kit::hostile::{MAX_ANSWER_BYTES, invalid_headers, odd_priority, unknown_parameters};

/// Sends invalid requests until the attacks are over.
pub(super) fn send(attack: &Attack) {
    let query = unknown_parameters(32_000);
    let requests = [
        ("POST", "/v1/jobs", odd_priority(4_000_000)),
        ("POST", "/v1/jobs", invalid_headers(250_000)),
        ("GET", &query, String::new()),
        ("POST", "/v1/jobs", format!("[{}]", vec!["{\"kind\":\"\"}"; 500_000].join(","))),
        ("POST", "/v1/jobs", format!("{{\"kind\":{}1", "[".repeat(5_000_000))),
    ];
    while !attack.is_over() {
        for (method, path, body) in &requests {
            if let Some(answer) = attack.try_request(method, path, body.as_bytes()) {
                let status = answer.status;
                assert!((400..500).contains(&status), "{:.40}: {status}", body);
                assert!(answer.body.len() <= MAX_ANSWER_BYTES, "{} bytes", answer.body.len());
                attack.count("bodies refused");
            }
            attack.pause(Duration::from_millis(100));
        }
    }
}
