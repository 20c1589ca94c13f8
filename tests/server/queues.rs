//! Queues: their limits, pauses and counts.

mod stats;
mod timing;

use serde_json::{Value, json};

use crate::kit::{Server, Setup, TEST_TIMEOUT, echo, eventually, pointers, sleep, with};

fn in_queue(job: Value, queue: &str) -> Value {
    with(job, &json!({"queue": queue}))
}

#[test]
fn a_queue_shows_its_depth_and_its_limits() {
    let server = Server::start();
    server.patch("/v1/queues/mail", &json!({"paused": true, "max_running": 3})).expect(200);
    server.submit(&in_queue(echo(1), "mail"));
    server.submit(&with(echo(2), &json!({"queue": "mail", "delay": "1h"})));
    let queue = server.queue("mail");
    assert_eq!(queue["name"], "mail");
    assert_eq!((&queue["paused"], &queue["max_running"]), (&json!(true), &json!(3)));
    assert_eq!(queue["rate"], json!(null));
    assert_eq!((&queue["jobs"]["queued"], &queue["jobs"]["scheduled"]), (&json!(1), &json!(1)));
    assert_eq!(queue["oldest_queued_at"], server.job(1)["run_at"]);
    assert!(queue["oldest_queued_age"].is_string());
    let queues = server.get("/v1/queues").expect(200);
    let names: Vec<&Value> =
        queues["queues"].as_array().unwrap().iter().map(|q| &q["name"]).collect();
    assert_eq!(names, ["mail"]);
    server.get("/v1/queues/nobody").problem(404);
    server.get("/v1/queues/NOT-A-NAME").problem(400);
}

#[test]
fn a_pause_takes_effect_at_once_and_survives_a_restart() {
    let mut server = Server::start();
    server.patch("/v1/queues/mail", &json!({"paused": true})).expect(200);
    let id = server.submit(&in_queue(echo(1), "mail"));
    // A job submitted later to another queue has run; the job of the paused queue has not.
    server.run(&echo(2));
    assert_eq!(server.job(id)["state"], "queued");
    server.kill();
    server.restart();
    server.run(&echo(3));
    assert_eq!(server.job(id)["state"], "queued");
    assert_eq!(server.queue("mail")["paused"], true);
    server.patch("/v1/queues/mail", &json!({"paused": false})).expect(200);
    assert_eq!(server.wait_until_final(id)["state"], "completed");
}

#[test]
fn running_jobs_of_a_paused_queue_finish() {
    let server = Server::start();
    let id = server.submit(&sleep("500ms"));
    server.wait_for_state(id, "running");
    server.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    assert_eq!(server.wait_until_final(id)["state"], "completed");
}

#[test]
fn a_queue_runs_at_most_max_running_jobs() {
    let server = Server::start();
    server.patch("/v1/queues/few", &json!({"max_running": 2})).expect(200);
    let jobs: Vec<Value> = (0..6).map(|_| in_queue(sleep("1h"), "few")).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    let running = |count: i64| {
        eventually(&format!("{count} run"), || {
            (server.queue("few")["jobs"]["running"] == count).then_some(())
        });
    };
    running(2);
    server.run(&echo(1));
    running(2);
    server.post_empty("/v1/jobs/1/cancel").expect(200);
    server.wait_until_final(1);
    server.wait_for_state(3, "running");
    running(2);
    server.patch("/v1/queues/few", &json!({"max_running": 4})).expect(200);
    running(4);
    server.patch("/v1/queues/few", &json!({"max_running": null})).expect(200);
    running(5);
    assert_eq!(server.queue("few")["max_running"], json!(null));
}

#[test]
fn a_queue_starts_at_most_its_rate_limit_of_jobs_per_period() {
    let server = Server::start();
    let rate = json!({"rate": {"limit": 3, "period": "500ms"}});
    assert_eq!(server.patch("/v1/queues/slow", &rate).expect(200)["rate"], rate["rate"]);
    let jobs: Vec<Value> = (0..9).map(|number| in_queue(echo(number), "slow")).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    let mut starts: Vec<i64> = (1..=9)
        .map(|id| {
            let at = server.wait_until_final(id)["started_at"].as_str().unwrap().to_owned();
            at.parse::<longshore::job::Timestamp>().unwrap().millis()
        })
        .collect();
    starts.sort_unstable();
    assert!(starts.windows(4).all(|four| four[3] - four[0] >= 500), "{starts:?}");
    assert!(
        u128::try_from(starts[8] - starts[0]).unwrap() < TEST_TIMEOUT.as_millis(),
        "{starts:?}"
    );
    assert_eq!(
        server.patch("/v1/queues/slow", &json!({"rate": null})).expect(200)["rate"],
        json!(null)
    );
}

#[test]
fn an_invalid_limit_is_refused_with_a_pointer_to_the_field() {
    let server = Server::start();
    let cases = [
        (json!({"max_running": 0}), "/max_running"),
        (json!({"max_running": -1}), "/max_running"),
        (json!({"max_running": "many"}), "/max_running"),
        (json!({"rate": {"limit": 0, "period": "1s"}}), "/rate/limit"),
        (json!({"rate": {"limit": 1, "period": "0s"}}), "/rate/period"),
        (json!({"rate": {"limit": 1, "period": "soon"}}), "/rate/period"),
        (json!({"rate": {"limit": 1}}), "/rate"),
        (json!({"paused": "yes"}), "/paused"),
        (json!({"pasued": true}), "/pasued"),
    ];
    for (change, pointer) in cases {
        let answer = server.patch("/v1/queues/mail", &change);
        answer.problem(422);
        assert_eq!(pointers(&answer), [pointer], "{change}");
    }
    server.patch("/v1/queues/Mail", &json!({"paused": true})).problem(400);
    server.get("/v1/queues/mail").problem(404);
}

#[test]
fn queues_start_as_configured_and_keep_later_changes() {
    let config = "[queue_defaults]\nmax_running = 7\n[queues.mail]\npaused = true";
    let mut server = Setup::new().config(config).start();
    server.submit(&in_queue(echo(1), "mail"));
    server.submit(&echo(2));
    assert_eq!(server.queue("mail")["paused"], true);
    assert_eq!(server.queue("default")["max_running"], 7);
    server.patch("/v1/queues/mail", &json!({"paused": false})).expect(200);
    server.kill();
    server.restart();
    assert_eq!(server.queue("mail")["paused"], false);
}

#[test]
fn a_queue_past_max_queues_is_refused() {
    let server = Setup::new().config("limits.max_queues = 2").start();
    server.submit(&in_queue(echo(1), "a"));
    server.submit(&in_queue(echo(1), "b"));
    let answer = server.post("/v1/jobs", &in_queue(echo(1), "c"));
    assert_eq!(answer.status, 422);
    answer.problem(422);
    assert_eq!(server.patch("/v1/queues/c", &json!({"paused": true})).status, 422);
    server.submit(&in_queue(echo(1), "b"));
}
