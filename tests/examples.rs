//! The examples run and print what they should. `cargo test` builds them next to the tests.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::process::Command;

/// Returns the path of a built example, in the directory next to that of the test binaries.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(|deps| deps.parent()).unwrap();
    let program = profile.join("examples").join(name);
    assert!(program.exists(), "{} is not built: run cargo build --examples", program.display());
    program
}

/// Runs an example and returns the lines that it prints.
fn lines_of(name: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let output = Command::new(example(name)).current_dir(&directory).output().unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let is_empty = std::fs::read_dir(&directory).unwrap().next().is_none();
    assert!(is_empty, "the example must not leave files");
    stdout.lines().map(str::to_owned).collect()
}

#[test]
fn an_application_runs_its_own_jobs_in_process() {
    let lines = lines_of("embedded");
    let expected = [
        "job 1 is queued",
        "job 1 is completed: Hello world in attempt 2",
        "  attempt 1 had failed: invalid digit found in string",
        "batch 1: 3 of 3 completed",
        "job 5 is running: ",
        "job 5 is cancelled",
        "stopped",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line:?} does not start with {expected:?}");
    }
}

#[test]
fn a_kind_that_is_a_type_has_state_defaults_and_a_typed_result() {
    let expected = [
        "job 1 in queue mail sent mail number 1",
        "timeout 30s, at most 3 attempts",
        "job 2 in queue urgent sent mail number 2",
        "job 3 failed: \"nowhere\" is not an address",
    ];
    assert_eq!(lines_of("typed"), expected);
}

#[test]
fn an_application_serves_the_api_and_the_pages_beside_its_own_routes() {
    let expected = [
        "job 1 greets Ann",
        "the API: 200 true",
        "the pages: 200 true",
        "a page of another site: 403",
    ];
    assert_eq!(lines_of("mounted"), expected);
}

#[test]
fn an_application_tests_its_jobs_without_waiting() {
    assert_eq!(lines_of("tested"), ["a handler alone", "a delay of a day", "all attempts"]);
}
