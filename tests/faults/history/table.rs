//! Jobs that the server has at the end of a run.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::Value;

use super::{Hash, hash};
use crate::kit::{Server, TEST_TIMEOUT, eventually};

/// Job as it is stored at the end of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredJob {
    pub(crate) tag: String,
    pub(crate) state: String,
    pub(crate) attempt: i64,
    /// Hash of its result, if it has completed.
    pub(crate) result: Option<Hash>,
    /// Code of its error, if it has one.
    pub(crate) error: Option<String>,
}

impl StoredJob {
    fn read(job: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let state = text(&job["state"]).unwrap();
        Self {
            tag: text(&job["tags"][0]).unwrap_or_default(),
            attempt: job["attempt"].as_i64().unwrap(),
            result: (state == "completed").then(|| hash(&job["result"])),
            error: text(&job["error"]["code"]),
            state,
        }
    }

    /// Returns whether the job has ended.
    pub(crate) fn is_final(&self) -> bool {
        is_final(&self.state)
    }
}

/// Returns whether a state is final.
pub(crate) fn is_final(state: &str) -> bool {
    matches!(state, "completed" | "failed" | "cancelled")
}

/// Every job, by its id.
pub(crate) type Table = BTreeMap<i64, StoredJob>;

/// Reads every job of a server.
pub(crate) fn of(server: &Server) -> Table {
    let jobs = server.all_jobs();
    jobs.iter().map(|(id, job)| (*id, StoredJob::read(job))).collect()
}

/// Waits until every job has ended, and reads all jobs.
pub(crate) fn of_ended_jobs(server: &Server) -> Table {
    wait_until_all_end(server);
    of(server)
}

/// Waits until every job has ended.
pub(crate) fn wait_until_all_end(server: &Server) {
    let (started, mut was_shown) = (Instant::now(), false);
    eventually("every job ends", || {
        let queues = server.get("/v1/queues").expect(200);
        let live = |queue: &Value| {
            let count = |state: &str| queue["jobs"][state].as_i64().unwrap();
            count("queued") + count("running") + count("retrying") + count("scheduled")
        };
        let left: i64 = queues["queues"].as_array().unwrap().iter().map(live).sum();
        if left > 0 && started.elapsed() > TEST_TIMEOUT * 9 / 10 && !was_shown {
            was_shown = true;
            show_live_jobs(server);
        }
        (left == 0).then_some(())
    });
}

/// Prints the jobs that have not ended, because the test is about to fail for them.
fn show_live_jobs(server: &Server) {
    let jobs = server.all_jobs();
    for job in jobs.values().filter(|job| !is_final(job["state"].as_str().unwrap())).take(20) {
        eprintln!("this job has not ended: {}", server.job(job["id"].as_i64().unwrap()));
    }
}
