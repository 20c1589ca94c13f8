//! A client that uses the server as intended, and measures how it is served.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::attack::Attack;
use super::figures::{Call, Figures};
use crate::kit::is_final;
use crate::kit::{Connection, Response, echo, with};

/// Pause between two jobs of a connection.
const PAUSE: Duration = Duration::from_millis(20);
/// Maximum time until a call is answered, with all its repetitions.
const MAX_CALL: Duration = Duration::from_secs(60);

/// Connection of the normal client.
struct Client<'a> {
    attack: &'a Attack,
    connection: Option<Connection>,
    figures: Figures,
}

/// Runs jobs on one connection until the attacks are over, and returns what was met.
pub(super) fn work(number: usize, attack: &Attack) -> Figures {
    let mut client = Client { attack, connection: None, figures: Figures::default() };
    let mut round = 0;
    while !attack.is_over() {
        round += 1;
        client.run_a_job(&format!("{number}-{round}"));
        attack.pause(PAUSE);
    }
    client.figures
}

impl Client<'_> {
    /// Submits a job, waits for its end, reads it, lists jobs, and asks for the health of the server.
    fn run_a_job(&mut self, text: &str) {
        let body = with(echo(text), &json!({"queue": "normal"})).to_string();
        let headers = [("content-type", "application/json"), ("idempotency-key", text)];
        let Some(job) = self.call(Call::Submit, "POST", "/v1/jobs", &headers, &body) else {
            return;
        };
        let id = job["id"].as_i64().unwrap();
        self.figures.acknowledged.insert(id, text.to_owned());
        let path = format!("/v1/jobs/{id}");
        let started = Instant::now();
        while started.elapsed() < MAX_CALL
            && self.get(Call::Wait, &format!("{path}?wait=30s")).is_some_and(|job| !is_final(&job))
        {
        }
        let is_right = |job: &Value| {
            job["state"] == "completed" && job["result"] == text && job["attempt"] == 1
        };
        if let Some(job) = self.get(Call::Read, &path).filter(|job| !is_right(job)) {
            self.figures.error(format!("wrong job: {job}"));
        }
        if let Some(page) = self.get(Call::List, "/v1/jobs?limit=20")
            && page["jobs"].as_array().is_none_or(Vec::is_empty)
        {
            self.figures.error(format!("wrong list: {page}"));
        }
        self.get(Call::Healthz, "/healthz");
    }

    fn get(&mut self, call: Call, path: &str) -> Option<Value> {
        self.call(call, "GET", path, &[], "")
    }

    /// Repeats a request until it is answered, and returns the body of the answer.
    fn call(
        &mut self,
        call: Call,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Option<Value> {
        let first = Instant::now();
        while first.elapsed() < MAX_CALL {
            let started = Instant::now();
            match self.send(method, path, headers, body) {
                Ok(answer) if answer.status < 300 => {
                    self.figures.time(call, started.elapsed());
                    return Some(answer.json());
                }
                Ok(answer) => match (answer.status, answer.header("retry-after")) {
                    (503, Some(after)) => {
                        self.figures.refusals += 1;
                        let seconds = after.parse().unwrap_or(1);
                        std::thread::sleep(Duration::from_secs(seconds).min(PAUSE * 50));
                    }
                    _ => self.failed(format!("{method} {path}: {answer:?}")),
                },
                Err(error) => {
                    let after = started.elapsed();
                    self.failed(format!("{method} {path}: {error} after {after:?}"));
                }
            }
        }
        self.figures.error(format!("{method} {path} was not answered within {MAX_CALL:?}"));
        None
    }

    fn failed(&mut self, error: String) {
        self.figures.error(error);
        std::thread::sleep(5 * PAUSE);
    }

    /// Sends a request once. A connection that fails, or that the server closes, is not used again.
    fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> std::io::Result<Response> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open(self.attack.addr)?,
        };
        let answer = connection.request(method, path, headers, body.as_bytes())?;
        if answer.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        Ok(answer)
    }
}

/// Returns each acknowledged job that the server does not have, or that has not completed once with its
/// result.
pub(super) fn losses(
    acknowledged: &BTreeMap<i64, String>,
    jobs: &BTreeMap<i64, Value>,
) -> Vec<String> {
    assert!(!acknowledged.is_empty(), "no job was acknowledged");
    let loss = |(id, text): (&i64, &String)| match jobs.get(id) {
        None => Some(format!("job {id} does not exist")),
        Some(job) => (job["state"] != "completed" || job["result"] != **text)
            .then(|| format!("job {id} is wrong: {job}")),
    };
    let of_client = jobs.values().filter(|job| job["queue"] == "normal").count();
    let further = (of_client > acknowledged.len())
        .then(|| format!("{of_client} jobs of {} submissions", acknowledged.len()));
    acknowledged.iter().filter_map(loss).chain(further).collect()
}

#[test]
fn a_job_that_is_missing_unfinished_wrong_or_doubled_is_found() {
    let acknowledged: BTreeMap<i64, String> = [(1, "a".into()), (2, "b".into())].into();
    let job = |state: &str, text: &str| json!({"state": state, "result": text, "queue": "normal"});
    let found =
        |jobs: &[(i64, Value)]| losses(&acknowledged, &jobs.iter().cloned().collect()).len();
    let (first, second) = ((1, job("completed", "a")), (2, job("completed", "b")));
    assert_eq!(found(&[first.clone(), second.clone()]), 0);
    assert_eq!(found(std::slice::from_ref(&first)), 1);
    assert_eq!(found(&[first.clone(), (2, job("running", "b"))]), 1);
    assert_eq!(found(&[first.clone(), (2, job("completed", "c"))]), 1);
    assert_eq!(found(&[first.clone(), second, (3, job("completed", "b"))]), 1);
}
