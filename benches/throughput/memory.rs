//! T7: the memory of the program.

use std::time::Duration;

use crate::bulk;
use crate::load::{Until, get, patch};
use crate::program::Program;
use crate::report::{Figure, Goal};

const JOBS: u64 = 1_000_000;
/// Pause before the memory is read, so that the server is idle.
const SETTLE_TIME: Duration = Duration::from_secs(2);

/// T7: resident memory after the start, and its growth by a million queued jobs.
pub fn run() -> Vec<Figure> {
    let program = Program::start();
    program.call(get("/readyz"));
    let idle = program.resident_mb();
    let idle_figure = Figure::new(
        "T7.idle",
        "resident memory after the start",
        (idle, "MB"),
        (40.0, "the limit, MB"),
        Some(Goal::AtMost(1.0)),
    );
    program.call(patch("/v1/queues/bench", r#"{"paused":true}"#));
    bulk::send(program.addr, Until::Made(JOBS / bulk::JOBS));
    std::thread::sleep(SETTLE_TIME);
    let grown = program.resident_mb() - idle;
    let queue = program.call(get("/v1/queues/bench"));
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
