//! T3: draining a backlog through the Dispatcher and the workers.

use std::time::{Duration, Instant};

use longshore::job::Lane;
use longshore::server::Handle;
use tempfile::TempDir;

use crate::backlog::{self, Backlog, QUEUE, config_in};
use crate::report::{Figure, Goal, median_round};
use crate::{bare, server};

pub const JOBS: usize = 200_000;
pub const ROUNDS: usize = 5;

/// T3: the server drains the backlog; the reference is a bare loop over the same table.
pub fn run() -> Vec<Figure> {
    let backlog = Backlog::new(|config| backlog::fill(config, QUEUE, Lane::Async, JOBS));
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let directory = backlog.copy();
        let bare = bare::drain(&bare::open(&server::file_of(&config_in(&directory))), JOBS);
        drop(directory);
        rounds.push((drain_rate(backlog.copy()), bare));
    }
    let (served, bare) = median_round("T3", rounds);
    vec![Figure::new(
        "T3",
        "draining 200,000 queued echo jobs, results stored",
        (served, "jobs/s"),
        (bare, "a bare loop of the same three statements, 500 jobs per transaction"),
        Some(Goal::AtLeast(0.7)),
    )]
}

/// Serves the database in `directory` until its backlog is completed. Returns jobs per second.
pub fn drain_rate(directory: TempDir) -> f64 {
    server::in_system(async {
        let config = config_in(&directory);
        let running = server::start_in(directory, config);
        let started = Instant::now();
        running.set_paused(QUEUE, false).await;
        until_completed(&running.handle(), QUEUE, JOBS).await;
        let rate = JOBS as f64 / started.elapsed().as_secs_f64();
        running.server.stop();
        rate
    })
}

/// Polls the queue's counts until `count` jobs are completed.
pub async fn until_completed(handle: &Handle, queue: &str, count: usize) {
    loop {
        let queue =
            handle.queue(queue.parse().expect("a valid name")).await.expect("the queue is read");
        if queue.is_some_and(|queue| queue.jobs.completed >= count as i64) {
            return;
        }
        actix_web::rt::time::sleep(Duration::from_millis(5)).await;
    }
}
