//! Clients that submit jobs until they are stopped, and record the jobs that they have sent and
//! those that the server has accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::kit::{Connection, Server, TEST_TIMEOUT, echo, sleep, with};

/// Number of client threads.
const CLIENTS: usize = 4;

/// What the clients have recorded, shared by all of them.
#[derive(Default)]
struct Record {
    /// Names of jobs, added before the job is sent.
    sent: Mutex<BTreeSet<String>>,
    /// Names of jobs by id, added when the server has accepted the job.
    accepted: Mutex<BTreeMap<i64, String>>,
    /// Notified after each accepted job.
    has_grown: Condvar,
    is_stopped: AtomicBool,
}

/// Running client threads.
pub(super) struct Clients {
    record: Arc<Record>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    pub(super) fn start(server: &Server) -> Self {
        let record = Arc::new(Record::default());
        let threads = (0..CLIENTS).map(|number| {
            let (record, addr) = (Arc::clone(&record), server.addr());
            std::thread::spawn(move || work(number, addr, &record))
        });
        Self { threads: threads.collect(), record }
    }

    /// Waits until at least `count` jobs are accepted.
    pub(super) fn wait_until_accepted(&self, count: usize) {
        let accepted = self.record.accepted.lock().unwrap();
        let too_few = |accepted: &mut BTreeMap<i64, String>| accepted.len() < count;
        let waited = self.record.has_grown.wait_timeout_while(accepted, TEST_TIMEOUT, too_few);
        let (_guard, waited) = waited.unwrap();
        assert!(!waited.timed_out(), "{count} jobs were not accepted in time");
    }

    /// Returns the jobs accepted so far: their names by id.
    pub(super) fn accepted(&self) -> BTreeMap<i64, String> {
        self.record.accepted.lock().unwrap().clone()
    }

    /// Stops the clients and returns the names of all jobs that they have sent.
    pub(super) fn stop(self) -> BTreeSet<String> {
        self.record.is_stopped.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.record.sent.lock().unwrap().clone()
    }
}

/// Submits jobs one after another until the clients are stopped.
fn work(number: usize, addr: SocketAddr, record: &Record) {
    let mut connection = Connection::open(addr).unwrap();
    for round in 0.. {
        if record.is_stopped.load(Ordering::SeqCst) {
            return;
        }
        let name = format!("{number}-{round}");
        record.sent.lock().unwrap().insert(name.clone());
        let body = job(round, &name).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", name.as_str())];
        let answer = connection.request("POST", "/v1/jobs", &headers, body.as_bytes()).unwrap();
        if answer.status == 503 {
            continue;
        }
        let id = answer.expect(202)["id"].as_i64().unwrap();
        record.accepted.lock().unwrap().insert(id, name);
        record.has_grown.notify_all();
    }
}

/// Returns one of three sorts of job: one that runs for 20 ms, one that is delayed by 300 ms, or one
/// that runs at once.
fn job(round: usize, name: &str) -> Value {
    let job = match round % 8 {
        0 => sleep("20ms"),
        1 => with(sleep("1ms"), &json!({"delay": "300ms"})),
        _ => echo(name),
    };
    with(job, &json!({"tags": [name]}))
}
