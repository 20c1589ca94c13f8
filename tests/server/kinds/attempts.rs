//! What a job's `attempts` show about its calls and programs, and the pauses between attempts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{http, with_commands};
use crate::kit::http::Target;
use crate::kit::{Server, Setup, with};

/// Runs one job of three attempts for each header line, against a server that refuses every call
/// with it. Returns the times of the calls by header line.
fn call_times(headers: &[&'static str], backoff: &Value) -> HashMap<&'static str, Vec<Instant>> {
    let server = Server::start();
    let times: Arc<Mutex<HashMap<_, Vec<Instant>>>> = Arc::default();
    let (seen, lines) = (Arc::clone(&times), headers.to_vec());
    let target = Target::start(move |caller, request| {
        let line = lines[request.path[1..].parse::<usize>().unwrap()];
        seen.lock().unwrap().entry(line).or_default().push(Instant::now());
        let status = if request.path.len() % 2 == 0 { "429 Too Many Requests" } else { "503 Busy" };
        caller.answer(status, &format!("{line}\r\n"), "busy");
    });
    let submit = |index| {
        let job = http(&target.url(&format!("/{index}")));
        server.submit(&with(job, &json!({"max_attempts": 3, "backoff": backoff})))
    };
    let ids: Vec<i64> = (0..headers.len()).map(submit).collect();
    for id in ids {
        let job = server.wait_until_final(id);
        assert_eq!((&job["state"], &job["attempt"]), (&json!("failed"), &json!(3)), "{job}");
    }
    let times = times.lock().unwrap();
    times.clone()
}

fn shortest_pause(times: &[Instant]) -> Duration {
    assert_eq!(times.len(), 3);
    times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap()
}

#[test]
fn a_server_cannot_shorten_the_pause_between_attempts() {
    let headers = [
        "a: b",
        "retry-after: 0",
        "retry-after: 0.001",
        "retry-after: -5",
        "retry-after: soon",
        "retry-after: Sun, 06 Nov 1994 08:49:37 GMT",
        "retry-after-ms: 0",
        "retry-after-ms: -5",
        "retry-after-ms: 1",
    ];
    let backoff = json!({"initial": "150ms", "factor": 1, "jitter": 0});
    for (header, times) in call_times(&headers, &backoff) {
        let pause = shortest_pause(&times);
        assert!(pause >= Duration::from_millis(149), "{header}: {pause:?}");
    }
}

#[test]
fn a_server_can_lengthen_the_pause_up_to_the_limit() {
    // Each job would take at least an hour without the limit.
    let headers = [
        "retry-after: 86400",
        "retry-after: 99999999999999999999999",
        "retry-after: Fri, 31 Dec 9999 23:59:59 GMT",
        "retry-after-ms: 3600000",
        "retry-after-ms: 1e300",
    ];
    let backoff = json!({"initial": "1ms", "max_retry_after": "200ms"});
    for (header, times) in call_times(&headers, &backoff) {
        let pause = shortest_pause(&times);
        assert!(pause >= Duration::from_millis(199), "{header}: {pause:?}");
    }
}

#[test]
fn a_refused_call_shows_the_whole_answer_in_its_attempt() {
    let server = Server::start();
    let target = Target::start(|caller, _| {
        let headers = "x-request-id: r-1\r\ncontent-type: application/json\r\n";
        caller.answer("404 Not Found", headers, &json!({"why": "x".repeat(5_000)}).to_string());
    });
    let job = server.run(&http(&target.url("/")));
    let attempt = &job["attempts"][0];
    assert_eq!((&attempt["state"], &attempt["code"]), (&json!("failed"), &json!("http_status")));
    assert_eq!(
        (&attempt["response"]["status"], &attempt["request_id"]),
        (&json!(404), &json!("r-1"))
    );
    assert_eq!(attempt["response"]["headers"]["content-type"], "application/json");
    let body: Value = serde_json::from_str(attempt["response"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["why"].as_str().unwrap().len(), 5_000);
    assert!(job["error"]["message"].as_str().unwrap().len() < 500, "{job}");
}

#[test]
fn a_failed_program_shows_its_output_in_its_attempt() {
    let server = with_commands(&[
        ("fail", "echo why; echo GIVEN >&2; exit 1"),
        ("slow", "echo so far; echo waiting >&2; exec sleep 600"),
    ]);
    let run = |name: &str, extra: Value| {
        let job = json!({"kind": "command", "payload": {"name": name}, "max_attempts": 1});
        server.run(&with(job, &extra))
    };
    let failed = run("fail", json!({}));
    let exit = &failed["attempts"][0]["exit"];
    let expected = json!({"status": 1, "signal": null, "stdout": "why\n", "stderr": "GIVEN\n"});
    assert_eq!(exit, &expected, "{failed}");

    let late = run("slow", json!({"timeout": "300ms"}));
    assert_eq!(late["attempts"][0]["code"], "timeout", "{late}");
    assert_eq!(late["attempts"][0]["exit"]["stdout"], "so far\n", "{late}");

    let job = json!({"kind": "command", "payload": {"name": "slow"}});
    let id = server.submit(&job);
    // The program has written both lines when the second one is in the log.
    let log = format!("/v1/jobs/{id}/log");
    while !server.get(&log).expect(200)["text"].as_str().unwrap().contains("waiting") {}
    server.post_empty(&format!("/v1/jobs/{id}/cancel"));
    let cancelled = server.wait_until_final(id);
    let attempt = &cancelled["attempts"][0];
    assert_eq!(attempt["state"], "cancelled", "{cancelled}");
    assert_eq!(attempt["exit"]["stdout"], "so far\n", "{cancelled}");
    assert_eq!(attempt["exit"]["signal"], 15, "{cancelled}");
}

#[test]
fn a_completed_model_call_shows_the_id_of_the_provider() {
    let target = Target::start(|caller, _| {
        caller.answer("200 OK", "x-request-id: req-7\r\n", r#"{"choices": [{}]}"#);
    });
    let config = format!("[providers.one]\nbase_url = {:?}", target.url("/v1"));
    let server = Setup::new().config(config).start();
    let messages = json!([{"role": "user", "content": "x"}]);
    let job = server.run(&json!({"kind": "chat", "payload": {"messages": messages}}));
    assert_eq!(job["state"], "completed", "{job}");
    let attempt = &job["attempts"][0];
    assert_eq!((&attempt["state"], &attempt["request_id"]), (&json!("completed"), &json!("req-7")));
    assert_eq!(attempt["response"]["status"], 200);
    assert_eq!(attempt["response"].get("body"), None);
}
