//! T2: durable submissions over HTTP, many jobs in each request.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use longshore::config::Config;
use longshore::job::Lane;

use crate::load::{BODY, Calls, Target, Until, post};
use crate::report::{Figure, Goal, median_round};
use crate::{backlog, bare, server};

/// Number of jobs per request.
pub const JOBS: u64 = 1_000;
const CONNECTIONS: usize = 4;
const ROUNDS: usize = 3;
const SPAN: Duration = Duration::from_millis(2_000);

/// T2: the server and the bare loop alternate, each on its own growing database.
pub fn run() -> Vec<Figure> {
    let directory = server::directory();
    let config = backlog::config_in(&directory);
    backlog::fill(&config, backlog::QUEUE, Lane::Async, 1_000);
    let mut bare = bare::open(&server::file_of(&config));
    server::in_system(async {
        let running = server::start(Config::default());
        running.set_paused("bench", true).await;
        submit(running.addr, Until::Made(20)).await;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let (connection, reference) = server::run_blocking(move || {
                let reference = bare::insert(&bare, SPAN);
                (bare, reference)
            })
            .await;
            bare = connection;
            let requests = submit(running.addr, Until::Over(SPAN)).await.per_second();
            rounds.push((requests * JOBS as f64, reference));
        }
        running.server.stop();
        let (submitted, inserted) = median_round("T2", rounds);
        vec![Figure::new(
            "T2",
            "bulk submissions over HTTP, 1,000 jobs per request, 4 connections",
            (submitted, "jobs/s"),
            (inserted, "a bare loop of prepared inserts of the same rows, 1,000 per transaction"),
            Some(Goal::AtLeast(0.6)),
        )]
    })
}

async fn submit(addr: SocketAddr, until: Until) -> Calls {
    server::run_blocking(move || send(addr, until)).await
}

/// Sends requests of [`JOBS`] jobs each, one job per line.
pub fn send(addr: SocketAddr, until: Until) -> Calls {
    let target = Target { addr, connections: CONNECTIONS, status: 202 };
    let request = request();
    target.call(until, move |_| request.clone())
}

fn request() -> Bytes {
    let lines = format!("{BODY}\n").repeat(JOBS as usize);
    post("/v1/jobs", "application/x-ndjson", &lines)
}
