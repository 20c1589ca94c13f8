//! The built-in kinds, each from submission to final state.

mod attempts;
mod chat;
mod outbound;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;

use serde_json::{Value, json};

use crate::kit::between;
use crate::kit::http::Target;
use crate::kit::{Server, Setup, TEST_TIMEOUT, sleep, with};

fn http(url: &str) -> Value {
    json!({"kind": "http", "payload": {"url": url}})
}

#[test]
fn an_http_job_stores_the_response_and_sends_its_id_and_attempt() {
    let server = Server::start();
    let (sender, requests) = mpsc::channel();
    let target = Target::start(move |caller, request| {
        sender.send(request).unwrap();
        caller.answer(
            "201 Created",
            "content-type: application/json\r\nx-a: b\r\n",
            "{\"ok\":true}",
        );
    });
    let payload = json!({"url": target.url("/hook?a=b"), "method": "PUT", "headers": {"X-Own": "1"}, "body": {"n": 1}});
    let job = server.run(&json!({"kind": "http", "payload": payload}));
    assert_eq!((&job["state"], &job["lane"]), (&json!("completed"), &json!("async")), "{job}");
    assert_eq!(job["result"]["status"], 201);
    assert_eq!(job["result"]["headers"]["x-a"], "b");
    assert_eq!(job["result"]["body"], json!({"ok": true}));
    let request = requests.recv_timeout(TEST_TIMEOUT).unwrap();
    assert_eq!((&*request.method, &*request.path), ("PUT", "/hook?a=b"));
    assert_eq!(request.body, b"{\"n\":1}");
    assert_eq!(request.header("x-own"), Some("1"));
    assert_eq!(request.header("longshore-job"), Some("1"));
    assert_eq!(request.header("longshore-attempt"), Some("1"));
}

#[test]
fn an_http_call_is_retried_after_the_time_in_retry_after() {
    let server = Server::start();
    let calls = AtomicU32::new(0);
    let target = Target::start(move |caller, _| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => caller.answer("429 Too Many Requests", "retry-after: 1\r\n", ""),
        _ => caller.answer("200 OK", "", "done"),
    });
    let job = with(http(&target.url("/")), &json!({"backoff": {"initial": "10ms"}}));
    let job = server.run(&job);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(2)), "{job}");
    let failures = job["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!((&failures[0]["attempt"], &failures[0]["code"]), (&json!(1), &json!("http_status")));
    let pause = between(&failures[0]["at"], &job["started_at"]);
    assert!(pause.as_millis() >= 1_000, "{pause:?}");
}

#[test]
fn a_call_that_always_fails_ends_after_max_attempts_with_all_its_failures() {
    let server = Server::start();
    let fast_retries = json!({"max_attempts": 3, "backoff": {"initial": "10ms", "max": "20ms"}});
    let job = server.run(&with(http("http://127.0.0.1:1/"), &fast_retries));
    assert_eq!((&job["state"], &job["attempt"]), (&json!("failed"), &json!(3)), "{job}");
    assert_eq!(job["failures"].as_array().unwrap().len(), 3);
    assert_eq!(job["error"]["code"], job["failures"][2]["code"]);
}

#[test]
fn a_failed_at_most_once_job_is_never_retried() {
    let server = Server::start();
    let (sender, calls) = mpsc::channel();
    let target = Target::start(move |caller, _| {
        sender.send(()).unwrap();
        caller.answer("503 Busy", "retry-after: 0\r\n", "");
    });
    let job = with(http(&target.url("/")), &json!({"at_most_once": true, "max_attempts": 9}));
    let job = server.run(&job);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("failed"), &json!(1)));
    server.post_empty("/v1/jobs/1/retry").problem(409);
    // A job of 300 ms gives a wrong retry the time to happen.
    server.run(&with(sleep("300ms"), &json!({})));
    assert_eq!((calls.try_recv(), calls.try_recv()), (Ok(()), Err(mpsc::TryRecvError::Empty)));
}

#[test]
fn an_attempt_that_times_out_is_stopped_and_its_connection_closed() {
    let server = Server::start();
    let (sender, closed) = mpsc::channel();
    let target = Target::start(move |caller, _| {
        caller.wait_until_closed();
        sender.send(()).unwrap();
    });
    let short = json!({"timeout": "200ms", "max_attempts": 1});
    let job = server.run(&with(http(&target.url("/")), &short));
    assert_eq!((&job["state"], &job["error"]["code"]), (&json!("failed"), &json!("timeout")));
    closed.recv_timeout(TEST_TIMEOUT).unwrap();
    let job = server.run(&with(sleep("1h"), &short));
    assert_eq!((&job["state"], &job["error"]["code"]), (&json!("failed"), &json!("timeout")));
}

/// Starts a server with commands, each a shell script by name.
fn with_commands(commands: &[(&str, &str)]) -> Server {
    let mut config = String::new();
    for (name, script) in commands {
        config.push_str(&format!("[commands.{name}]\nargv = ['/bin/sh', '-c', '''{script}''', 'sh']\nenv = {{ PATH = '/usr/bin:/bin', GIVEN = 'a' }}\n"));
    }
    Setup::new().env("NOT_GIVEN", "b").config(config).start()
}

#[test]
fn a_command_returns_its_output_and_gets_only_the_listed_environment() {
    let script = r#"printf '{"args": "%s", "stdin": "%s", "given": "%s", "not": "%s"}' "$*" "$(cat)" "$GIVEN" "$NOT_GIVEN""#;
    let server =
        with_commands(&[("show", script), ("text", "echo hello"), ("bytes", r"printf '\377\0'")]);
    let run = |payload: Value| server.run(&json!({"kind": "command", "payload": payload}));
    let job = run(json!({"name": "show", "args": ["$HOME", ";ls"], "stdin": "in"}));
    assert_eq!((&job["state"], &job["lane"]), (&json!("completed"), &json!("process")), "{job}");
    assert_eq!(job["result"], json!({"args": "$HOME ;ls", "stdin": "in", "given": "a", "not": ""}));
    assert_eq!(run(json!({"name": "text"}))["result"], "hello\n");
    assert_eq!(run(json!({"name": "bytes"}))["result"], json!({"base64": "/wA="}));
}

#[test]
fn the_error_of_a_failed_command_contains_its_status_and_stderr() {
    let server =
        with_commands(&[("fail", r"printf 'a\0b went wrong' >&2; exit 7"), ("kill", "kill -9 $$")]);
    let single_attempt =
        |name: &str| json!({"kind": "command", "payload": {"name": name}, "max_attempts": 1});
    let job = server.run(&single_attempt("fail"));
    assert_eq!((&job["state"], &job["error"]["code"]), (&json!("failed"), &json!("exit_status")));
    let message = job["error"]["message"].as_str().unwrap();
    assert!(message.contains("status 7") && message.contains("went wrong"), "{message}");
    assert_eq!(job["failures"][0]["message"], message);
    let job = server.run(&single_attempt("kill"));
    assert!(job["error"]["message"].as_str().unwrap().contains("signal 9"), "{job}");
}

#[test]
fn a_result_over_the_limit_fails_its_job_unless_the_job_allows_truncation() {
    let server = Setup::new().config("limits.max_result_bytes = 1000").start();
    let long = crate::kit::echo("ü".repeat(1_000));
    let job = server.run(&long);
    assert_eq!(
        (&job["state"], &job["attempt"], &job["error"]["code"], &job["result"]),
        (&json!("failed"), &json!(1), &json!("result_too_large"), &Value::Null),
        "{job}"
    );
    let kept = job["attempts"][0]["result"].as_str().unwrap();
    assert_eq!(kept.len(), 2_002, "small enough to be kept whole");
    let job = server.run(&with(long, &json!({"truncate_result": true})));
    assert_eq!(
        (&job["state"], &job["result_truncated"]),
        (&json!("completed"), &json!(true)),
        "{job}"
    );
    assert!(job["result"].as_str().unwrap().len() <= 1_000);
}

#[test]
fn the_kinds_are_listed_with_their_lanes() {
    let server = Setup::new().config("remote_kinds = ['resize']").start();
    let expected = [
        ("chat", "async"),
        ("command", "process"),
        ("echo", "async"),
        ("http", "async"),
        ("resize", "remote"),
        ("sleep", "async"),
    ];
    let expected = expected.map(|(kind, lane)| json!({"kind": kind, "lane": lane}));
    assert_eq!(server.get("/v1/kinds").expect(200), json!({"kinds": expected}));
    server.post("/v1/kinds", &json!({})).problem(405);
}
