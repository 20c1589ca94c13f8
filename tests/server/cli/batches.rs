//! Commands on one batch.

use serde_json::{Value, json};

use crate::cli::{run, stderr, stdout};
use crate::kit::{Server, echo};

/// Writes a file of submissions, one a line, and returns its path.
fn file(server: &Server, name: &str, lines: &[Value]) -> String {
    let path = server.directory().join(name);
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn the_results_of_a_batch_are_printed_one_a_line_in_the_order_of_submission() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..1_200).map(echo).collect();
    server.post("/v1/batches", &json!({"jobs": jobs})).expect(202);
    let output = run(&server, &["batch", "results", "1", "--wait"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let results: Vec<i64> = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["result"].as_i64().unwrap())
        .collect();
    assert_eq!(results, (0..1_200).collect::<Vec<_>>());
    let unknown = run(&server, &["batch", "results", "9"]);
    assert_eq!(unknown.status.code(), Some(4), "{}", stderr(&unknown));
}

#[test]
fn an_open_batch_takes_the_jobs_of_a_file_until_it_is_closed() {
    let server = Server::start();
    let (first, empty) = (file(&server, "first.ndjson", &[echo(1)]), file(&server, "empty", &[]));
    let opened = run(&server, &["batch", &empty, "--open", "--name", "rows"]);
    assert!(stdout(&opened).starts_with("batch 1\t0 jobs\thttp://"), "{opened:?}");
    for _ in 0..2 {
        let added = run(&server, &["batch", "add", "1", &first, "--idempotency-key", "first"]);
        assert_eq!(stdout(&added), "batch 1\t1 jobs added\t1 jobs\n", "{}", stderr(&added));
    }
    server.wait_until_final(1);
    assert_eq!(stdout(&run(&server, &["batch", "close", "1"])), "batch 1\t1 of 1 jobs done\n");
    let refused = run(&server, &["batch", "add", "1", &first]);
    assert!(stderr(&refused).contains("batch 1 is closed"), "{refused:?}");
    let invalid = file(&server, "invalid.ndjson", &[echo(1), json!({"kind": "nope"})]);
    let refused = stderr(&run(&server, &["batch", "add", "1", &invalid]));
    assert!(refused.contains("line 2 /kind"), "{refused}");
}

#[test]
fn the_failed_and_cancelled_jobs_of_a_batch_are_run_again() {
    let server = Server::start();
    let delayed = json!({"kind": "echo", "delay": "1h"});
    server.post("/v1/batches", &json!({"jobs": [delayed, delayed]})).expect(202);
    server.post_empty("/v1/batches/1/cancel").expect(200);
    assert_eq!(stdout(&run(&server, &["batch", "retry", "1"])), "batch 1\t0 jobs retried\n");
    let retried = run(&server, &["batch", "retry", "1", "--cancelled", "--json"]);
    let retried: Value = serde_json::from_str(&stdout(&retried)).unwrap();
    assert_eq!(retried["retried"], 2);
    // A file is still needed without a command.
    assert_eq!(run(&server, &["batch"]).status.code(), Some(2));
}
