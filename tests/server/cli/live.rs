//! Commands that read event streams, against a running server.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::cli::{run, stderr, stdout};
use crate::kit::process::longshore;
use crate::kit::{Server, Setup, TEST_TIMEOUT, echo, sleep, with};

/// Writes a file of submissions, with blank lines between them, and returns its path.
fn batch_file(server: &Server, lines: &[Value]) -> String {
    let path = server.directory().join("jobs.ndjson");
    let text: String = lines.iter().map(|line| format!("{line}\n\n")).collect();
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A command that runs until it is killed.
struct Running(Child);

impl Running {
    fn start(server: &Server, args: &[&str]) -> Self {
        let mut command = longshore(args);
        command.env("LONGSHORE_URL", server.url()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    fn end(&mut self) {
        // Killing fails if the command has already ended, which is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    fn lines(&mut self) -> impl Iterator<Item = String> + use<> {
        BufReader::new(self.0.stdout.take().unwrap()).lines().map_while(Result::ok)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

#[test]
fn a_batch_is_waited_for_and_its_counts_are_printed() {
    let server = Server::start();
    let file = batch_file(&server, &[sleep("300ms"), echo(1)]);
    let output = run(&server, &["batch", &file, "--name", "two"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = stdout(&output);
    assert!(text.starts_with("batch 1: 2 of 2 completed, 0 failed, 0 cancelled"), "{text}");
    assert!(stderr(&output).contains(&format!("{}/v1/batches/1", server.url())), "{output:?}");
    let output = run(&server, &["batch", &file, "--json"]);
    let batch: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&batch["id"], &batch["counts"]["completed"]), (&json!(2), &json!(2)));
    assert!(batch["finished_at"].is_string() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_batch_with_a_failure_ends_with_5() {
    let server = Server::start();
    let unreachable =
        json!({"kind": "http", "payload": {"url": "http://127.0.0.1:1/"}, "max_attempts": 1});
    let file = batch_file(&server, &[echo(1), unreachable]);
    let output = run(&server, &["batch", &file]);
    assert_eq!(output.status.code(), Some(5), "{output:?}");
    assert!(stdout(&output).contains("1 of 2 completed, 1 failed"), "{output:?}");
    assert!(stderr(&output).contains("longshore list --batch 1"), "{output:?}");
}

#[test]
fn a_batch_need_not_be_waited_for_and_its_key_returns_it_again() {
    let server = Server::start();
    let file = batch_file(&server, &[sleep("1h")]);
    for _ in 0..2 {
        let output = run(&server, &["batch", &file, "--no-wait", "--idempotency-key", "once"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert!(stdout(&output).starts_with("batch 1\t1 jobs\thttp://"), "{output:?}");
    }
}

#[test]
fn an_invalid_submission_of_a_batch_is_reported_by_its_line() {
    let server = Server::start();
    let wrong_priority = with(echo(1), &json!({"priority": 1_000}));
    let file = batch_file(
        &server,
        &[echo(1), json!({"kind": "nope"}), json!({"kind": 7}), wrong_priority],
    );
    let output = run(&server, &["batch", &file]);
    assert_eq!(output.status.code(), Some(4), "{output:?}");
    // The server checks the types of all submissions before their values.
    let text = stderr(&output);
    assert!(text.contains("line 5 /kind: ") && !text.contains("/jobs/"), "{text}");
    let file = batch_file(&server, &[echo(1), json!({"kind": "nope"}), json!({"kind": "nope"})]);
    let text = stderr(&run(&server, &["batch", &file]));
    assert!(text.contains("line 3 /kind: ") && text.contains("line 5 /kind: "), "{text}");
    assert!(server.get("/v1/jobs").expect(200)["jobs"].as_array().unwrap().is_empty());
}

#[test]
fn the_log_of_a_command_is_printed_and_followed_to_its_end() {
    let config = "[commands.say]\nargv = ['sh', '-c', 'for n in 1 2 3; do echo line $n >&2; sleep 0.3; done']";
    let server = Setup::new().config(config).start();
    let id = server.submit(&json!({"kind": "command", "payload": {"name": "say"}})).to_string();
    let output = run(&server, &["logs", &id, "--follow"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(stdout(&output), "line 1\nline 2\nline 3\n");
    assert_eq!(stdout(&run(&server, &["logs", &id])), "line 1\nline 2\nline 3\n");
    let log: Value =
        serde_json::from_str(&stdout(&run(&server, &["logs", &id, "--json"]))).unwrap();
    assert_eq!(log, json!({"from": 0, "to": 21, "text": "line 1\nline 2\nline 3\n"}));
    let none = server.submit(&echo(1)).to_string();
    server.wait_until_final(2);
    let output = run(&server, &["logs", &none, "--follow"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""), "{output:?}");
}

#[test]
fn tail_prints_one_line_per_event() {
    let server = Server::start();
    let mut tail = Running::start(&server, &["tail", "--queue", "mail"]);
    let lines = tail.lines();
    // Jobs that end before the subscription starts are not reported, so jobs are submitted until a
    // line has been seen.
    let is_seen = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let started = Instant::now();
            while !is_seen.load(Ordering::Relaxed) && started.elapsed() < TEST_TIMEOUT {
                server.submit(&echo("in another queue"));
                server.submit(&with(echo(1), &json!({"queue": "mail"})));
                std::thread::sleep(Duration::from_millis(50));
            }
            // The iterator over the lines ends when the command is killed.
            tail.end();
        });
        let line = lines.into_iter().find(|line| line.contains("completed"));
        is_seen.store(true, Ordering::Relaxed);
        let line = line.unwrap();
        assert!(line.contains("echo") && line.contains("mail"), "{line}");
    });
}
