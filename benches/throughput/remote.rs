//! T9: draining a backlog through remote workers, over HTTP.

use std::cell::Cell;
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::future::join_all;
use longshore::job::Lane;
use serde::Deserialize;
use serde_json::value::RawValue;
use tempfile::TempDir;

use crate::backlog::{self, Backlog, QUEUE, config_in};
use crate::load::{Connection, generate, post};
use crate::report::{Figure, Goal, median_round};
use crate::{drain, server};

const JOBS: usize = 100_000;
/// Number of jobs per lease and per finish.
const LEASE_LIMIT: usize = 100;
const CONNECTIONS: usize = 8;
const ROUNDS: usize = 3;
/// Time after which the measurement fails.
const MAX_TIME: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct LeaseResponse<'a> {
    #[serde(borrow)]
    jobs: Vec<LeasedJob<'a>>,
}

#[derive(Deserialize)]
struct LeasedJob<'a> {
    id: i64,
    lease_token: i64,
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Deserialize)]
struct FinishResponse {
    answers: Vec<FinishAnswer>,
}

#[derive(Deserialize)]
struct FinishAnswer {
    status: u16,
}

/// T9: remote workers; the reference is the same backlog through the server's own workers.
pub fn run() -> Vec<Figure> {
    let remote = Backlog::new(|config| backlog::fill(config, QUEUE, Lane::Remote, JOBS));
    let local = Backlog::new(|config| backlog::fill(config, QUEUE, Lane::Async, drain::JOBS));
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let served = drain::drain_rate(local.copy());
        rounds.push((remote_drain_rate(remote.copy()), served));
    }
    let (remote, served) = median_round("T9", rounds);
    vec![Figure::new(
        "T9",
        "8 remote workers, 100 jobs per lease and per finish",
        (remote, "jobs/s"),
        (served, "draining 200,000 queued jobs through the server's own workers"),
        Some(Goal::AtLeast(0.5)),
    )]
}

/// Serves the database in `directory` until remote workers have completed all jobs. Returns
/// jobs per second.
fn remote_drain_rate(directory: TempDir) -> f64 {
    server::in_system(async {
        let config = config_in(&directory);
        let running = server::start_in(directory, config);
        running.set_paused(QUEUE, false).await;
        let addr = running.addr;
        let secs = server::run_blocking(move || generate(move || work(addr))).await;
        let queue = running.handle().queue(QUEUE.parse().expect("a valid name")).await;
        let queue = queue.expect("the queue is read").expect("the queue exists");
        assert_eq!(queue.jobs.completed, JOBS as i64);
        running.server.stop();
        JOBS as f64 / secs
    })
}

/// Leases and completes all jobs. Returns the seconds until the last one was finished.
async fn work(addr: SocketAddr) -> f64 {
    let started = Instant::now();
    let finished = Cell::new(0);
    let last = Cell::new(started);
    let lease = format!(r#"{{"limit":{LEASE_LIMIT},"wait":"100ms"}}"#);
    let lease = post("/v1/leases", "application/json", &lease);
    let work = async || {
        let mut connection = Connection::open(addr).await;
        while finished.get() < JOBS {
            assert!(started.elapsed() < MAX_TIME, "only {} jobs are finished", finished.get());
            let leased = connection.expect(200, &lease).await;
            let leased: LeaseResponse<'_> = serde_json::from_slice(leased).expect("jobs");
            let (count, finish) = (leased.jobs.len(), finish(&leased));
            if count == 0 {
                continue;
            }
            let answered = connection.expect(200, &finish).await;
            let answered: FinishResponse = serde_json::from_slice(answered).expect("answers");
            assert_eq!(answered.answers.len(), count);
            assert!(answered.answers.iter().all(|answer| answer.status == 200));
            finished.set(finished.get() + count);
            last.set(Instant::now());
        }
    };
    join_all((0..CONNECTIONS).map(|_| work())).await;
    last.get().duration_since(started).as_secs_f64()
}

/// Returns the request that completes all these jobs, each with its payload as the result.
fn finish(leased: &LeaseResponse<'_>) -> Bytes {
    let mut body = String::with_capacity(leased.jobs.len() * 100 + 2);
    body.push('[');
    for (index, LeasedJob { id, lease_token, payload }) in leased.jobs.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let head = format_args!(r#"{{"id":{id},"action":"complete","lease_token":{lease_token}"#);
        write!(body, r#"{comma}{head},"result":{payload}}}"#)
            .expect("writing to a string never fails");
    }
    body.push(']');
    post("/v1/leases/finish", "application/json", &body)
}
