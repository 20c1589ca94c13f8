//! Cancelling jobs that wait, run or are final.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::kit::http::Target;
use crate::kit::{Server, Setup, TEST_TIMEOUT, echo, eventually, sleep, with};

fn cancel(server: &Server, id: i64) -> serde_json::Value {
    server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200)
}

#[test]
fn a_scheduled_job_is_cancelled_at_once() {
    let server = Server::start();
    let id = server.submit(&with(echo(1), &json!({"delay": "1h"})));
    let job = cancel(&server, id);
    assert_eq!(job["state"], "cancelled");
    assert_eq!(job["error"]["code"], "cancelled");
    assert!(job["finished_at"].is_string());
    assert_eq!(job["started_at"], json!(null));
    // A second cancel changes nothing and succeeds.
    assert_eq!(cancel(&server, id), job);
}

#[test]
fn a_completed_job_is_not_cancelled() {
    let server = Server::start();
    let id = server.run(&echo(1))["id"].as_i64().unwrap();
    let answer = server.post_empty(&format!("/v1/jobs/{id}/cancel"));
    assert!(answer.problem(409).contains("completed"), "{answer:?}");
    server.post_empty("/v1/jobs/99/cancel").problem(404);
    server.post_empty("/v1/jobs/x/cancel").problem(404);
}

#[test]
fn a_cancelled_sleep_job_stops_at_once() {
    let server = Server::start();
    let id = server.submit(&sleep("1h"));
    server.wait_for_state(id, "running");
    let started = Instant::now();
    cancel(&server, id);
    let job = server.wait_until_final(id);
    assert_eq!(job["state"], "cancelled");
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}

#[test]
fn cancelling_an_http_job_closes_its_connection() {
    let server = Server::start();
    let (sender, calls) = mpsc::channel();
    let target = Target::start(move |caller, _| {
        sender.send("called").unwrap();
        caller.wait_until_closed();
        sender.send("closed").unwrap();
    });
    let id = server.submit(&json!({"kind": "http", "payload": {"url": target.url("/")}}));
    assert_eq!(calls.recv_timeout(TEST_TIMEOUT), Ok("called"));
    cancel(&server, id);
    assert_eq!(calls.recv_timeout(TEST_TIMEOUT), Ok("closed"));
    assert_eq!(server.wait_until_final(id)["state"], "cancelled");
}

#[test]
fn cancelling_a_command_ends_its_process_group() {
    let script =
        "trap '' TERM; sleep 1000 & echo $$ $! > pids.new; mv pids.new pids; wait; sleep 1000";
    let setup = Setup::new();
    let directory = setup.directory().display().to_string();
    let config = format!(
        "[commands.stubborn]\nargv = ['/bin/sh', '-c', \"{script}\"]\ncwd = '{directory}'\nenv = {{ PATH = '/usr/bin:/bin' }}"
    );
    let server = setup.config(config).start();
    let id = server.submit(&json!({"kind": "command", "payload": {"name": "stubborn"}}));
    let pids = server.directory().join("pids");
    let text = eventually("the command runs", || std::fs::read_to_string(&pids).ok());
    let pids: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    assert_eq!(pids.len(), 2);
    cancel(&server, id);
    assert_eq!(server.wait_until_final(id)["state"], "cancelled");
    for pid in pids {
        eventually("the process has ended", || has_ended(&pid).then_some(()));
    }
}

/// Returns whether a process has ended. A zombie, which is not reaped yet, has ended as well.
fn has_ended(pid: &str) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z')),
        Err(_) => true,
    }
}

#[test]
fn a_job_between_two_attempts_is_cancelled_at_once() {
    let server = Server::start();
    let target = Target::start(|caller, _| caller.answer("500 Internal", "", ""));
    let call = json!({"kind": "http", "payload": {"url": target.url("/")}});
    let id = server.submit(&with(call, &json!({"backoff": {"initial": "1h"}})));
    server.wait_for_state(id, "retrying");
    let job = cancel(&server, id);
    assert_eq!(job["state"], "cancelled");
    assert_eq!(job["failures"].as_array().unwrap().len(), 1);
}
