//! The log of the server: failed jobs and refused calls, within bounds.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::model::Model;
use crate::kit::{Server, Setup, eventually, sleep, with};

/// A job that fails at its first attempt.
fn failing(queue: &str) -> Value {
    let payload = json!({"url": "http://127.0.0.1:1/secret"});
    json!({"kind": "http", "payload": payload, "queue": queue, "max_attempts": 1})
}

/// Returns the lines of the log with this text.
fn lines(server: &Server, text: &str) -> Vec<String> {
    server.log().lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
}

/// Returns the value of a field in a line of the log.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!(" {name}=")).unwrap_or_else(|| panic!("{line}"));
    rest.split(' ').next().unwrap()
}

/// Submits jobs and waits until all have ended.
fn run_all(server: &Server, jobs: &[Value]) {
    let batch = server.post("/v1/batches", &json!({"jobs": jobs})).expect(202)["id"].clone();
    eventually("all jobs have ended", || {
        let batch = server.get(&format!("/v1/batches/{batch}?wait=20s")).expect(200);
        batch["finished_at"].is_string().then_some(())
    });
}

#[test]
fn each_of_300_jobs_that_fail_for_good_has_one_line_in_the_log() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..300).map(|_| failing("mail")).collect();
    run_all(&server, &jobs);
    let found = eventually("all lines are written", || {
        let found = lines(&server, "a job failed for good");
        (found.len() == 300).then_some(found)
    });
    let ids: BTreeSet<i64> = found.iter().map(|line| field(line, "job").parse().unwrap()).collect();
    assert_eq!(ids, (1..=300).collect());
    for line in &found {
        assert!(line.contains(" INFO "), "{line}");
        let fields = ["kind", "queue", "attempt", "code"].map(|name| field(line, name));
        assert_eq!(fields, ["\"http\"", "\"mail\"", "1", "\"connection\""]);
        assert!(!line.contains("secret") && !line.contains("cannot connect"), "{line}");
    }
}

#[test]
fn a_flood_of_failed_jobs_is_bounded_and_summed() {
    let mut server = Server::start();
    let jobs: Vec<Value> = (0..1_200).map(|_| failing("mail")).collect();
    run_all(&server, &jobs);
    server.terminate();
    assert!(server.wait_for_exit().success());
    let (found, sums) = eventually("the log is complete", || {
        let sums = lines(&server, "more jobs failed for good in the last 10 s");
        let rest: usize =
            sums.iter().map(|line| field(line, "jobs").parse::<usize>().unwrap()).sum();
        let found = lines(&server, "a job failed for good").len();
        (found + rest == 1_200).then_some((found, sums.len()))
    });
    // Each window of ten seconds has at most 500 lines and one sum.
    assert!(found < 1_200 && found <= 500 * (sums + 1), "{found} lines, {sums} sums");
}

#[test]
fn only_jobs_that_fail_for_good_are_logged_and_text_of_workers_cannot_forge_a_field() {
    let mut server = Server::start();
    let once = json!({"max_attempts": 2, "backoff": {"initial": "1ms"}});
    server.submit(&with(remote(1), &once));
    let code = json!({"error": {"code": "x\" job=7 code=\"forged", "message": "private"}});
    for _ in 0..2 {
        let leased = eventually("the job can be leased", || lease(&server, 1, &json!({})).pop());
        lease_action(&server, &leased, "fail", &code).expect(200);
    }
    let cancelled = server.submit(&with(sleep("1h"), &json!({})));
    server.wait_for_state(cancelled, "running");
    server.post_empty(&format!("/v1/jobs/{cancelled}/cancel")).expect(200);
    server.wait_until_final(cancelled);
    server.run(&sleep("1ms"));
    server.terminate();
    assert!(server.wait_for_exit().success());
    let found = lines(&server, "a job failed for good");
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((field(&found[0], "job"), field(&found[0], "attempt")), ("1", "2"));
    assert!(found[0].ends_with(r#" code="x\" job=7 code=\"forged""#), "{}", found[0]);
    assert!(!server.log().contains("private"));
}

#[test]
fn a_job_that_fails_because_the_server_died_is_logged_at_the_next_start() {
    let mut server = Server::start();
    let id = server.submit(&with(sleep("1h"), &json!({"at_most_once": true})));
    server.wait_for_state(id, "running");
    server.kill();
    server.restart();
    let line = eventually("the line is written", || lines(&server, "a job failed for good").pop());
    assert_eq!((field(&line, "job"), field(&line, "code")), ("1", "\"outcome_unknown\""));
}

#[test]
fn refused_calls_of_a_provider_are_counted_in_few_warnings() {
    let (model, quiet) = (Model::start(Duration::ZERO), Model::start(Duration::ZERO));
    let config = model.provider("busy") + &quiet.provider("quiet");
    let mut server = Setup::new().config(config).start();
    let job = |provider: &str, mock: Value| {
        let messages = json!([{"role": "user", "content": "A joke?"}]);
        let payload =
            json!({"provider": provider, "model": "mock", "messages": messages, "mock": mock});
        json!({"kind": "chat", "payload": payload, "max_attempts": 1})
    };
    // Without a valid time to call again, the refusals are attempts of the jobs.
    let mut jobs = vec![job("busy", json!({"fault": "429", "retry_after": "soon"})); 40];
    jobs.extend(vec![job("busy", json!({"fault": "500"})); 20]);
    jobs.extend(vec![job("quiet", json!(null)); 5]);
    run_all(&server, &jobs);
    // The first warning comes while the server runs, and what is left when it stops.
    let first = eventually("a warning", || lines(&server, "a provider refused calls").pop());
    assert!(first.contains(" WARN ") && field(&first, "provider") == "\"busy\"", "{first}");
    server.terminate();
    assert!(server.wait_for_exit().success());
    let found = lines(&server, "a provider refused calls");
    assert!(found.len() <= 2, "{found:?}");
    let calls: u32 = found.iter().map(|line| field(line, "calls").parse::<u32>().unwrap()).sum();
    assert_eq!(calls, 60, "{found:?}");
    let statuses = ["429: ", "500: "].map(|status| {
        let counts = found.iter().filter_map(|line| line.split_once(status));
        let digits = counts.map(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next());
        digits.map(|count| count.unwrap().parse::<u32>().unwrap()).sum::<u32>()
    });
    assert_eq!(statuses, [40, 20], "{found:?}");
}
