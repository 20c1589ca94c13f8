//! After a kill everything goes on.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::target::Target;
use crate::kit::{Server, Setup, echo, eventually, sleep, with};

/// How many jobs are interrupted.
const JOBS: usize = 300;

#[test]
fn what_a_killed_server_was_running_runs_again_soon() {
    let mut server = Server::start();
    let jobs: Vec<Value> = (0..JOBS).map(|_| sleep("1h")).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    let all_run = |server: &Server| {
        eventually("all run", || {
            let running = server.queue("default")["jobs"]["running"].as_u64();
            (running == Some(JOBS as u64)).then_some(())
        });
    };
    all_run(&server);
    server.kill();
    let began = Instant::now();
    server.start_again();
    let listening = began.elapsed();
    all_run(&server);
    let took = began.elapsed();
    eprintln!(
        "restart: {JOBS} interrupted jobs ran again {took:?} after the start, which took {listening:?}"
    );
    assert!(took < Duration::from_secs(20), "{took:?}");
    let job = server.job(1);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("running"), &json!(2)));
    assert_eq!(job["failures"][0]["code"], "lost", "{job}");
}

#[test]
fn a_job_that_may_run_only_once_ends_as_unknown_where_it_was_interrupted() {
    let mut server = Server::start();
    let once = |job: Value| with(job, &json!({"at_most_once": true}));
    let interrupted = server.submit(&once(sleep("1h")));
    server.reaches(interrupted, "running");
    let waiting = server.submit(&once(with(echo(1), &json!({"delay": "500ms"}))));
    server.kill();
    server.start_again();
    let job = server.job(interrupted);
    assert_eq!(job["state"], "failed");
    assert_eq!(job["error"]["code"], "outcome_unknown");
    // One that had not begun runs.
    assert_eq!(server.finished(waiting)["state"], "completed");
}

#[test]
fn a_cancellation_is_kept_though_the_server_is_killed_before_the_job_stops() {
    let script = "trap '' TERM; echo 1 > begun; sleep 5";
    let setup = Setup::new();
    let directory = setup.directory().display().to_string();
    let config = format!(
        "[commands.stubborn]\nargv = ['/bin/sh', '-c', \"{script}\"]\ncwd = '{directory}'\nenv = {{ PATH = '/usr/bin:/bin' }}"
    );
    let mut server = setup.config(config).start();
    let id = server.submit(&json!({"kind": "command", "payload": {"name": "stubborn"}}));
    eventually("the command runs", || server.directory().join("begun").exists().then_some(()));
    let job = server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    assert_eq!((&job["state"], &job["cancel_requested"]), (&json!("running"), &json!(true)));
    server.kill();
    server.start_again();
    assert_eq!(server.job(id)["state"], "cancelled");
}

#[test]
fn what_waits_for_its_time_is_begun_after_a_restart() {
    let mut server = Server::start();
    let target = Target::start(|caller, _| caller.answer("503 Busy", "retry-after: 2\r\n", ""));
    let retrying = server.submit(&json!({"kind": "http", "payload": {"url": target.url("/")}}));
    let scheduled = server.submit(&with(echo(1), &json!({"delay": "1s"})));
    server.reaches(retrying, "retrying");
    server.kill();
    server.start_again();
    assert_eq!(server.finished(scheduled)["state"], "completed");
    eventually("the next attempt", || {
        (server.job(retrying)["failures"].as_array().unwrap().len() == 2).then_some(())
    });
}
