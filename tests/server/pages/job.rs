//! The page of a job: its attempts, and the button that starts a waiting job.

use serde_json::{Value, json};

use super::{checked, page, redirect_of, send};
use crate::cli::{run, stdout};
use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Server, Setup, echo, eventually, with};

#[test]
fn each_attempt_is_shown_with_its_times_worker_and_error() {
    let server = Server::start();
    let twice = json!({"max_attempts": 2, "backoff": {"initial": "1ms"}});
    server.submit(&with(remote(1), &twice));
    for message in ["no <b>memory</b>", "still none"] {
        let worker = json!({"worker": "ann"});
        let leased = eventually("the job can be leased", || lease(&server, 1, &worker).pop());
        let error = json!({"error": {"code": "out_of_memory", "message": message}});
        lease_action(&server, &leased, "fail", &error).expect(200);
    }
    let text = page(&server, "/jobs/1");
    let (_, list) = text.split_once("<ol class=\"attempts\">").unwrap();
    let entries: Vec<&str> = list.split("<li id=\"attempt-").skip(1).collect();
    assert_eq!(entries.len(), 2, "{text}");
    assert!(entries[0].starts_with("2\"") && entries[0].contains("<details open>"), "{text}");
    assert!(entries[0].contains("still none") && entries[0].contains("worker ann"), "{text}");
    assert!(entries[1].contains("no &#60;b&#62;memory") && !entries[1].contains("<details open>"));
    assert!(entries.iter().all(|entry| entry.contains("<code>out_of_memory</code>")));
    let status = stdout(&run(&server, &["status", "1"]));
    let lines: Vec<&str> = status.lines().filter(|line| line.starts_with("attempt   ")).collect();
    assert!(lines[1].starts_with("attempt   1 failed, started 20"), "{status}");
    assert!(lines[2].contains(", worker ann"), "{status}");
    assert!(status.contains("\n  out_of_memory: still none\n"), "{status}");
}

#[test]
fn the_traceback_and_the_data_of_a_worker_are_shown_on_the_page_and_by_status() {
    let server = Server::start();
    server.submit(&with(remote(1), &json!({"max_attempts": 1})));
    let leased = lease(&server, 1, &json!({}))[0].clone();
    let traceback = "Traceback (most recent call last):\n  File \"<job>\", line 1\nValueError: 7";
    let error = json!({"code": "ValueError", "traceback": traceback, "data": {"rows": [1, 2]}});
    lease_action(&server, &leased, "fail", &json!({"error": error})).expect(200);
    let text = page(&server, "/jobs/1");
    let (_, folded) = text.split_once("<details><summary>Traceback</summary>").unwrap();
    let shown = folded.split("</pre>").next().unwrap();
    assert!(shown.contains("File &#34;&#60;job&#62;&#34;, line 1\nValueError: 7"), "{shown}");
    assert!(text.contains("<h3>Data</h3>") && text.contains("<span class=\"k\">rows</span>"));
    let status = stdout(&run(&server, &["status", "1"]));
    let expected = "  traceback:\n    Traceback (most recent call last):\n      File \"<job>\", line 1\n    ValueError: 7\n";
    assert!(status.contains(expected), "{status}");
    assert!(status.contains("  data:\n    {\"rows\":[1,2]}\n"), "{status}");
}

#[test]
fn the_response_to_a_call_and_the_output_of_a_program_are_shown_on_the_page_and_by_status() {
    let config = "[commands.x]\nargv = ['/bin/sh', '-c', 'echo why; echo err >&2; exit 3']";
    let server = Setup::new().config(config).start();
    let program = json!({"kind": "command", "payload": {"name": "x"}, "max_attempts": 1});
    server.run(&program);
    // Another server refuses the call.
    let other = Server::start();
    let url = format!("{}/v1/jobs/999", other.url());
    server.run(&json!({"kind": "http", "payload": {"url": url}, "max_attempts": 1}));
    let command = page(&server, "/jobs/1");
    for expected in ["exit status 3.", "Standard output of attempt 1\">why\n<", ">err\n<"] {
        assert!(command.contains(expected), "{expected} is missing in {command}");
    }
    let call = page(&server, "/jobs/2");
    for expected in [
        "response status 404.",
        "<dt>content-type</dt><dd>application/problem+json</dd>",
        "job 999 does not exist",
    ] {
        assert!(call.contains(expected), "{expected} is missing in {call}");
    }
    let status = stdout(&run(&server, &["status", "1"]));
    assert!(
        status.contains("  exit status 3\n  stdout:\n    why\n  stderr:\n    err\n"),
        "{status}"
    );
    let status = stdout(&run(&server, &["status", "2"]));
    let expected = "  response status: 404\n  response headers:\n";
    assert!(
        status.contains(expected) && status.contains("  response body:\n    {\"type\""),
        "{status}"
    );
}

#[test]
fn a_refused_result_is_shown_on_the_page_and_by_status() {
    let server = Setup::new().config("limits.max_result_bytes = 1000").start();
    let result = format!("first-{}-last", "x".repeat(2_000));
    let job = server.run(&with(echo(result), &json!({"max_attempts": 1})));
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&json!("failed"), &json!("result_too_large"))
    );
    let text = page(&server, "/jobs/1");
    assert!(text.contains("Beginning and end of the result") && text.contains("first-x"), "{text}");
    let status = stdout(&run(&server, &["status", "1"]));
    assert!(status.contains("  beginning and end of the result:\n") && status.contains("first-x"));
}

#[test]
fn a_job_that_waits_can_be_started_at_once() {
    let server = Server::start();
    server.submit(&with(echo(1), &json!({"delay": "1h"})));
    assert!(page(&server, "/jobs/1").contains("action=\"/jobs/1/run\"><button>Run now</button>"));
    assert_eq!(redirect_of(&server, "/jobs/1/run", ""), "/jobs/1");
    assert_eq!(server.wait_until_final(1)["state"], "completed");
    assert!(!page(&server, "/jobs/1").contains("Run now"));
    // A job that waits for its next attempt has one button for it, not two.
    server.submit(&with(remote(1), &json!({})));
    let leased = lease(&server, 1, &json!({}))[0].clone();
    let later = json!({"error": {"code": "x"}, "retry_in": "1h"});
    lease_action(&server, &leased, "fail", &later).expect(200);
    let text = page(&server, "/jobs/2");
    assert!(text.contains("Run now") && !text.contains(">Retry</button>"), "{text}");
    assert_eq!(redirect_of(&server, "/jobs/2/run", ""), "/jobs/2");
    let job = server.job(2);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("queued"), &json!(1)));
    // Too late: the page says so.
    let refused = send(&server, "/jobs/1/run", "");
    assert_eq!(refused.status, 409);
    assert!(checked("/jobs/1/run", &refused).contains("only a job that waits can be changed"));
    assert_eq!(send(&server, "/jobs/99/run", "").status, 404);
}

#[test]
fn submitting_again_keeps_metadata_backoff_and_the_granted_attempts() {
    let server = Server::start();
    let metadata = r#"{"b": 1.0,"a":[1e2 ,"\u0041"]}"#;
    let backoff = json!({"initial": "1ms", "factor": 1.1, "max": "2s", "jitter": 0.0});
    let fields = json!({"truncate_result": true, "max_attempts": 1, "backoff": backoff});
    let job = with(remote(1), &fields).to_string();
    let body = job.replacen('{', &format!("{{\"metadata\": {metadata},"), 1);
    let headers = [("content-type", "application/json")];
    server.request("POST", "/v1/jobs", &headers, body.as_bytes()).expect(202);
    // Retries by hand raise `max_attempts`.
    for _ in 0..3 {
        let leased = eventually("the job can be leased", || lease(&server, 1, &json!({})).pop());
        lease_action(&server, &leased, "fail", &json!({"error": {"code": "x"}})).expect(200);
        server.post_empty("/v1/jobs/1/retry").expect(200);
    }
    let old = server.job(1);
    assert_eq!(old["max_attempts"], 4);
    let new = super::again::submit_again(&server, 1, &[]);
    let text = String::from_utf8(server.get(&format!("/v1/jobs/{new}")).body).unwrap();
    assert!(text.contains(&format!("\"metadata\":{metadata}")), "{text}");
    let new: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(new["max_attempts"], 1);
    for field in ["backoff", "truncate_result", "lane", "timeout", "queue"] {
        assert_eq!(new[field], old[field], "{field}");
    }
}
