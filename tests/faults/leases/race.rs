//! Leases, finishes, renews, cancels and rescues one job at the same time (L9).

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fault_row::FaultRow;
use crate::history::check::check;
use crate::history::violation::Operation;
use crate::history::{Event, Recorder, Submit, table};
use crate::kit::{Connection, Server, with};
use crate::leases::calls::remote;
use crate::proxy::{Delivery, Proxy};
use crate::random::Random;
use crate::workers::python::{count, history};

/// Number of jobs in each round. One request leases all of them.
const JOBS_PER_ROUND: u32 = 200;
/// Approximate time in which the clients act on the jobs of a round. The first leases last one second
/// and are rescued within two.
const RACE_MS: u64 = 1_200;

/// Client that acts on jobs at random.
struct Racer {
    server: SocketAddr,
    proxy: SocketAddr,
    recorder: Recorder,
    random: Random,
}

impl Racer {
    fn send(
        &self,
        addr: SocketAddr,
        method: &str,
        path: &str,
        body: &Value,
    ) -> crate::kit::Response {
        let (headers, body) = ([("content-type", "application/json")], body.to_string());
        let body = if method == "GET" { "" } else { &body };
        Connection::open(addr).unwrap().request(method, path, &headers, body.as_bytes()).unwrap()
    }

    /// Finishes or renews a lease in a random way. The proxy records it.
    fn finish(&mut self, leased: &Value) {
        let (action, fields) = match self.random.below(6) {
            0 => ("release", json!({})),
            1 => ("fail", json!({"error": {"code": "x"}, "retry_in": "10ms"})),
            2 => ("renew", json!({"lease": "1s"})),
            draw => ("complete", json!({"result": draw})),
        };
        let body = with(json!({"lease_token": leased["lease_token"]}), &fields);
        self.send(self.proxy, "POST", &format!("/v1/leases/{}/{action}", leased["id"]), &body);
    }

    /// Leases jobs that are queued again, and finishes them.
    fn lease(&mut self) {
        let call = json!({"limit": 1 + self.random.below(3), "lease": "1s", "worker": "racer"});
        let leased = self.send(self.proxy, "POST", "/v1/leases", &call).expect(200);
        for leased in leased["jobs"].as_array().unwrap() {
            self.finish(leased);
        }
    }

    fn cancel(&self, id: i64) {
        let call = self.recorder.call();
        self.recorder.record(&Event::Cancel { call, job: id });
        let answer =
            Ok(self.send(self.server, "POST", &format!("/v1/jobs/{id}/cancel"), &json!({})));
        self.recorder.answer(call, &answer, |job| Event::Cancelled {
            call,
            state: job["state"].as_str().unwrap().into(),
        });
    }

    fn read(&self, id: i64) {
        let call = self.recorder.call();
        self.recorder.record(&Event::Read { call, job: id });
        let answer = Ok(self.send(self.server, "GET", &format!("/v1/jobs/{id}"), &json!({})));
        self.recorder.answer(call, &answer, |job| Event::Seen {
            call,
            state: job["state"].as_str().unwrap().into(),
        });
    }

    /// Acts on each job in random order while the first leases expire.
    fn race(mut self, mut leases: Vec<Value>) {
        let pause = Duration::from_millis(RACE_MS) / JOBS_PER_ROUND * 2;
        while !leases.is_empty() {
            let index = self.random.below(leases.len() as u64);
            let leased = leases.swap_remove(usize::try_from(index).unwrap());
            let id = leased["id"].as_i64().unwrap();
            match self.random.below(8) {
                0..=2 => self.finish(&leased),
                3 => self.cancel(id),
                4 | 5 => self.lease(),
                _ => self.read(id),
            }
            std::thread::sleep(pause.mul_f64(self.random.below(100) as f64 / 100.0));
        }
    }
}

/// Submits jobs and records the submissions.
fn submit(server: &Server, recorder: &Recorder, jobs: std::ops::Range<u32>) {
    for number in jobs {
        let (call, tag) = (recorder.call(), number.to_string());
        recorder.record(&Event::Submit(Submit { call, tag: tag.clone(), ..Submit::default() }));
        let fields = json!({"tags": [tag], "max_attempts": 100});
        let answer = Ok(server.post("/v1/jobs", &with(remote(number), &fields)));
        recorder.answer(call, &answer, |job| Event::Submitted {
            call,
            job: job["id"].as_i64().unwrap(),
        });
    }
}

#[test]
fn a_job_ends_once_under_concurrent_leases_finishes_renewals_and_cancellations() {
    let what = "lease, finish, renew, cancel and rescue one job at the same time";
    let Some(mut row) = FaultRow::start("L9", what, (400, 20_000, "races")) else { return };
    let server = Server::start();
    let (_directory, recorder) = history();
    let proxy = Proxy::start(server.addr(), recorder.clone(), |_, _| Delivery::Delivered);
    let mut random = row.random();
    let mut submitted = 0;
    while submitted < row.times {
        let end = row.times.min(submitted + JOBS_PER_ROUND);
        submit(&server, &recorder, submitted..end);
        submitted = end;
        let call = json!({"limit": JOBS_PER_ROUND, "lease": "1s", "worker": "first"});
        let leased = proxy.post("/v1/leases", &call).unwrap().expect(200)["jobs"].clone();
        let leased = leased.as_array().unwrap().clone();
        // Waits until the first leases are about to expire.
        std::thread::sleep(Duration::from_millis(500));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                let (server, recorder, leased) = (server.addr(), recorder.clone(), leased.clone());
                let (proxy, random) = (proxy.addr(), Random::new(random.below(u64::MAX)));
                let racer = Racer { server, proxy, recorder, random };
                scope.spawn(move || racer.race(leased));
            }
        });
    }
    // One last worker completes all jobs that are left.
    let is_live = |server: &Server| {
        let jobs = server.queue("default")["jobs"].clone();
        ["queued", "running", "retrying"].iter().any(|state| jobs[state] != 0)
    };
    while is_live(&server) {
        let call = json!({"limit": 100, "wait": "1s", "worker": "last"});
        let leased = proxy.post("/v1/leases", &call).unwrap().expect(200);
        for leased in leased["jobs"].as_array().unwrap() {
            let body = json!({"lease_token": leased["lease_token"], "result": 0});
            proxy.post(&format!("/v1/leases/{}/complete", leased["id"]), &body).unwrap();
        }
    }
    let table = table::of_ended_jobs(&server);
    let events = recorder.events();
    let demanded = [
        Operation::Submit,
        Operation::Lease,
        Operation::Finish,
        Operation::Cancel,
        Operation::Read,
    ];
    assert_eq!(check(&events, &table, &demanded), []);
    let ended = |state: &str| table.values().filter(|job| job.state == state).count();
    let rescued = table.values().filter(|job| job.attempt > 1).count();
    assert!(ended("completed") > 0 && ended("cancelled") > 0 && rescued > 0);
    row.count("completed", ended("completed"));
    row.count("cancelled", ended("cancelled"));
    row.count("run again", rescued);
    row.count(
        "late finishes refused",
        count(&events, |event| matches!(event, Event::Refused { .. })),
    );
    row.count("ended twice", 0);
    row.held();
}
