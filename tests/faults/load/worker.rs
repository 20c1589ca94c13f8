//! A remote worker: it leases, has an effect and finishes; now and then it fails, gives back,
//! repeats itself, is late, or goes away.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Shared;
use super::wire::Wire;
use crate::history::{Event, Held, hash};
use crate::random::Random;

/// The shortest lease there is, so that late workers do not hold up a run.
const LEASE: &str = "1s";
/// Longer than that, and than the server's look for leases that ran out.
const LATE: Duration = Duration::from_millis(2_500);

pub(super) struct Worker {
    name: String,
    shared: Arc<Shared>,
    random: Random,
    wire: Wire,
}

impl Worker {
    pub(super) fn new(number: u64, shared: Arc<Shared>) -> Self {
        let wire = Wire::new(Arc::clone(&shared));
        Self { name: format!("worker-{number}"), shared, random: Random::new(99 + number), wire }
    }

    pub(super) fn work(mut self) {
        while !self.shared.is_drained() {
            let leases = self.lease();
            if self.random.below(100) == 0 && !self.shared.is_over() {
                // As one that was killed: its leases run out.
                continue;
            }
            for lease in leases {
                self.run(&lease);
            }
        }
    }

    /// Leases a few jobs.
    fn lease(&mut self) -> Vec<Held> {
        let limit = 1 + self.random.below(4);
        let body = json!({"limit": limit, "wait": "200ms", "lease": LEASE, "worker": self.name});
        let sent = |call| Event::Lease { call, worker: self.name.clone() };
        let answer =
            self.wire.request("POST", "/v1/leases", &JSON, &body.to_string(), sent, leased);
        match answer {
            Some(Ok(answer)) if answer.status == 200 => held(&answer.json()),
            _ => Vec::new(),
        }
    }

    fn run(&mut self, lease: &Held) {
        let Held { job, token } = *lease;
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
            let error = json!({"code": "unlucky", "message": "it was not to be"});
            let fail = json!({"lease_token": token, "error": error, "retry_in": "10ms"});
            return self.finish(lease, "fail", &fail, None);
        }
        // No other lease of any job gives the same.
        let result = json!({"worker": self.name, "job": job, "token": token});
        let complete = json!({"lease_token": token, "result": result});
        self.finish(lease, "complete", &complete, Some(&result));
    }

    /// Says how a lease ended until there is an answer; now and then once more than that.
    fn finish(&mut self, lease: &Held, action: &str, body: &Value, result: Option<&Value>) {
        let Held { job, token } = *lease;
        let (path, body) = (format!("/v1/leases/{job}/{action}"), body.to_string());
        let result = result.map(hash);
        let mut again = u32::from(self.random.below(20) == 0);
        while !self.shared.is_drained() {
            let (action, result) = (action.to_owned(), result.clone());
            let sent = |call| Event::Finish { call, job, token, action, result };
            let answer = self.wire.request("POST", &path, &JSON, &body, sent, |call, body| {
                Event::Finished { call, is_repeated: body["repeated"] == true }
            });
            let is_answered = matches!(&answer, Some(Ok(answer)) if answer.status < 500);
            if is_answered && again == 0 {
                return;
            }
            again -= u32::from(is_answered);
        }
    }
}

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

fn held(answer: &Value) -> Vec<Held> {
    let number = |value: &Value| value.as_i64().unwrap();
    let lease = |job: &Value| Held { job: number(&job["id"]), token: number(&job["lease_token"]) };
    answer["jobs"].as_array().unwrap().iter().map(lease).collect()
}

fn leased(call: u64, answer: &Value) -> Event {
    Event::Leased { call, leases: held(answer) }
}
