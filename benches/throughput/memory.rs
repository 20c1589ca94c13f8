//! T7: the memory of the program.

use std::time::Duration;

use serde_json::json;

use crate::bulk;
use crate::kit::Server;
use crate::load::Until;
use crate::report::{Figure, Goal};

const JOBS: u64 = 1_000_000;
/// Pause before the memory is read, so that the server is idle.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// T7: resident memory after the start, and its growth by a million queued jobs.
pub fn run() -> Vec<Figure> {
    let server = Server::start();
    server.get("/readyz").expect(200);
    let idle = resident_mb(&server);
    let idle_figure = Figure::new(
        "T7.idle",
        "resident memory after the start",
        (idle, "MB"),
        (40.0, "the limit, MB"),
        Some(Goal::AtMost(1.0)),
    );
    server.patch("/v1/queues/bench", &json!({"paused": true})).expect(200);
    bulk::send(server.addr(), Until::Made(JOBS / bulk::JOBS));
    std::thread::sleep(SETTLE_TIME);
    let grown = resident_mb(&server) - idle;
    let queue = server.queue("bench");
    assert_eq!(queue["jobs"]["queued"], JOBS, "{queue}");
    let queued_figure = Figure::new(
        "T7.queued",
        "growth by 1,000,000 queued jobs",
        (grown, "MB"),
        (10.0, "the limit, MB"),
        Some(Goal::AtMost(1.0)),
    );
    vec![idle_figure, queued_figure]
}

/// Returns the resident memory of a server process, in MB.
pub fn resident_mb(server: &Server) -> f64 {
    let path = format!("/proc/{}/status", server.pid());
    let status = std::fs::read_to_string(path).expect("the process runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a size");
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kib * 1_024.0 / 1e6
}
