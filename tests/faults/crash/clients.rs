//! Clients that go on submitting and asking, and write down what they were told.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::json;
use tempfile::TempDir;

use super::Random;
use super::effects::Effects;
use crate::kit::{Connection, Response, Server, echo, sleep, with};

const CLIENTS: u64 = 8;

/// What was accepted: names by id, and how many submissions had no answer.
pub(super) struct Accepted {
    pub(super) jobs: Vec<(i64, String)>,
    pub(super) unknown: u32,
}

struct Shared {
    addr: Mutex<SocketAddr>,
    is_over: AtomicBool,
}

/// The clients at work.
pub(super) struct Load {
    shared: Arc<Shared>,
    journals: TempDir,
    clients: Vec<JoinHandle<u32>>,
}

impl Load {
    pub(super) fn start(server: &Server, effects: &Effects) -> Self {
        let addr = Mutex::new(server.addr());
        let shared = Arc::new(Shared { addr, is_over: AtomicBool::new(false) });
        let journals = tempfile::tempdir().unwrap();
        let clients = (0..CLIENTS)
            .map(|number| {
                let path = journals.path().join(number.to_string());
                let client = Client {
                    number,
                    shared: Arc::clone(&shared),
                    effects: effects.url(""),
                    random: Random(number),
                    connection: None,
                    journal: File::create(path).unwrap(),
                    ids: Vec::new(),
                    unknown: 0,
                };
                std::thread::spawn(move || client.work())
            })
            .collect();
        Self { shared, journals, clients }
    }

    /// Tells the clients where the server is now.
    pub(super) fn moved(&self, addr: SocketAddr) {
        *self.shared.addr.lock().unwrap() = addr;
    }

    /// Ends the clients and reads their journals.
    pub(super) fn end(self) -> Accepted {
        self.shared.is_over.store(true, Ordering::SeqCst);
        let unknown = self.clients.into_iter().map(|client| client.join().unwrap()).sum();
        let paths = (0..CLIENTS).map(|number| self.journals.path().join(number.to_string()));
        Accepted { jobs: paths.flat_map(read_journal).collect(), unknown }
    }
}

fn read_journal(path: PathBuf) -> Vec<(i64, String)> {
    let text = std::fs::read_to_string(path).unwrap();
    let lines = text.lines().map(|line| line.split_once(' ').unwrap());
    lines.map(|(id, name)| (id.parse().unwrap(), name.to_owned())).collect()
}

struct Client {
    number: u64,
    shared: Arc<Shared>,
    effects: String,
    random: Random,
    connection: Option<Connection>,
    journal: File,
    ids: Vec<i64>,
    unknown: u32,
}

impl Client {
    fn work(mut self) -> u32 {
        let mut round = 0;
        while !self.shared.is_over.load(Ordering::SeqCst) {
            round += 1;
            let name = format!("{}-{round}", self.number);
            match self.random.below(8) {
                0 => self.ask(),
                draw => self.submit(&name, draw),
            }
        }
        self.unknown
    }

    /// Submits a job. With a key it is submitted until it is answered; without one the answer may
    /// stay unknown, and the name is not used again.
    fn submit(&mut self, name: &str, draw: u64) {
        let job = match draw {
            1 => sleep("20ms"),
            2 => with(sleep("200ms"), &json!({"delay": "100ms"})),
            3..=5 => json!({"kind": "http", "payload": {"url": format!("{}{name}", self.effects)}}),
            _ => echo(name),
        };
        let is_once = matches!(draw, 4 | 5);
        let fields = json!({"tags": [name], "at_most_once": is_once, "max_attempts": 100});
        let body = with(job, &fields).to_string();
        let has_key = self.random.below(2) == 0;
        let mut headers = vec![("content-type", "application/json")];
        if has_key {
            headers.push(("idempotency-key", name));
        }
        loop {
            match self.request("POST", "/v1/jobs", &headers, &body) {
                Some(answer) if answer.status == 202 => return self.note(&answer, name),
                Some(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                None => self.unknown += 1,
            }
            if !has_key || self.shared.is_over.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    fn note(&mut self, answer: &Response, name: &str) {
        let id = answer.json()["id"].as_i64().unwrap();
        writeln!(self.journal, "{id} {name}").unwrap();
        self.ids.push(id);
    }

    /// Asks for a job that was accepted; it must be there at any time.
    fn ask(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let place = self.random.below(self.ids.len() as u64);
        let id = self.ids[usize::try_from(place).unwrap()];
        if let Some(answer) = self.request("GET", &format!("/v1/jobs/{id}"), &[], "") {
            assert_eq!(answer.status, 200, "job {id}: {answer:?}");
        }
    }

    /// A request on the kept connection; none where no answer came.
    fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Response> {
        let addr = *self.shared.addr.lock().unwrap();
        let connection = match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Connection::open(addr),
        };
        let answer = connection.and_then(|mut connection| {
            let answer = connection.request(method, path, headers, body.as_bytes());
            answer.map(|answer| (answer, connection))
        });
        match answer {
            Ok((answer, connection)) => {
                self.connection = Some(connection);
                Some(answer)
            }
            Err(_) => {
                std::thread::sleep(Duration::from_millis(5));
                None
            }
        }
    }
}
