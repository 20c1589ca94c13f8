//! Clients of a server with keys: one creates and revokes keys, the others use them.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::{Connection, Response};
use crate::random::Random;

/// Secret of a key.
pub(super) type Secret = Arc<str>;

/// Number of valid keys from which on more are revoked than created.
const MANY: usize = 100;

/// Pause after each request, so that a run does not have more keys than the server allows.
const PAUSE: Duration = Duration::from_millis(5);

/// What is known of a key. A state only moves forward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum State {
    /// Its creation was acknowledged.
    Live,
    /// Its revocation was requested, and perhaps applied.
    Revoking,
    /// Its revocation was acknowledged.
    Revoked,
}

/// Counts of a run.
#[derive(Debug)]
pub(super) struct Counts {
    pub(super) created: usize,
    pub(super) live: usize,
    pub(super) unknown: usize,
    pub(super) revoked: usize,
    pub(super) jobs: u64,
}

/// The clients and what they know.
pub(super) struct Clients {
    addr: SocketAddr,
    ops: Secret,
    keys: Mutex<BTreeMap<i64, (Secret, State)>>,
    jobs: AtomicU64,
    pub(super) violations: Mutex<Vec<String>>,
    pub(super) ends: AtomicBool,
}

impl Clients {
    pub(super) fn new(addr: SocketAddr, ops: Secret) -> Self {
        Self {
            addr,
            ops,
            keys: Mutex::default(),
            jobs: AtomicU64::new(0),
            violations: Mutex::default(),
            ends: AtomicBool::new(false),
        }
    }

    /// Starts the client that creates and revokes keys.
    pub(super) fn start_administrator(self: &Arc<Self>, seed: u64) -> JoinHandle<()> {
        let (clients, mut random) = (Arc::clone(self), Random::new(seed));
        std::thread::spawn(move || {
            for number in 0_u64.. {
                if clients.ends.load(Ordering::Relaxed) {
                    return;
                }
                let live = clients.known().iter().filter(|key| key.2 == State::Live).count();
                if live < 2 || (live < MANY && random.below(3) > 0) {
                    clients.create(number);
                } else {
                    clients.revoke(&mut random);
                }
                std::thread::sleep(PAUSE);
            }
        })
    }

    fn create(&self, number: u64) {
        let request = json!({"name": format!("key {number}"), "scopes": ["submit", "read"]});
        let answer = self.request("POST", "/v1/keys", &self.ops, Some(&request));
        // Without an answer, nobody knows the secret.
        let Some(created) = answer.filter(|answer| answer.status == 201) else { return };
        let created = created.json();
        let secret = created["secret"].as_str().unwrap().into();
        let id = created["id"].as_i64().unwrap();
        self.keys.lock().unwrap().insert(id, (secret, State::Live));
    }

    fn revoke(&self, random: &mut Random) {
        let known = self.known();
        let left: Vec<i64> =
            known.iter().filter(|key| key.2 != State::Revoked).map(|key| key.0).collect();
        let id = left[random.below(left.len() as u64) as usize];
        let was_requested = self.state(id) == Some(State::Revoking);
        self.advance(id, State::Revoking);
        let path = format!("/v1/keys/{id}");
        let answer = self.request("DELETE", &path, &self.ops, None);
        match answer.map(|answer| answer.status) {
            Some(200) => self.advance(id, State::Revoked),
            // Keys that were revoked long ago are deleted.
            Some(404) if was_requested => self.advance(id, State::Revoked),
            Some(503) | None => {}
            Some(status) => self.violation(format!("key {id} cannot be revoked: {status}")),
        }
    }

    /// Starts a client that uses random keys.
    pub(super) fn start_user(self: &Arc<Self>, seed: u64) -> JoinHandle<()> {
        let (clients, mut random) = (Arc::clone(self), Random::new(seed));
        std::thread::spawn(move || {
            while !clients.ends.load(Ordering::Relaxed) {
                let known = clients.known();
                if !known.is_empty() {
                    let key = &known[random.below(known.len() as u64) as usize];
                    clients.submit_with(key, &mut random);
                }
                std::thread::sleep(PAUSE);
            }
        })
    }

    /// Submits a job with a key: one that ends by itself, or one that stays unfinished.
    fn submit_with(&self, (id, secret, before): &(i64, Secret, State), random: &mut Random) {
        let job = match random.below(2) {
            0 => json!({"kind": "echo", "payload": id}),
            _ => json!({"kind": "resize", "lane": "remote", "payload": id}),
        };
        let answer = self.request("POST", "/v1/jobs", secret, Some(&job));
        let after = self.state(*id).unwrap();
        match (before, answer.map(|answer| answer.status)) {
            (State::Live | State::Revoking, Some(202)) => {
                self.jobs.fetch_add(1, Ordering::Relaxed);
            }
            (State::Revoked, Some(401)) | (_, Some(503) | None) => {}
            // The key may have been revoked while the request was under way.
            (State::Live | State::Revoking, Some(401)) if after != State::Live => {}
            (_, status) => self.violation(format!("key {id}, {before:?}, {after:?}: {status:?}")),
        }
    }

    /// Returns all keys with what is known of them now.
    pub(super) fn known(&self) -> Vec<(i64, Secret, State)> {
        let keys = self.keys.lock().unwrap();
        keys.iter().map(|(id, (secret, state))| (*id, Arc::clone(secret), *state)).collect()
    }

    pub(super) fn state(&self, id: i64) -> Option<State> {
        self.keys.lock().unwrap().get(&id).map(|(_, state)| *state)
    }

    /// Returns the status with which a request with this key is answered.
    pub(super) fn status(&self, secret: &str) -> Option<u16> {
        self.request("GET", "/v1/kinds", secret, None).map(|answer| answer.status)
    }

    pub(super) fn counts(&self) -> Counts {
        let known = self.known();
        let of = |state: State| known.iter().filter(|key| key.2 == state).count();
        Counts {
            created: known.len(),
            live: of(State::Live),
            unknown: of(State::Revoking),
            revoked: of(State::Revoked),
            jobs: self.jobs.load(Ordering::Relaxed),
        }
    }

    fn advance(&self, id: i64, next: State) {
        if let Some((_, state)) = self.keys.lock().unwrap().get_mut(&id) {
            *state = next.max(*state);
        }
    }

    fn violation(&self, what: String) {
        self.violations.lock().unwrap().push(what);
    }

    /// Sends a request; `None` if the server was killed before its answer.
    fn request(
        &self,
        method: &str,
        path: &str,
        secret: &str,
        body: Option<&Value>,
    ) -> Option<Response> {
        let authorization = format!("Bearer {secret}");
        let mut headers = vec![("authorization", &*authorization)];
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut connection = Connection::open(self.addr).ok()?;
        connection.request(method, path, &headers, body.as_bytes()).ok()
    }
}
