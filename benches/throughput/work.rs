//! A fixed amount of work without measurements, for a profiler: see `benches/instructions`.

use longshore::config::Config;

use crate::drain::until_completed;
use crate::load::{BODY, Target, Until, post, post_with};
use crate::server;
use crate::submit::CONNECTIONS;

/// Kind of work.
#[derive(Debug, Clone, Copy)]
pub enum Work {
    /// Parses submissions and stores nothing.
    Parse,
    /// Submits jobs to a paused queue.
    Submit,
    /// The same, with a key on every request.
    Keyed,
    /// Submits jobs, runs them and stores their results.
    Complete,
}

/// Returns the kind of work of this name.
pub fn named(name: &str) -> Option<Work> {
    let all = [
        ("parse", Work::Parse),
        ("submit", Work::Submit),
        ("keyed", Work::Keyed),
        ("complete", Work::Complete),
    ];
    all.into_iter().find_map(|(known, work)| (known == name).then_some(work))
}

/// Does this work for `jobs` jobs.
pub fn run(work: Work, jobs: u64) {
    server::in_system(async {
        let running = server::start(Config::default());
        running.set_paused("bench", !matches!(work, Work::Complete)).await;
        let path = if matches!(work, Work::Parse) { "/parse" } else { "/v1/jobs" };
        let request = match work {
            Work::Keyed => post_with(path, &running.create_key().await, BODY),
            _ => post(path, "application/json", BODY),
        };
        let target = Target { addr: running.addr, connections: CONNECTIONS, status: 202 };
        let made =
            server::run_blocking(move || target.call(Until::Made(jobs), move |_| request.clone()));
        let made = made.await.count as usize;
        if matches!(work, Work::Complete) {
            until_completed(&running.handle(), "bench", made).await;
        }
        running.server.stop();
    });
}
