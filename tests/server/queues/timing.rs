//! When jobs start, and in which order.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::between;
use crate::kit::{Server, Setup, echo, sleep, with};

#[test]
fn a_delayed_job_starts_at_its_time_and_not_before() {
    let server = Server::start();
    let far = server.submit(&with(echo(0), &json!({"delay": "1h"})));
    let job = server.run(&with(echo(1), &json!({"delay": "700ms"})));
    assert!(between(&job["created_at"], &job["run_at"]) >= Duration::from_millis(690), "{job}");
    let late = between(&job["run_at"], &job["started_at"]);
    assert!(job["started_at"].as_str() >= job["run_at"].as_str(), "{job}");
    assert!(late < Duration::from_secs(10), "{late:?} late");
    eprintln!("delay: started {late:?} after its time");
    let run_at = json!({"run_at": job["finished_at"]});
    assert_eq!(server.run(&with(echo(2), &run_at))["state"], "completed");
    assert_eq!(server.job(far)["state"], "scheduled");
}

#[test]
fn a_job_that_has_not_started_before_its_expiry_is_cancelled() {
    let server = Server::start();
    server.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    let now: longshore::job::Timestamp =
        server.post("/v1/jobs", &echo(1)).expect(202)["created_at"]
            .as_str()
            .unwrap()
            .parse()
            .unwrap();
    let soon = now.plus(Duration::from_millis(300)).to_string();
    for soon in [json!({"expires_at": soon}), json!({"expires_in": "300ms"})] {
        let job = server.run(&with(echo(2), &soon));
        assert_eq!(
            (&job["state"], &job["error"]["code"]),
            (&json!("cancelled"), &json!("expired"))
        );
        assert_eq!(job["started_at"], json!(null));
    }
    server.patch("/v1/queues/default", &json!({"paused": false})).expect(200);
    assert_eq!(server.wait_until_final(1)["state"], "completed");
    assert_eq!(server.job(2)["state"], "cancelled");
}

#[test]
fn a_job_that_expired_while_the_server_was_down_is_never_started() {
    let mut server = Server::start();
    server.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    let job = server.post("/v1/jobs", &echo(1)).expect(202);
    let now: longshore::job::Timestamp = job["created_at"].as_str().unwrap().parse().unwrap();
    let soon = now.plus(Duration::from_millis(500)).to_string();
    let id = server
        .submit(&with(echo(2), &json!({"expires_at": soon, "queue": "other", "delay": "200ms"})));
    server.kill();
    std::thread::sleep(Duration::from_millis(600));
    server.restart();
    let job = server.wait_until_final(id);
    assert_eq!(
        (&job["state"], &job["error"]["code"]),
        (&json!("cancelled"), &json!("expired")),
        "{job}"
    );
}

#[test]
fn higher_priorities_run_first_and_equal_ones_oldest_first() {
    let server = Setup::new().config("[queues.default]\npaused = true\nmax_running = 1").start();
    let priorities = [0, 5, -100, 5, 100, 0];
    let jobs: Vec<Value> =
        priorities.map(|n| with(sleep("15ms"), &json!({"priority": n}))).to_vec();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    server.patch("/v1/queues/default", &json!({"paused": false})).expect(200);
    let mut starts: Vec<(String, i64)> = (1..=6)
        .map(|id| (server.wait_until_final(id)["started_at"].as_str().unwrap().to_owned(), id))
        .collect();
    starts.sort();
    let order: Vec<i64> = starts.into_iter().map(|(_, id)| id).collect();
    assert_eq!(order, [5, 2, 4, 1, 6, 3]);
}

#[test]
fn a_backlog_in_one_queue_does_not_starve_another() {
    let server = Setup::new().config("lanes.async = 16").start();
    let bulk: Vec<Value> =
        (0..4_000).map(|_| with(sleep("100ms"), &json!({"queue": "bulk"}))).collect();
    server.post("/v1/jobs", &json!(bulk)).expect(202);
    for _ in 0..3 {
        let job = server.run(&with(echo(1), &json!({"queue": "quick"})));
        let waited = between(&job["created_at"], &job["started_at"]);
        let left = server.queue("bulk")["jobs"]["queued"].as_i64().unwrap();
        eprintln!("fairness: waited {waited:?} with a backlog of {left} jobs");
        assert!(left > 2_000, "{left} jobs are left: the other queue had to wait for the backlog");
    }
}

#[test]
fn a_job_submitted_after_its_expiry_is_cancelled_at_once() {
    let server = Server::start();
    let job = server.run(&with(echo(1), &json!({"expires_at": "2001-01-01T00:00:00Z"})));
    assert_eq!(job["state"], "cancelled");
    assert_eq!((&job["error"]["code"], &job["attempt"]), (&json!("expired"), &json!(0)));
}
