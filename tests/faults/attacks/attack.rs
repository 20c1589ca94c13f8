//! What all attackers share: the address of the server, their end, and their counts.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fault_row::FaultRow;
use crate::kit::{Connection, Response};

/// Every count that an attack must have raised at least once. Otherwise it did nothing.
const DEMANDED: [&str; 7] = [
    "bodies refused",
    "connections cut off",
    "answers unread",
    "pages read",
    "programs stopped",
    "calls stopped",
    "large jobs run",
];

/// Attack on one server.
pub(super) struct Attack {
    pub(super) addr: SocketAddr,
    is_over: AtomicBool,
    counts: Mutex<BTreeMap<&'static str, u64>>,
    /// Longest time from a deadline to the end of the job, by what is counted.
    longest_stops: Mutex<BTreeMap<&'static str, Duration>>,
}

impl Attack {
    pub(super) fn new(addr: SocketAddr) -> Self {
        let (counts, longest_stops) = (Mutex::default(), Mutex::default());
        Self { addr, is_over: AtomicBool::new(false), counts, longest_stops }
    }

    /// Ends all attacks. Each ends after its current step.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::SeqCst);
    }

    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst)
    }

    /// Waits for this time, or until the attacks are over.
    pub(super) fn pause(&self, time: Duration) {
        let started = Instant::now();
        while started.elapsed() < time && !self.is_over() {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Counts something that happened.
    pub(super) fn count(&self, what: &'static str) {
        *self.counts.lock().unwrap().entry(what).or_default() += 1;
    }

    /// Counts a job that was stopped, and records the time from its deadline to its end.
    pub(super) fn stopped(&self, what: &'static str, after: Duration) {
        self.count(what);
        let mut longest = self.longest_stops.lock().unwrap();
        let longest = longest.entry(what).or_default();
        *longest = after.max(*longest);
    }

    /// Returns the longest time from the deadline of a job to its end.
    pub(super) fn longest_stop(&self) -> Duration {
        self.longest_stops.lock().unwrap().values().max().copied().unwrap_or_default()
    }

    /// Sends a request on a connection of its own. Returns `None` if the server is busy or has closed the
    /// connection, as it may while it refuses a body.
    ///
    /// Panics if the answer is an error of the server.
    pub(super) fn try_request(&self, method: &str, path: &str, body: &[u8]) -> Option<Response> {
        let headers = [("content-type", "application/json")];
        let answer = Connection::open(self.addr)
            .and_then(|mut connection| connection.request(method, path, &headers, body));
        let Ok(answer) = answer else {
            self.count("attackers without an answer");
            return None;
        };
        if answer.status == 503 && answer.header("retry-after").is_some() {
            self.count("attackers refused");
            return None;
        }
        let start = String::from_utf8_lossy(&answer.body[..answer.body.len().min(300)]);
        assert!(answer.status < 500, "{method} {path}: {} {start}", answer.status);
        Some(answer)
    }

    /// Repeats a request until it is answered.
    pub(super) fn request(&self, method: &str, path: &str, body: &[u8]) -> Response {
        for _ in 0..600 {
            if let Some(answer) = self.try_request(method, path, body) {
                return answer;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{method} {path} is not answered");
    }

    /// Submits a job and returns its id.
    pub(super) fn submit(&self, job: &Value) -> Value {
        let answer = self.request("POST", "/v1/jobs", job.to_string().as_bytes());
        answer.expect(202)["id"].clone()
    }

    /// Adds the counts to a row.
    pub(super) fn report_to(&self, row: &mut FaultRow) {
        for (what, count) in &*self.counts.lock().unwrap() {
            row.count(what, count);
        }
        for (what, time) in &*self.longest_stops.lock().unwrap() {
            row.time(&format!("{what} after at most"), *time);
        }
    }

    /// Asserts that each attack has done something.
    pub(super) fn assert_each_happened(&self) {
        let counts = self.counts.lock().unwrap();
        let missing: Vec<_> = DEMANDED.iter().filter(|what| !counts.contains_key(*what)).collect();
        assert!(missing.is_empty(), "these attacks did nothing: {missing:?}");
    }
}
