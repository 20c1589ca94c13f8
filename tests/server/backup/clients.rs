//! Clients that submit until they are told to stop, and write down what they sent and were told.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::kit::{Connection, LONG, Server, echo, sleep, with};

const CLIENTS: usize = 4;

#[derive(Default)]
struct Notes {
    /// Names, noted before they are sent.
    sent: Mutex<BTreeSet<String>>,
    /// Names by id, noted when the answer is there.
    accepted: Mutex<BTreeMap<i64, String>>,
    told: Condvar,
    is_over: AtomicBool,
}

/// Clients at work.
pub(super) struct Clients {
    notes: Arc<Notes>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    pub(super) fn start(server: &Server) -> Self {
        let notes = Arc::new(Notes::default());
        let threads = (0..CLIENTS).map(|number| {
            let (notes, addr) = (Arc::clone(&notes), server.addr());
            std::thread::spawn(move || work(number, addr, &notes))
        });
        Self { threads: threads.collect(), notes }
    }

    /// Waits until so many jobs are accepted.
    pub(super) fn have_accepted(&self, count: usize) {
        let accepted = self.notes.accepted.lock().unwrap();
        let few = |accepted: &mut BTreeMap<i64, String>| accepted.len() < count;
        let (_held, waited) = self.notes.told.wait_timeout_while(accepted, LONG, few).unwrap();
        assert!(!waited.timed_out(), "{count} jobs were not accepted");
    }

    /// What is accepted by now.
    pub(super) fn accepted(&self) -> BTreeMap<i64, String> {
        self.notes.accepted.lock().unwrap().clone()
    }

    /// Stops them, and gives the names of all jobs that they have sent.
    pub(super) fn end(self) -> BTreeSet<String> {
        self.notes.is_over.store(true, Ordering::SeqCst);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        self.notes.sent.lock().unwrap().clone()
    }
}

fn work(number: usize, addr: SocketAddr, notes: &Notes) {
    let mut connection = Connection::open(addr).unwrap();
    for round in 0.. {
        if notes.is_over.load(Ordering::SeqCst) {
            return;
        }
        let name = format!("{number}-{round}");
        notes.sent.lock().unwrap().insert(name.clone());
        let body = job(round, &name).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", name.as_str())];
        let answer = connection.request("POST", "/v1/jobs", &headers, body.as_bytes()).unwrap();
        if answer.status == 503 {
            continue;
        }
        let id = answer.expect(202)["id"].as_i64().unwrap();
        notes.accepted.lock().unwrap().insert(id, name);
        notes.told.notify_all();
    }
}

/// Jobs of several lives: at once, a while, later.
fn job(round: usize, name: &str) -> Value {
    let job = match round % 8 {
        0 => sleep("20ms"),
        1 => with(sleep("1ms"), &json!({"delay": "300ms"})),
        _ => echo(name),
    };
    with(job, &json!({"tags": [name]}))
}
