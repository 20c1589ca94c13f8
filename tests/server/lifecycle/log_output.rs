//! The log: a stderr that cannot be written, repeated lines, levels.

use std::fs::OpenOptions;
use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::kit::{Setup, echo, eventually};
use crate::lifecycle::raw::RawServer;

/// Bounds of the end of a server whose log cannot be written.
const END: Duration = Duration::from_secs(15);

/// Has a server log lines, run a job and end, and asserts that it does.
fn assert_it_works(mut server: RawServer) {
    for _ in 0..100 {
        server.signal(Signal::HUP);
        assert_eq!(server.get("/healthz").status, 200);
    }
    assert_eq!(server.run(&echo(1))["state"], "completed");
    let started = Instant::now();
    assert_eq!(server.terminate().code(), Some(0));
    assert!(started.elapsed() < END, "{:?}", started.elapsed());
}

#[test]
fn a_log_whose_reader_is_gone_does_not_stop_the_server() {
    let setup = Setup::new();
    let mut server = RawServer::start(setup.command().stderr(Stdio::piped()));
    drop(server.child.stderr.take());
    assert_it_works(server);
}

#[test]
fn a_log_on_a_full_disk_does_not_stop_the_server() {
    let setup = Setup::new();
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_it_works(RawServer::start(setup.command().stderr(full)));
}

#[test]
fn a_closed_stderr_does_not_stop_the_server() {
    let setup = Setup::new();
    let server = setup.command();
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", "exec \"$0\" \"$@\" 2>&-"]).arg(server.get_program());
    command.args(server.get_args());
    assert_it_works(RawServer::start(&mut command));
}

#[test]
fn an_unread_log_hangs_neither_the_server_nor_its_end() {
    // At this level every request adds several lines, so that the pipe and the queue are full soon.
    let setup = Setup::new().env("LONGSHORE_LOG", "trace");
    let server = RawServer::start(setup.command().stderr(Stdio::piped()));
    for _ in 0..200 {
        server.run(&echo(1));
    }
    assert_it_works(server);
}

#[test]
fn the_number_of_lost_lines_is_logged_once_the_log_is_read() {
    let setup = Setup::new().env("LONGSHORE_LOG", "trace");
    let mut server = RawServer::start(setup.command().stderr(Stdio::piped()));
    for _ in 0..200 {
        server.run(&echo(1));
    }
    let mut stderr = server.child.stderr.take().unwrap();
    let reader = std::thread::spawn(move || {
        let mut log = String::new();
        stderr.read_to_string(&mut log).map(|_| log)
    });
    std::thread::sleep(Duration::from_secs(2));
    server.terminate();
    let log = reader.join().unwrap().unwrap();
    let report = log.lines().find(|line| line.contains("log lines were lost"));
    let report = report.unwrap_or_else(|| panic!("no report in {} bytes", log.len()));
    assert!(report.contains("WARN") && report.contains("lines="), "{report}");
}

#[test]
fn a_repeated_line_is_logged_once_and_then_counted() {
    let server = Setup::new().start();
    for _ in 0..500 {
        rustix::process::kill_process(server.pid(), Signal::USR1).unwrap();
        // The system merges signals that are not handled yet.
        std::thread::sleep(Duration::from_millis(1));
    }
    let count = |log: &str| log.lines().filter(|line| line.contains("ignored a signal")).count();
    let log = eventually("the repetitions are counted", || {
        let log = server.log();
        log.contains("a log line was repeated").then_some(log)
    });
    assert_eq!(count(&log) - 1, 1, "one line and its summary: {log}");
    let summary = log.lines().find(|line| line.contains("a log line was repeated")).unwrap();
    assert!(summary.contains("INFO") && summary.contains("repeated="), "{summary}");
}

#[test]
fn a_misspelt_level_is_refused_with_the_list_of_levels() {
    for (variable, expected) in [
        ("inof", "\"inof\" is not a level; use off, error, warn, info, debug or trace"),
        ("longshore=loud", "\"loud\" is not a level"),
        ("longshor=debug", "selects no line of longshore"),
    ] {
        let output = Setup::new().env("LONGSHORE_LOG", variable).fail();
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_server_starts_beside_a_kubernetes_service_of_its_name() {
    let setup = Setup::new()
        .env("LONGSHORE_SERVICE_HOST", "10.96.12.7")
        .env("LONGSHORE_SERVICE_PORT", "7373")
        .env("LONGSHORE_PORT", "tcp://10.96.12.7:7373")
        .env("LONGSHORE_PORT_7373_TCP_ADDR", "10.96.12.7")
        .env("LONGSHORE_HOSTS", "a.example,b.example");
    let server = setup.start();
    eventually("the ignored variables are logged", || {
        let log = server.log();
        let mut lines = log.lines().filter(|line| line.contains("Kubernetes"));
        lines.find(|line| line.contains("INFO") && line.contains("_7373_TCP_ADDR")).map(drop)
    });
    assert_eq!(server.run(&echo(json!("a")))["state"], "completed");
    let output = Setup::new().env("LONGSHORE_PORT", "8080").fail();
    assert_eq!(output.status.code(), Some(2));
}
