//! `longshore providers`, and what `longshore status` says about a job that waits.

use serde_json::{Value, json};

use super::{ends_with, run, stderr, stdout};
use crate::kit::http::Target;
use crate::kit::{Setup, echo, eventually, with};

#[test]
fn the_providers_are_listed_with_their_state_and_one_is_shown_in_full() {
    let target = Target::start(|caller, _| {
        let headers = "retry-after-ms: 600000\r\n";
        caller.answer("503 Service Unavailable", headers, "slow \u{1b}[31mdown");
    });
    let config = format!(
        "[providers.busy]\nbase_url = '{}'\nmax_running = 5\nrequests_per_minute = 60\n\
         [providers.idle]\nbase_url = 'http://127.0.0.1:1'\n",
        target.url("/v1")
    );
    let server = Setup::new().config(config).start();
    let messages = json!([{"role": "user", "content": "?"}]);
    let payload = json!({"provider": "busy", "model": "m", "messages": messages});
    let job = server.submit(&json!({"kind": "chat", "payload": payload}));
    eventually("the provider is paused", || {
        let provider = server.get("/v1/providers/busy").expect(200);
        (provider["state"] == "paused" && provider["queued"] == 1).then_some(())
    });
    let output = run(&server, &["providers"]);
    ends_with(&output, 0);
    let table = stdout(&output);
    let lines: Vec<Vec<&str>> =
        table.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0][..4], ["NAME", "STATE", "FOR", "QUEUED"], "{table}");
    assert_eq!(lines[1][..9], ["busy", "paused", "9m", "1", "0", "-", "5", "60", "1"], "{table}");
    assert_eq!(lines[2][..9], ["idle", "starting", "-", "0", "0", "16", "-", "-", "-"], "{table}");
    let one = stdout(&run(&server, &["providers", "busy"]));
    for expected in [
        "state               paused\n",
        "max_running         5\n",
        "(for 9m)",
        "refused             1 calls since",
    ] {
        assert!(one.contains(expected), "{expected} is missing in {one}");
    }
    assert!(!one.contains('\u{1b}'), "{one}");
    let json: Value =
        serde_json::from_str(&stdout(&run(&server, &["providers", "--json"]))).unwrap();
    assert_eq!(json["providers"][0]["state"], "paused");
    let json: Value =
        serde_json::from_str(&stdout(&run(&server, &["providers", "busy", "--json"]))).unwrap();
    assert_eq!((&json["name"], &json["max_running"]), (&json!("busy"), &json!(5)));
    let missing = run(&server, &["providers", "none"]);
    ends_with(&missing, 4);
    assert!(stderr(&missing).contains("there is no provider"), "{}", stderr(&missing));
    ends_with(&run(&server, &["providers", "NO"]), 2);
    let status = stdout(&run(&server, &["status", &job.to_string()]));
    assert!(status.contains("\nwaiting   provider busy asked for a pause: "), "{status}");
    assert!(status.contains(", until 20"), "{status}");
}

#[test]
fn status_says_why_a_queued_job_does_not_run_and_nothing_about_others() {
    let server = Setup::new().start();
    server.patch("/v1/queues/mail", &json!({"paused": true})).expect(200);
    let job = server.submit(&with(echo(1), &json!({"queue": "mail"}))).to_string();
    let status = || stdout(&run(&server, &["status", &job]));
    assert!(status().contains("\nwaiting   queue mail is paused\n"), "{}", status());
    server.patch("/v1/queues/mail", &json!({"paused": false})).expect(200);
    server.wait_until_final(job.parse().unwrap());
    assert!(!status().contains("\nwaiting "), "{}", status());
}
