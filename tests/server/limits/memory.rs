//! Large payloads: how many of them are in memory at once.

use serde_json::{Value, json};

use crate::kit::usage::{memory, peak_memory};
use crate::kit::{Server, Setup, echo, eventually};

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
fn memory_is_given_back_after_a_flood_of_large_requests() {
    let server = Server::start();
    let before = memory(&server);
    server.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    let list = Value::from(vec![echo("x".repeat(1_000_000)); 14]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            // Some may be refused.
            scope.spawn(|| (0..3).for_each(|_| drop(server.post("/v1/jobs", &list))));
        }
    });
    let peak = peak_memory(&server);
    assert!(peak - before > 60 << 20, "the flood took only {} MiB", (peak - before) >> 20);
    eventually("the memory is given back", || {
        (memory(&server) < before + (80 << 20)).then_some(())
    });
}

#[test]
fn further_jobs_with_large_payloads_wait_while_those_that_run_use_up_their_limit() {
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
    assert_eq!(state(third), "queued");
    // A small payload in another lane does not wait.
    assert_eq!(server.wait_until_final(small)["state"], "completed");
    server.post_empty(&format!("/v1/jobs/{first}/cancel")).expect(200);
    server.wait_for_state(third, "running");
    assert_eq!(state(second), "running");
}

#[test]
fn jobs_with_large_payloads_that_run_for_long_stop_no_other_queue() {
    let config = "limits.max_running_bytes = 1000000\nlanes.process = 8\n\
                  commands.wait.argv = ['sleep', '1000']\ncommands.true.argv = ['true']";
    let server = Setup::new().config(config).start();
    let state = |id: i64| server.job(id)["state"].as_str().unwrap().to_owned();
    let stdin = "x".repeat(300_000);
    let large = json!({"kind": "command", "queue": "evil", "timeout": "1h",
        "payload": {"name": "wait", "stdin": stdin}});
    let ids: Vec<i64> = (0..5).map(|_| server.submit(&large)).collect();
    let states: Vec<_> = ids.iter().map(|id| state(*id)).collect();
    assert_eq!(states, ["running", "running", "running", "queued", "queued"]);
    // Small payloads of another queue start in the same lane, and a large one gets a share.
    let good = |name, stdin: &str| {
        server.submit(&json!({"kind": "command", "queue": "good",
            "payload": {"name": name, "stdin": stdin}}))
    };
    assert_eq!(server.wait_until_final(good("true", ""))["state"], "completed");
    assert_eq!(state(good("wait", &"x".repeat(50_000))), "running");
    // Behind the large ones of its own queue, a job waits until the first of them has left the line.
    let mut small = large.clone();
    small["payload"]["stdin"] = json!("");
    let small = server.submit(&small);
    assert_eq!(state(small), "queued");
    for id in &ids[3..] {
        server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    }
    server.wait_for_state(small, "running");
}
