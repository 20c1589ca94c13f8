//! Large payloads: how many of them are in memory at once.

use serde_json::json;

use crate::kit::usage::peak_memory;
use crate::kit::{Setup, echo, eventually};

#[test]
fn a_queue_of_large_payloads_is_run_a_few_at_a_time_and_in_bounded_memory() {
    const JOBS: u64 = 96;
    let mut server = Setup::new().config("limits.max_running_bytes = 2000000").start();
    server.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    for _ in 0..JOBS {
        server.submit(&echo("x".repeat(1_000_000)));
    }
    server.terminate();
    server.wait_for_exit();
    server.restart();
    let before = peak_memory(&server);
    server.patch("/v1/queues/default", &json!({"paused": false})).expect(200);
    eventually("all jobs have ended", || {
        (server.queue("default")["jobs"]["completed"].as_u64() == Some(JOBS)).then_some(())
    });
    let added = ((peak_memory(&server) - before) >> 10) / 1_000;
    assert!(added < 80, "{JOBS} payloads of 1 MB took {added} MB of memory at once");
}

#[test]
fn further_jobs_wait_while_payloads_of_running_jobs_use_up_their_limit() {
    let config = "limits.max_running_bytes = 1000000\nlanes.process = 4\n\
                  commands.wait.argv = ['sleep', '1000']";
    let server = Setup::new().config(config).start();
    let large =
        json!({"kind": "command", "payload": {"name": "wait", "stdin": "x".repeat(600_000)}});
    let state = |id: i64| server.job(id)["state"].as_str().unwrap().to_owned();
    // The start of a job is committed together with its submission.
    let (first, second) = (server.submit(&large), server.submit(&large));
    assert_eq!((state(first), state(second)), ("running".into(), "running".into()));
    let (third, small) = (server.submit(&large), server.submit(&echo(1)));
    assert_eq!((state(third), state(small)), ("queued".into(), "queued".into()));
    server.post_empty(&format!("/v1/jobs/{first}/cancel")).expect(200);
    server.wait_for_state(third, "running");
    server.post_empty(&format!("/v1/jobs/{second}/cancel")).expect(200);
    assert_eq!(server.wait_until_final(small)["state"], "completed");
}
