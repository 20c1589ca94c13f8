//! T1 and T4: single durable submissions over HTTP.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use longshore::config::Config;

use crate::drain::until_completed;
use crate::load::{BODY, Calls, Target, Until, post};
use crate::report::{Figure, Goal, median_round};
use crate::server;

pub const CONNECTIONS: usize = 64;
/// Description of the reference of T1, T4 and T10.
pub const EMPTY: &str = "a handler of the same server that parses the same body and stores nothing";
pub const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_secs(2);
const SUSTAINED: Duration = Duration::from_secs(30);

/// T1: submissions to a paused queue, so that only the cost of submitting is measured.
pub fn run() -> Vec<Figure> {
    server::in_system(async {
        let running = server::start(Config::default());
        running.set_paused("bench", true).await;
        submit(running.addr, Duration::from_secs(1)).await;
        parse(running.addr, Duration::from_secs(1)).await;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let empty = parse(running.addr, SPAN).await;
            rounds.push((submit(running.addr, SPAN).await.per_second(), empty));
        }
        running.server.stop();
        let (submitted, empty) = median_round("T1", rounds);
        vec![Figure::new(
            "T1",
            "single submissions over HTTP, 64 connections",
            (submitted, "jobs/s"),
            (empty, EMPTY),
            Some(Goal::AtLeast(0.6)),
        )]
    })
}

/// T4: submissions to a queue that runs, measured until all submitted jobs are completed.
pub fn to_completed() -> Vec<Figure> {
    server::in_system(async {
        let running = server::start(Config::default());
        parse(running.addr, Duration::from_secs(1)).await;
        let before = parse(running.addr, SPAN).await;
        let started = Instant::now();
        let submitted = submit(running.addr, SUSTAINED).await;
        until_completed(&running.handle(), "bench", submitted.count as usize).await;
        let took = started.elapsed().as_secs_f64();
        let after = parse(running.addr, SPAN).await;
        running.server.stop();
        eprintln!(
            "T4: {:.0} submissions/s, the last job completed {:.2} s after the last submission; \
             the reference was {before:.0} before and {after:.0} after",
            submitted.per_second(),
            took - submitted.secs
        );
        vec![Figure::new(
            "T4",
            "single submissions over HTTP until completed, for 30 s",
            (submitted.count as f64 / took, "jobs/s"),
            (f64::midpoint(before, after), EMPTY),
            Some(Goal::AtLeast(0.35)),
        )]
    })
}

/// Submits jobs for the duration `span`.
pub async fn submit(addr: SocketAddr, span: Duration) -> Calls {
    call(addr, "/v1/jobs", span).await
}

/// Calls the reference for the duration `span`. Returns calls per second.
pub async fn parse(addr: SocketAddr, span: Duration) -> f64 {
    call(addr, "/parse", span).await.per_second()
}

async fn call(addr: SocketAddr, path: &str, span: Duration) -> Calls {
    let request = post(path, "application/json", BODY);
    let target = Target { addr, connections: CONNECTIONS, status: 202 };
    server::run_blocking(move || target.call(Until::Over(span), move |_| request.clone())).await
}
