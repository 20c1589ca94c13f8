//! Restarts after a kill: interrupted, waiting and cancelled jobs.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::http::Target;
use crate::kit::{Server, Setup, echo, eventually, sleep, with};

/// Number of jobs that the kill interrupts.
const JOBS: usize = 300;

#[test]
fn jobs_that_a_killed_server_was_running_run_again_soon() {
    let mut server = Server::start();
    let jobs: Vec<Value> = (0..JOBS).map(|_| sleep("1h")).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    let all_run = |server: &Server| {
        eventually("all jobs run", || {
            let running = server.queue("default")["jobs"]["running"].as_u64();
            (running == Some(JOBS as u64)).then_some(())
        });
    };
    all_run(&server);
    server.kill();
    let started = Instant::now();
    server.restart();
    let listening = started.elapsed();
    all_run(&server);
    let took = started.elapsed();
    eprintln!(
        "restart: {JOBS} interrupted jobs ran again {took:?} after the start, which took {listening:?}"
    );
    assert!(took < Duration::from_secs(20), "{took:?}");
    let job = server.job(1);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("running"), &json!(2)));
    assert_eq!(job["failures"][0]["code"], "lost", "{job}");
}

#[test]
fn an_interrupted_at_most_once_job_fails_with_outcome_unknown() {
    let mut server = Server::start();
    let at_most_once = |job: Value| with(job, &json!({"at_most_once": true}));
    let interrupted = server.submit(&at_most_once(sleep("1h")));
    server.wait_for_state(interrupted, "running");
    let waiting = server.submit(&at_most_once(with(echo(1), &json!({"delay": "500ms"}))));
    server.kill();
    server.restart();
    let job = server.job(interrupted);
    assert_eq!(job["state"], "failed");
    assert_eq!(job["error"]["code"], "outcome_unknown");
    // A job that had not started runs.
    assert_eq!(server.wait_until_final(waiting)["state"], "completed");
}

#[test]
fn a_cancel_request_survives_a_kill_before_the_job_stops() {
    let script = "trap '' TERM; echo 1 > started; sleep 5";
    let setup = Setup::new();
    let directory = setup.directory().display().to_string();
    let config = format!(
        "[commands.stubborn]\nargv = ['/bin/sh', '-c', \"{script}\"]\ncwd = '{directory}'\nenv = {{ PATH = '/usr/bin:/bin' }}"
    );
    let mut server = setup.config(config).start();
    let id = server.submit(&json!({"kind": "command", "payload": {"name": "stubborn"}}));
    eventually("the command runs", || server.directory().join("started").exists().then_some(()));
    let job = server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    assert_eq!((&job["state"], &job["cancel_requested"]), (&json!("running"), &json!(true)));
    server.kill();
    server.restart();
    assert_eq!(server.job(id)["state"], "cancelled");
}

#[test]
fn scheduled_and_retrying_jobs_start_after_a_restart() {
    let mut server = Server::start();
    let target = Target::start(|caller, _| caller.answer("503 Busy", "retry-after: 2\r\n", ""));
    let retrying = server.submit(&json!({"kind": "http", "payload": {"url": target.url("/")}}));
    let scheduled = server.submit(&with(echo(1), &json!({"delay": "1s"})));
    server.wait_for_state(retrying, "retrying");
    server.kill();
    server.restart();
    assert_eq!(server.wait_until_final(scheduled)["state"], "completed");
    eventually("the next attempt", || {
        (server.job(retrying)["failures"].as_array().unwrap().len() == 2).then_some(())
    });
}
