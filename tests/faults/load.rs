//! Clients that keep a server busy while something is broken, and what they saw.

mod client;
mod effects;
mod wire;
mod worker;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::history::table::{self, Table};
use crate::history::{Event, Recorder};
use crate::kit::{Server, eventually};
use client::Client;
use worker::Worker;

const CLIENTS: u64 = 8;
const WORKERS: u64 = 6;

/// What the clients share.
struct Shared {
    addr: Mutex<SocketAddr>,
    is_over: AtomicBool,
    /// No job is left for the workers.
    is_drained: AtomicBool,
    recorder: Recorder,
    /// How long a client pauses between two requests, on average.
    pause_ms: u64,
}

impl Shared {
    fn addr(&self) -> SocketAddr {
        *self.addr.lock().unwrap()
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    fn is_drained(&self) -> bool {
        self.is_drained.load(Ordering::SeqCst)
    }
}

/// The clients and remote workers at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    /// Where the history is; it goes with this.
    _directory: tempfile::TempDir,
}

/// What was done and what is there when all is over.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) history: Vec<Event>,
    pub(crate) table: Table,
}

impl Load {
    /// Starts clients that pause for about `pause_ms` between two requests.
    pub(crate) fn start(server: &Server, pause_ms: u64) -> Self {
        // Not beside the database, which may be on a disk that is to break.
        let directory = tempfile::tempdir().unwrap();
        let recorder = Recorder::create(&directory.path().join("history.ndjson"));
        let effects = effects::start(recorder.clone()).url("/");
        let shared = Arc::new(Shared {
            addr: Mutex::new(server.addr()),
            is_over: AtomicBool::new(false),
            is_drained: AtomicBool::new(false),
            recorder,
            pause_ms,
        });
        let client = |number| Client::new(number, Arc::clone(&shared), effects.clone());
        let clients = (0..CLIENTS).map(client).map(|it| std::thread::spawn(move || it.work()));
        let worker = |number| Worker::new(number, Arc::clone(&shared));
        let workers = (0..WORKERS).map(worker).map(|it| std::thread::spawn(move || it.work()));
        let (clients, workers) = (clients.collect(), workers.collect());
        Self { clients, workers, shared, _directory: directory }
    }

    /// Writes down that something was broken.
    pub(crate) fn fault(&self, what: &str) {
        self.shared.recorder.record(&Event::Fault { what: what.into() });
    }

    /// Tells the clients where the server is now.
    pub(crate) fn moved(&self, addr: SocketAddr) {
        *self.shared.addr.lock().unwrap() = addr;
    }

    /// Ends the clients, waits until no job is live, and reads what was done and what is there.
    pub(crate) fn end(self, server: &Server) -> Seen {
        self.shared.is_over.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.join().unwrap();
        }
        drain(server);
        self.shared.is_drained.store(true, Ordering::SeqCst);
        for worker in self.workers {
            worker.join().unwrap();
        }
        Seen { history: self.shared.recorder.events(), table: table::of(server) }
    }
}

/// Waits until no job is live.
fn drain(server: &Server) {
    eventually("every job ends", || {
        let queues = server.get("/v1/queues").expect(200);
        let live = |queue: &serde_json::Value| {
            let count = |state: &str| queue["jobs"][state].as_i64().unwrap();
            count("queued") + count("running") + count("retrying") + count("scheduled")
        };
        let left: i64 = queues["queues"].as_array().unwrap().iter().map(live).sum();
        (left == 0).then_some(())
    });
}
