//! Parts that tests and benchmarks share: the real server process, HTTP/1.1 on plain
//! sockets, and servers for jobs to call. Each test program and benchmark that uses them includes
//! this module with `#[path]`.

#![allow(dead_code, unused_imports, reason = "each program uses a part of it")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test fails by panicking, and prints why it is skipped"
)]

pub(crate) mod demo;
pub(crate) mod embedded;
pub(crate) mod events;
pub(crate) mod hostile;
pub(crate) mod http;
pub(crate) mod leases;
pub(crate) mod model;
pub(crate) mod proc;
pub(crate) mod process;
pub(crate) mod tls;
pub(crate) mod usage;
pub(crate) mod webhook;
pub(crate) mod wrapper;

use std::io::Write;
use std::time::{Duration, Instant};

pub(crate) use events::{Event, Events};
pub(crate) use http::{Connection, Response};
pub(crate) use process::Server;
pub(crate) use process::setup::Setup;
use serde_json::{Value, json};

/// Maximum time to wait for a condition. No condition in these tests takes as long on a working
/// server, so a test fails after it.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(30);

/// Calls `check` repeatedly until it returns a value, and returns that value.
///
/// Panics after [`TEST_TIMEOUT`] with `what`, a description of the condition.
pub(crate) fn eventually<T>(what: &str, mut check: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < TEST_TIMEOUT {
        if let Some(value) = check() {
            return value;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("this did not happen within {} s: {what}", TEST_TIMEOUT.as_secs());
}

/// Returns whether a job is final.
pub(crate) fn is_final(job: &Value) -> bool {
    matches!(job["state"].as_str(), Some("completed" | "failed" | "cancelled"))
}

/// Returns the duration between two times of job JSON, in RFC 3339.
pub(crate) fn between(from: &Value, to: &Value) -> Duration {
    let time = |value: &Value| -> longshore::job::Timestamp {
        value.as_str().unwrap_or_else(|| panic!("not a time: {value}")).parse().unwrap()
    };
    time(to).since(time(from))
}

/// Marks the calling test as skipped because it cannot run on this machine; the test must then return.
///
/// Prints a line, and appends it to the file that `SKIPPED_TESTS` names, where `tests/run` counts it.
/// Panics if the variable `CI` is set, because every test must run there.
pub(crate) fn skip(why: &str) {
    assert!(
        std::env::var_os("CI").is_none(),
        "this test must not be skipped when CI is set: {why}"
    );
    let thread = std::thread::current();
    let line = format!("SKIPPED: {}: {why}\n", thread.name().unwrap_or_default());
    eprint!("{line}");
    if let Some(path) = std::env::var_os("SKIPPED_TESTS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// Returns whether a program is installed.
pub(crate) fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Returns a job that sleeps.
pub(crate) fn sleep(duration: &str) -> Value {
    json!({"kind": "sleep", "payload": {"duration": duration}})
}

/// Returns a job whose result is its payload.
pub(crate) fn echo(payload: impl Into<Value>) -> Value {
    json!({"kind": "echo", "payload": payload.into()})
}

/// Returns the job with these fields added or replaced.
pub(crate) fn with(mut job: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        job[name] = value.clone();
    }
    job
}

/// Returns the JSON pointers of the errors in an answer.
pub(crate) fn pointers(response: &Response) -> Vec<String> {
    let errors = response.json()["errors"].clone();
    let errors = errors.as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}
