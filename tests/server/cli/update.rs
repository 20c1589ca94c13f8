//! `longshore update`, and the options of `submit` that belong to it.

use serde_json::json;

use super::{ends_with, run, stderr, stdout};
use crate::kit::{Server, echo, with};

#[test]
fn jobs_that_wait_are_changed_and_started() {
    let server = Server::start();
    let delayed = with(echo(1), &json!({"delay": "1h", "expires_at": "2032-01-31T12:00:00Z"}));
    server.post("/v1/jobs", &json!([delayed, delayed])).expect(202);
    let at = "2031-01-31T12:00:00.000Z";
    let change = ["--run-at", at, "--priority", "-7", "--queue", "slow", "--no-expiry"];
    let output = run(&server, &[&["update", "1", "2"][..], &change].concat());
    ends_with(&output, 0);
    let expected = format!("1\tscheduled\tslow\t{at}\n2\tscheduled\tslow\t{at}\n");
    assert_eq!(stdout(&output), expected);
    let job = server.job(2);
    assert_eq!((&job["priority"], &job["queue"]), (&json!(-7), &json!("slow")));
    assert_eq!((&job["run_at"], job.get("expires_at")), (&json!(at), None));
    ends_with(&run(&server, &["update", "1", "--expires-at", "2033-01-31T12:00:00Z"]), 0);
    assert_eq!(server.job(1)["expires_at"], "2033-01-31T12:00:00.000Z");
    ends_with(&run(&server, &["update", "1", "--expires-in", "1d"]), 0);
    assert!(server.job(1)["expires_at"].as_str() < Some("2033"));
    ends_with(&run(&server, &["update", "1", "--now"]), 0);
    assert_eq!(server.wait_until_final(1)["state"], "completed");
    let output = run(&server, &["update", "1", "2", "9", "--delay", "0s", "--json"]);
    ends_with(&output, 4);
    assert!(stdout(&output).starts_with("{\"id\":2,"), "{}", stdout(&output));
    let notes = stderr(&output);
    assert!(notes.contains("job 1: ") && notes.contains("job 9: "), "{notes}");
    assert_eq!(server.wait_until_final(2)["state"], "completed");
}

#[test]
fn an_argument_that_is_no_id_is_refused_by_itself() {
    let server = Server::start();
    server.submit(&with(echo(1), &json!({"delay": "1h"})));
    let output = run(&server, &["update", "x", "1", "1", "--priority", "3"]);
    ends_with(&output, 2);
    assert_eq!(stdout(&output).lines().count(), 2);
    assert!(stderr(&output).contains("\"x\" must be a number"), "{}", stderr(&output));
    assert_eq!(server.job(1)["priority"], 3);
}

#[test]
fn an_update_without_a_change_or_with_two_starts_is_wrong_usage() {
    let server = Server::start();
    let wrong: [&[&str]; 6] = [
        &["update"],
        &["update", "1"],
        &["update", "1", "--now", "--delay", "1s"],
        &["update", "1", "--run-at", "2031-01-31T12:00:00Z", "--delay", "1s"],
        &["update", "1", "--expires-at", "2031-01-31T12:00:00Z", "--no-expiry"],
        &["update", "--now"],
    ];
    for args in wrong {
        ends_with(&run(&server, args), 2);
    }
}

#[test]
fn a_submission_takes_metadata_and_whether_to_truncate_its_result() {
    let server = Server::start();
    let metadata = r#"{"order": 7}"#;
    let args = ["submit", "echo", "1", "--metadata", metadata, "--truncate-result"];
    ends_with(&run(&server, &args), 0);
    let job = server.wait_until_final(1);
    assert_eq!((&job["metadata"], &job["truncate_result"]), (&json!({"order": 7}), &json!(true)));
    assert!(stdout(&run(&server, &["status", "1"])).contains("metadata  {\"order\": 7}"));
    ends_with(&run(&server, &["submit", "echo", "1", "--metadata", "7"]), 4);
    ends_with(&run(&server, &["submit", "echo", "1", "--metadata", "{"]), 2);
}
