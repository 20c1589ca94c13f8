//! Webhooks: what they cost the jobs that have them, and how fast they are delivered.

use std::time::Instant;

use longshore::config::Config;
use longshore::job::Lane;
use longshore::job::submission::on_end::callback::{CALLBACK_QUEUE, Callback};

use crate::backlog::{self, Backlog, QUEUE, config_in};
use crate::drain::until_completed;
use crate::kit::embedded::loopback;
use crate::kit::http::{Target, response};
use crate::report::{Figure, median_round, quantile};
use crate::server;

const JOBS: usize = 10_000;
const ROUNDS: usize = 5;

/// Drains jobs with webhooks, and as the reference the same jobs without.
pub fn run() -> Vec<Figure> {
    let receiver = Target::start(|reply, _| {
        reply.send(response("200 OK", "", ""));
    });
    let callback =
        Callback { url: receiver.url("/hook"), events: None, include_result: false, secret: None };
    let with = Backlog::new(|config| {
        backlog::fill_with_callback(config, QUEUE, Lane::Async, JOBS, Some(callback));
    });
    let without = Backlog::new(|config| backlog::fill(config, QUEUE, Lane::Async, JOBS));
    let (mut rounds, mut deliveries) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (alone, _) = drain(&without, 0);
        let (beside, delivered) = drain(&with, JOBS);
        rounds.push((beside, alone));
        deliveries.push(delivered);
    }
    let (served, alone) = median_round("callbacks", rounds);
    vec![
        Figure::new(
            "callbacks",
            "draining 10,000 echo jobs, each with a webhook",
            (served, "jobs/s"),
            (alone, "the same jobs without webhooks"),
            None,
        ),
        Figure::new(
            "deliveries",
            "their webhooks, delivered to one receiver on this machine",
            (quantile(&mut deliveries, 0.5), "webhooks/s"),
            (served, "the jobs"),
            None,
        ),
    ]
}

/// Drains a backlog. Returns jobs per second, and webhooks per second from the start until the last one is
/// delivered.
fn drain(backlog: &Backlog, webhooks: usize) -> (f64, f64) {
    server::in_system(async {
        let directory = backlog.copy();
        let mut config: Config = config_in(&directory);
        config.outbound.allow_networks = loopback();
        let running = server::start_in(directory, config);
        let started = Instant::now();
        running.set_paused(QUEUE, false).await;
        until_completed(&running.handle(), QUEUE, JOBS).await;
        let rate = JOBS as f64 / started.elapsed().as_secs_f64();
        if webhooks > 0 {
            until_completed(&running.handle(), CALLBACK_QUEUE, webhooks).await;
        }
        let delivered = webhooks as f64 / started.elapsed().as_secs_f64();
        running.server.stop();
        (rate, delivered)
    })
}
