//! History of the requests and answers of all clients and workers: an append-only file of JSON lines
//! on a disk that is not broken.
//!
//! One line is written before each request is sent and one after its answer has arrived, so that the
//! order of the lines is an order in time. If no answer arrives, or the answer is a 5xx, the request
//! ends as [`Event::Unknown`], because it may have had its effect. Several processes may write to one
//! file; each line is written by a single write.

mod broken;
pub(crate) mod check;
mod follow_ups;
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

use crate::kit::{Response, Server};

/// Hash by which results are compared.
pub(crate) type Hash = String;

/// Returns the hash of a JSON value, which does not depend on how its text is formatted.
pub(crate) fn hash(value: &Value) -> Hash {
    let digest = Sha256::digest(value.to_string());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// One line of the history. A request and its answer have the same `call`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// Request: a submission. Its job has its tag. Another submission has the same tag only if it is
    /// a repetition with the same idempotency key.
    Submit(Submit),
    /// Answer: the job is accepted.
    Submitted { call: u64, job: i64 },
    /// Request: a lease request of a worker.
    Lease { call: u64, worker: String },
    /// Answer: the granted leases, possibly none.
    Leased { call: u64, leases: Vec<HeldLease> },
    /// A worker starts the job of a lease.
    Start { job: i64, token: i64, worker: String },
    /// A job had its effect. The event has the token of its lease or the number of its attempt.
    Effect { job: i64, token: Option<i64>, attempt: Option<i64> },
    /// Request: a finish. `result` is the hash of the result if the action is `complete`.
    Finish { call: u64, job: i64, token: i64, action: String, result: Option<Hash> },
    /// Answer: the finish is stored. `is_repeated` is true if it was stored before.
    Finished { call: u64, is_repeated: bool },
    /// Request: a cancellation.
    Cancel { call: u64, job: i64 },
    /// Answer: the state of the job after the cancellation.
    Cancelled { call: u64, state: String },
    /// Request: a read of a job.
    Read { call: u64, job: i64 },
    /// Answer: the state of the job.
    Seen { call: u64, state: String },
    /// Answer: a 4xx. The request had no effect.
    Refused { call: u64, status: u16 },
    /// No answer, or a 5xx. The request may have had its effect.
    Unknown { call: u64, why: String },
    /// A fault was injected.
    Fault { what: String },
}

/// Submission and the expected properties of its job.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Submit {
    pub(crate) call: u64,
    pub(crate) tag: String,
    pub(crate) key: Option<String>,
    pub(crate) at_most_once: bool,
    /// Whether the job has an effect that is recorded.
    pub(crate) has_effect: bool,
    /// Hash of the result, if it is known in advance.
    pub(crate) result: Option<Hash>,
    /// Tag of its follow-up job, which has the same result, if it has one.
    #[serde(default)]
    pub(crate) follow_up: Option<String>,
}

/// Lease that was granted to a worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct HeldLease {
    pub(crate) job: i64,
    pub(crate) token: i64,
}

/// Writer of a history. Clones write to the same file.
#[derive(Clone)]
pub(crate) struct Recorder {
    file: Arc<File>,
    path: Arc<PathBuf>,
    calls: Arc<AtomicU64>,
}

impl Recorder {
    /// Creates the file and starts a history in it.
    pub(crate) fn create(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).create_new(true).open(path).unwrap();
        Self { file: Arc::new(file), path: Arc::new(path.to_owned()), calls: Arc::default() }
    }

    /// Returns the path of the history, for other processes that write to it.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns a new number for a request that is about to be sent.
    pub(crate) fn call(&self) -> u64 {
        self.calls.fetch_add(1, Ordering::SeqCst)
    }

    /// Appends an event.
    pub(crate) fn record(&self, event: &Event) {
        let mut line = serde_json::to_string(event).unwrap();
        line.push('\n');
        // A single write, so that lines do not mix.
        (&*self.file).write_all(line.as_bytes()).unwrap();
    }

    /// Submits a job, and records the request and its answer. Returns the id of the job.
    pub(crate) fn submit(&self, server: &Server, job: &Value, submit: Submit) -> i64 {
        let call = self.call();
        self.record(&Event::Submit(Submit { call, ..submit }));
        let job = server.submit(job);
        self.record(&Event::Submitted { call, job });
        job
    }

    /// Records the answer to a request. `accepted` makes the event for an answer that is a 2xx.
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

    /// Reads all events that have been written so far.
    pub(crate) fn events(&self) -> Vec<Event> {
        read(&std::fs::read_to_string(&*self.path).unwrap())
    }
}

/// Reads a history. An incomplete last line is ignored, because its writer was killed.
pub(crate) fn read(text: &str) -> Vec<Event> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let event = |line: &str| {
        serde_json::from_str(line).unwrap_or_else(|error| panic!("not an event, {error}: {line}"))
    };
    whole.lines().map(event).collect()
}
