//! What clients did and what they were told: an append-only file of JSON lines on a healthy disk.
//!
//! A line is written before a request is sent, and one after its answer came, so that the order of
//! the lines is an order in time. An answer that did not come, or that is a 5xx, leaves the request
//! [`Event::Unknown`]: it is never taken for one that had no effect. Several processes may write to
//! one file, each line in one write.

mod broken;
pub(crate) mod check;
mod leases;
pub(crate) mod table;
pub(crate) mod violation;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::kit::Response;

/// What a result or a payload is compared by.
pub(crate) type Hash = String;

/// The hash of a value, however its text is written.
pub(crate) fn hash(value: &Value) -> Hash {
    let digest = Sha256::digest(value.to_string());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// A line. Those with a `call` belong together: what was sent, and what came of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// Sent: a submission. Its tag is on the job, and on no other but with the same key.
    Submit(Submit),
    /// Answered: the job is accepted.
    Submitted { call: u64, job: i64 },
    /// Sent: a request for leases.
    Lease { call: u64, worker: String },
    /// Answered: the leases that it brought, which may be none.
    Leased { call: u64, leases: Vec<Held> },
    /// A worker begins with a lease.
    Start { job: i64, token: i64, worker: String },
    /// A job has changed the world: known by its lease, or by the number of its attempt.
    Effect { job: i64, token: Option<i64>, attempt: Option<i64> },
    /// Sent: the outcome of a lease. `result` is the hash of what completes it.
    Finish { call: u64, job: i64, token: i64, action: String, result: Option<Hash> },
    /// Answered: it is kept; `is_repeated` says that it was before.
    Finished { call: u64, is_repeated: bool },
    /// Sent: a cancellation.
    Cancel { call: u64, job: i64 },
    /// Answered: the job's state by then.
    Cancelled { call: u64, state: String },
    /// Sent: a question for a job.
    Read { call: u64, job: i64 },
    /// Answered: its state.
    Seen { call: u64, state: String },
    /// Answered: a 4xx, the request had no effect.
    Refused { call: u64, status: u16 },
    /// No answer, or a 5xx.
    Unknown { call: u64, why: String },
    /// Something was broken.
    Fault { what: String },
}

/// A submission and what is to be expected of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submit {
    pub(crate) call: u64,
    pub(crate) tag: String,
    pub(crate) key: Option<String>,
    pub(crate) at_most_once: bool,
    /// It has an effect that is recorded.
    pub(crate) has_effect: bool,
    /// The hash of its result, where that is known beforehand.
    pub(crate) result: Option<Hash>,
}

/// A lease as its worker got it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Held {
    pub(crate) job: i64,
    pub(crate) token: i64,
}

/// Writes a history. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct Recorder {
    file: Arc<File>,
    path: Arc<PathBuf>,
    calls: Arc<AtomicU64>,
}

impl Recorder {
    /// Begins a history in this file.
    pub(crate) fn create(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).create_new(true).open(path).unwrap();
        Self { file: Arc::new(file), path: Arc::new(path.to_owned()), calls: Arc::default() }
    }

    /// Where the history is, for other processes that write to it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The number of a request that is about to be sent.
    pub(crate) fn call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::SeqCst)
    }

    /// Writes a line.
    pub(crate) fn record(&self, event: &Event) {
        let mut line = serde_json::to_string(event).unwrap();
        line.push('\n');
        // One write, so that lines do not mix.
        (&*self.file).write_all(line.as_bytes()).unwrap();
    }

    /// Writes what came of a request: `accepted` reads an answer that is a 2xx.
    pub(crate) fn answer(
        &self,
        call: u64,
        answer: &std::io::Result<Response>,
        accepted: impl FnOnce(&Value) -> Event,
    ) {
        self.record(&match answer {
            Ok(answer) if answer.status < 300 => accepted(&answer.json()),
            Ok(answer) if (400..500).contains(&answer.status) => {
                Event::Refused { call, status: answer.status }
            }
            Ok(answer) => Event::Unknown { call, why: answer.status.to_string() },
            Err(error) => Event::Unknown { call, why: error.kind().to_string() },
        });
    }

    /// What has been written so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        read(&std::fs::read_to_string(&*self.path).unwrap())
    }
}

/// Reads a history. A last line that is torn is left out: its writer was killed.
pub(crate) fn read(text: &str) -> Vec<Event> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let event = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("no event, {error}: {line}"))
    };
    whole.lines().map(event).collect()
}
