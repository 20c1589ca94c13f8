//! T10: status reads while jobs are submitted.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::rt::time::sleep;
use futures_util::future::join;
use longshore::config::Config;

use crate::load::{BODY, Calls, Target, Until, get, post};
use crate::report::{Figure, Goal, median_round};
use crate::server;
use crate::submit::{self, CONNECTIONS, EMPTY, ROUNDS};

const SPAN: Duration = Duration::from_secs(5);
const PARSE_SPAN: Duration = Duration::from_millis(2_500);
/// Time by which the submissions start earlier and end later than the reads.
const MARGIN: Duration = Duration::from_millis(250);

/// T10: reads during submissions at half the rate that submissions reach alone.
pub fn run() -> Vec<Figure> {
    server::in_system(async {
        let running = server::start(Config::default());
        running.set_paused("bench", true).await;
        let addr = running.addr;
        submit::parse(addr, Duration::from_secs(1)).await;
        submit::submit(addr, Duration::from_secs(1)).await;
        let alone = submit::submit(addr, Duration::from_secs(2)).await;
        let pace = alone.per_second() / 2.0;
        let mut rounds = Vec::new();
        for _ in 0..ROUNDS {
            let empty = submit::parse(addr, PARSE_SPAN).await;
            let (submitted, read) = join(submit_paced(addr, pace), async {
                sleep(MARGIN).await;
                read(addr, alone.count).await
            })
            .await;
            print_pace(submitted.per_second(), pace);
            rounds.push((read.per_second(), empty));
        }
        running.server.stop();
        let (read, empty) = median_round("T10", rounds);
        vec![Figure::new(
            "T10",
            "GET /v1/jobs/{id}, 64 connections, during submissions at half the rate of T1",
            (read, "reads/s"),
            (empty, EMPTY),
            Some(Goal::AtLeast(0.4)),
        )]
    })
}

async fn submit_paced(addr: SocketAddr, pace: f64) -> Calls {
    let request = post("/v1/jobs", "application/json", BODY);
    let target = Target { addr, connections: CONNECTIONS, status: 202 };
    server::run_blocking(move || target.call_paced(SPAN + 2 * MARGIN, pace, request)).await
}

/// Reads jobs in pseudo-random order.
async fn read(addr: SocketAddr, jobs: u64) -> Calls {
    let target = Target { addr, connections: CONNECTIONS, status: 200 };
    let request = move |number: u64| {
        let id = number.wrapping_mul(2_654_435_761) % jobs + 1;
        get(&format!("/v1/jobs/{id}"))
    };
    server::run_blocking(move || target.call(Until::Over(SPAN), request)).await
}

fn print_pace(reached: f64, pace: f64) {
    let warning =
        if (reached / pace - 1.0).abs() > 0.1 { ": NOT within 10 % of the target" } else { "" };
    eprintln!(
        "T10: {reached:.0} jobs/s were submitted during the reads, target {pace:.0}{warning}"
    );
}
