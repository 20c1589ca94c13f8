//! Clients and remote workers that keep a server busy while faults are injected.

mod client;
mod effects;
mod recording_client;
mod worker;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use crate::history::table::{self, Table};
use crate::history::{Event, Recorder};
use crate::kit::Server;
use client::Client;
use worker::Worker;

const CLIENTS: u64 = 8;
const WORKERS: u64 = 6;

/// State that all clients and workers share.
struct Shared {
    addr: Mutex<SocketAddr>,
    is_over: AtomicBool,
    /// Set when every job has ended, so that the workers stop.
    is_drained: AtomicBool,
    recorder: Recorder,
    /// Average pause of a client between two requests, in milliseconds.
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

/// End of the tags of follow-up jobs. The tag of the job before is before it.
pub(crate) const FOLLOW_UP: &str = "-then";

/// Running clients and remote workers.
pub(crate) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    /// Directory of the history, removed when this is dropped.
    _directory: tempfile::TempDir,
}

/// History of a run, and every job that the server has at its end.
#[derive(Clone)]
pub(crate) struct Observed {
    pub(crate) history: Vec<Event>,
    pub(crate) table: Table,
}

impl Load {
    /// Starts workers, and clients that pause for `pause_ms` between two requests on average.
    pub(crate) fn start(server: &Server, pause_ms: u64) -> Self {
        // The history is on another disk than the database, whose disk may be broken by the test.
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

    /// Records that a fault was injected.
    pub(crate) fn fault(&self, what: &str) {
        self.shared.recorder.record(&Event::Fault { what: what.into() });
    }

    /// Gives the clients and workers the new address of the server.
    pub(crate) fn set_addr(&self, addr: SocketAddr) {
        *self.shared.addr.lock().unwrap() = addr;
    }

    /// Stops the clients, waits until every job has ended, stops the workers, and returns the
    /// history and all jobs.
    pub(crate) fn end(self, server: &Server) -> Observed {
        self.shared.is_over.store(true, Ordering::SeqCst);
        for client in self.clients {
            client.join().unwrap();
        }
        table::wait_until_all_end(server);
        self.shared.is_drained.store(true, Ordering::SeqCst);
        for worker in self.workers {
            worker.join().unwrap();
        }
        Observed { history: self.shared.recorder.events(), table: table::of(server) }
    }
}
