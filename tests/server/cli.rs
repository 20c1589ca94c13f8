//! The command line against a running server.

mod batches;
mod fixture;
mod live;
mod providers;
mod update;

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::model::Model;
use crate::kit::process::longshore;
use crate::kit::{Server, Setup, sleep};

/// Runs a command against `server`.
pub(crate) fn run(server: &Server, args: &[&str]) -> Output {
    longshore(args).env("LONGSHORE_URL", server.url()).output().unwrap()
}

/// Returns the stdout of a command.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Returns the stderr of a command.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Checks the exit code of a command.
fn ends_with(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", stdout(output), stderr(output));
}

#[test]
fn the_url_of_a_server_may_have_any_form() {
    let server = Server::start();
    let port = server.addr().port();
    for url in [format!("HTTP://0x7f.1:{port}"), format!("http://2130706433:{port}/a/..//")] {
        let output = longshore(&["queues", "--url", &url]).output().unwrap();
        ends_with(&output, 0);
        let output = longshore(&["open", "--url", &url]).output().unwrap();
        assert_eq!(stdout(&output), format!("http://127.0.0.1:{port}/\n"), "{url}");
    }
    let output = longshore(&["queues", "--url", "http://host:/"]).output().unwrap();
    ends_with(&output, 2);
    assert!(stderr(&output).contains("has an invalid port"), "{}", stderr(&output));
}

#[test]
fn a_submission_that_waits_prints_only_the_result() {
    let server = Server::start();
    let output = run(&server, &["submit", "echo", r#"{"hello": "world"}"#, "--wait"]);
    ends_with(&output, 0);
    let result: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(result, json!({"hello": "world"}));
    let output = run(&server, &["submit", "echo", "1", "--wait", "--json"]);
    let job: Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&job["state"], &job["result"]), (&json!("completed"), &json!(1)));
}

#[test]
fn exit_codes_distinguish_a_refusal_a_failure_and_a_timed_out_wait() {
    let server = Server::start();
    let refused = run(&server, &["submit", "frobnicate"]);
    ends_with(&refused, 4);
    assert!(stderr(&refused).contains("/kind"), "{}", stderr(&refused));
    let unreachable = r#"{"url": "http://127.0.0.1:1/"}"#;
    let failed = run(&server, &["submit", "http", unreachable, "--max-attempts", "1", "--wait"]);
    ends_with(&failed, 5);
    assert!(failed.stdout.is_empty());
    assert!(stderr(&failed).contains("failed"), "{}", stderr(&failed));
    let long = r#"{"duration": "1h"}"#;
    ends_with(&run(&server, &["submit", "sleep", long, "--wait=200ms"]), 6);
    ends_with(&run(&server, &["wait", "2", "--timeout", "0s"]), 6);
    ends_with(&run(&server, &["cancel", "2"]), 0);
    ends_with(&run(&server, &["wait", "2"]), 5);
    ends_with(&run(&server, &["status", "99"]), 4);
    ends_with(&run(&server, &["cancel", "1"]), 4);
}

#[test]
fn jobs_are_listed_shown_cancelled_and_run_again() {
    let server = Server::start();
    let output = run(&server, &["submit", "echo", "7", "--delay", "1h", "--tag", "red"]);
    ends_with(&output, 0);
    assert!(stdout(&output).starts_with(&format!("1\tscheduled\t{}/v1/jobs/1", server.url())));
    server.submit(&sleep("0s"));
    let listed = run(&server, &["list", "--tag", "red", "--json"]);
    ends_with(&listed, 0);
    let text = stdout(&listed);
    assert!(text.contains(r#""id":1"#) && !text.contains(r#""id":2"#), "{text}");
    let text = stdout(&run(&server, &["list", "--state", "scheduled"]));
    assert!(text.contains("echo") && !text.contains("sleep"), "{text}");
    let text = stdout(&run(&server, &["status", "1"]));
    assert!(text.contains("scheduled") && text.contains("red"), "{text}");
    ends_with(&run(&server, &["cancel", "1"]), 0);
    assert_eq!(server.job(1)["state"], "cancelled");
    ends_with(&run(&server, &["retry", "1"]), 0);
    let output = run(&server, &["wait", "1"]);
    ends_with(&output, 0);
    assert_eq!(stdout(&output).trim(), "7");
}

#[test]
fn each_id_of_a_command_is_applied_or_refused_by_itself() {
    let server = Server::start();
    server.run(&crate::kit::echo(1));
    let output = run(&server, &["submit", "echo", "7", "--delay", "1d"]);
    ends_with(&output, 0);
    let output = run(&server, &["cancel", "x", "2", "1", "2", "1.5", "1"]);
    ends_with(&output, 2);
    assert_eq!(stdout(&output), "2\tcancelled\n2\tcancelled\n");
    let text = stderr(&output);
    assert!(text.contains("the id \"x\" must be a number, such as 17"), "{text}");
    assert!(text.contains("the id \"1.5\" must be a number, such as 17"), "{text}");
    assert_eq!(text.matches("job 1: ").count(), 2, "{text}");
    // The second answer is that of the first, so the job was run again once. It does not start meanwhile.
    ends_with(&run(&server, &["pause", "default"]), 0);
    let output = run(&server, &["retry", "1", "1"]);
    ends_with(&output, 0);
    assert_eq!(stdout(&output), "1\tqueued\n1\tqueued\n");
}

#[test]
fn durations_are_texts_with_units_or_numbers_of_seconds() {
    let server = Server::start();
    let options = ["--delay", "1d", "--timeout", "90"];
    ends_with(&run(&server, &[&["submit", "echo", "7"][..], &options].concat()), 0);
    assert_eq!(
        (&server.job(1)["state"], &server.job(1)["timeout"]),
        (&json!("scheduled"), &json!("1m 30s"))
    );
    ends_with(&run(&server, &["wait", "1", "--timeout", "0.05"]), 6);
    let refused = run(&server, &["submit", "echo", "7", "--delay", "soon"]);
    ends_with(&refused, 2);
    assert!(stderr(&refused).contains("a number of seconds such as 90"), "{}", stderr(&refused));
}

#[test]
fn a_byte_order_mark_of_a_file_is_skipped_and_another_encoding_named() {
    let server = Server::start();
    let file = server.directory().join("jobs.ndjson");
    let path = file.to_str().unwrap();
    let text = "\u{feff}{\"kind\": \"echo\", \"payload\": 1}\n";
    std::fs::write(&file, text).unwrap();
    ends_with(&run(&server, &["submit", "--ndjson", path]), 0);
    ends_with(&run(&server, &["batch", path]), 0);
    let utf16: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
    std::fs::write(&file, utf16).unwrap();
    for command in [&["submit", "--ndjson", path][..], &["batch", path]] {
        let output = run(&server, command);
        ends_with(&output, 2);
        let expected = format!("{path} is UTF-16LE; it must be UTF-8");
        assert!(stderr(&output).contains(&expected), "{}", stderr(&output));
    }
}

#[test]
fn either_all_lines_are_submitted_or_none() {
    let server = Server::start();
    let file = server.directory().join("jobs.ndjson");
    let path = file.to_str().unwrap();
    std::fs::write(&file, "{\"kind\": \"echo\", \"payload\": 1}\n{\"kind\": \"nope\"}\n").unwrap();
    let output = run(&server, &["submit", "--ndjson", path]);
    ends_with(&output, 4);
    assert!(stderr(&output).contains("line 2"), "{}", stderr(&output));
    std::fs::write(
        &file,
        "{\"kind\": \"echo\", \"payload\": 1}\n{\"kind\": \"echo\", \"payload\": 2}\n",
    )
    .unwrap();
    let output = run(&server, &["submit", "--ndjson", path, "--wait"]);
    ends_with(&output, 0);
    assert_eq!(stdout(&output), "1\n2\n");
}

#[test]
fn queues_are_listed_paused_and_resumed() {
    let server = Server::start();
    ends_with(&run(&server, &["pause", "mail"]), 0);
    ends_with(&run(&server, &["submit", "echo", "1", "--queue", "mail"]), 0);
    let text = stdout(&run(&server, &["queues"]));
    assert!(text.contains("mail") && text.contains("yes"), "{text}");
    let queues: Value =
        serde_json::from_str(&stdout(&run(&server, &["queues", "--json"]))).unwrap();
    assert_eq!(queues["queues"][0]["jobs"]["queued"], 1);
    ends_with(&run(&server, &["resume", "mail"]), 0);
    assert_eq!(server.wait_until_final(1)["state"], "completed");
}

#[test]
fn a_wait_reports_that_the_server_became_unreachable() {
    let mut server = Server::start();
    let id = server.submit(&sleep("1h"));
    let url = server.url();
    let waiting = std::thread::spawn(move || {
        let args = ["wait", &id.to_string(), "--timeout", "3s"];
        longshore(&args).env("LONGSHORE_URL", url).output().unwrap()
    });
    server.wait_for_state(id, "running");
    std::thread::sleep(Duration::from_millis(200));
    server.kill();
    let output = waiting.join().unwrap();
    ends_with(&output, 3);
    assert!(stderr(&output).contains("trying again"), "{}", stderr(&output));
}

#[test]
fn the_demonstration_asks_ten_questions_both_ways_and_ends() {
    let output = longshore(&["demo", "--once", "--delay", "100ms", "--listen", "127.0.0.1:0"])
        .output()
        .unwrap();
    ends_with(&output, 0);
    let text = stdout(&output);
    for word in ["capital of France", "Paris", "one after another", "all at once", "times as fast"]
    {
        assert!(text.contains(word), "{word} is missing in {text}");
    }
    // The same with a model server that the user runs.
    let model = Model::start(Duration::ZERO);
    let config = model.provider("x");
    let url = config.split('\'').nth(1).unwrap();
    let args =
        ["demo", "--once", "--provider-url", url, "--model", "mock", "--listen", "127.0.0.1:0"];
    ends_with(&longshore(&args).output().unwrap(), 0);
    assert_eq!(model.stats().requests, 20);
}

#[test]
fn the_startup_log_lists_what_jobs_may_use_and_no_secret() {
    let config = "[providers.local]\nbase_url = 'http://127.0.0.1:1'\napi_key_env = 'LOCAL_KEY'\n\
                  [secrets.open]\nvalue_env = 'LOCAL_KEY'\nhosts = ['a.example']\n\
                  [commands.hello]\nargv = ['echo']\nenv = { WORD = 'sesame' }";
    let server = Setup::new().config(config).env("LOCAL_KEY", "sk-sesame").start();
    crate::kit::eventually("the list is logged", || {
        server.log().contains("available to jobs").then_some(())
    });
    let log = server.log();
    for name in ["chat, command, echo, http, sleep", "\"local\"", "\"open\"", "\"hello\""] {
        assert!(log.contains(name), "{name} is missing in {log}");
    }
    assert!(!log.contains("sesame"), "{log}");
}

#[test]
fn options_override_variables_and_variables_override_the_file() {
    let config = "listen = '127.0.0.1:1'\nlanes.async = 3\n[queues.mail]\nmax_running = 4";
    let server =
        Setup::new().config(config).env("LONGSHORE_QUEUES__MAIL__MAX_RUNNING", "9").start();
    assert_ne!(server.addr().port(), 1);
    server.submit(&crate::kit::with(sleep("0s"), &json!({"queue": "mail"})));
    assert_eq!(server.queue("mail")["max_running"], 9);
}
