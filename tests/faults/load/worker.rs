//! A remote worker that leases jobs, records an effect and finishes them. Now and then it reports a
//! failure, releases its lease, repeats a finish, is late, or abandons its leases.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Shared;
use super::recording_client::RecordingClient;
use crate::history::{Event, HeldLease, hash};
use crate::random::Random;

/// Shortest lease that the server grants, so that late workers do not slow down a run.
const LEASE: &str = "1s";
/// Pause that is longer than the lease and the server's interval between two rescues.
const LATE: Duration = Duration::from_millis(2_500);

pub(super) struct Worker {
    name: String,
    shared: Arc<Shared>,
    random: Random,
    http: RecordingClient,
}

impl Worker {
    pub(super) fn new(number: u64, shared: Arc<Shared>) -> Self {
        let http = RecordingClient::new(Arc::clone(&shared));
        Self { name: format!("worker-{number}"), shared, random: Random::new(99 + number), http }
    }

    pub(super) fn work(mut self) {
        while !self.shared.is_drained() {
            let leases = self.lease();
            if self.random.below(100) == 0 && !self.shared.is_over() {
                // Like a worker that was killed, it lets its leases expire.
                continue;
            }
            for lease in leases {
                self.run(&lease);
            }
        }
    }

    /// Leases a few jobs.
    fn lease(&mut self) -> Vec<HeldLease> {
        let limit = 1 + self.random.below(4);
        let body = json!({"limit": limit, "wait": "200ms", "lease": LEASE, "worker": self.name});
        let sent = |call| Event::Lease { call, worker: self.name.clone() };
        let answer =
            self.http.request("POST", "/v1/leases", &JSON, &body.to_string(), sent, leased);
        match answer {
            Some(Ok(answer)) if answer.status == 200 => granted_leases(&answer.json()),
            _ => Vec::new(),
        }
    }

    fn run(&mut self, lease: &HeldLease) {
        let HeldLease { job, token } = *lease;
        let recorder = self.shared.recorder.clone();
        recorder.record(&Event::Start { job, token, worker: self.name.clone() });
        if self.random.below(20) == 0 {
            let release = json!({"lease_token": token});
            return self.finish(lease, "release", &release, None);
        }
        recorder.record(&Event::Effect { job, token: Some(token), attempt: None });
        std::thread::sleep(Duration::from_millis(self.random.below(5)));
        if self.random.below(200) == 0 && !self.shared.is_over() {
            std::thread::sleep(LATE);
        }
        if self.random.below(10) == 0 {
            let error = json!({"code": "unlucky", "message": "failed at random"});
            let fail = json!({"lease_token": token, "error": error, "retry_in": "10ms"});
            return self.finish(lease, "fail", &fail, None);
        }
        // The result is unique to this lease.
        let result = json!({"worker": self.name, "job": job, "token": token});
        let complete = json!({"lease_token": token, "result": result});
        self.finish(lease, "complete", &complete, Some(&result));
    }

    /// Sends a finish until it is answered. Now and then it sends the finish once more after that.
    fn finish(&mut self, lease: &HeldLease, action: &str, body: &Value, result: Option<&Value>) {
        let HeldLease { job, token } = *lease;
        let (path, body) = (format!("/v1/leases/{job}/{action}"), body.to_string());
        let result = result.map(hash);
        let mut repeats = u32::from(self.random.below(20) == 0);
        while !self.shared.is_drained() {
            let (action, result) = (action.to_owned(), result.clone());
            let sent = |call| Event::Finish { call, job, token, action, result };
            let answer = self.http.request("POST", &path, &JSON, &body, sent, |call, body| {
                Event::Finished { call, is_repeated: body["repeated"] == true }
            });
            let is_answered = matches!(&answer, Some(Ok(answer)) if answer.status < 500);
            if is_answered && repeats == 0 {
                return;
            }
            repeats -= u32::from(is_answered);
        }
    }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn granted_leases(answer: &Value) -> Vec<HeldLease> {
    let number = |value: &Value| value.as_i64().unwrap();
    let lease =
        |job: &Value| HeldLease { job: number(&job["id"]), token: number(&job["lease_token"]) };
    answer["jobs"].as_array().unwrap().iter().map(lease).collect()
}

fn leased(call: u64, answer: &Value) -> Event {
    Event::Leased { call, leases: granted_leases(answer) }
}
