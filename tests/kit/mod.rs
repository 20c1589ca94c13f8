//! What the tests of the real process share: the process, a client of plain sockets, servers to
//! call. Each target that starts it takes this in with `#[path]`.

#![allow(dead_code, unused_imports, reason = "each target uses a part of it")]

pub(crate) mod demo;
pub(crate) mod embedded;
pub(crate) mod events;
pub(crate) mod http;
pub(crate) mod model;
pub(crate) mod process;
pub(crate) mod target;

use std::io::Write;
use std::time::{Duration, Instant};

pub(crate) use events::{Event, Events};
pub(crate) use http::{Connection, Response};
pub(crate) use process::{Server, Setup};
use serde_json::{Value, json};

/// A time that nothing here takes; past it a test fails.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// Looks again and again until there is something to see.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    while began.elapsed() < LONG {
        if let Some(seen) = look() {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("in {} s this did not come about: {what}", LONG.as_secs());
}

/// Leaves the test out that calls this, as it cannot be run here. Where every test must run it has
/// failed; else a line in the file that `SKIPPED_TESTS` names has it counted.
pub(crate) fn skip(why: &str) {
    assert!(std::env::var_os("CI").is_none(), "this test must run: {why}");
    let thread = std::thread::current();
    let line = format!("SKIPPED: {}: {why}\n", thread.name().unwrap_or_default());
    eprint!("{line}");
    if let Some(path) = std::env::var_os("SKIPPED_TESTS") {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
        file.write_all(line.as_bytes()).unwrap();
    }
}

/// A job that sleeps.
pub(crate) fn sleep(duration: &str) -> Value {
    json!({"kind": "sleep", "payload": {"duration": duration}})
}

/// A job that gives its payload back.
pub(crate) fn echo(payload: impl Into<Value>) -> Value {
    json!({"kind": "echo", "payload": payload.into()})
}

/// The same job with more fields, or other values of those it has.
pub(crate) fn with(mut job: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        job[name] = value.clone();
    }
    job
}

/// The places that an answer names as wrong.
pub(crate) fn pointers(response: &Response) -> Vec<String> {
    let errors = response.json()["errors"].clone();
    let errors = errors.as_array().cloned().unwrap_or_default();
    errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
}
