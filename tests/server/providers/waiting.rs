//! `GET /v1/providers`, and what a queued job waits for.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::model_server::{ModelServer, Reply};
use super::{chat, in_queue, start};
use crate::kit::http::gate;
use crate::kit::leases::remote;
use crate::kit::{Server, Setup, echo, eventually, sleep, with};

/// Submits a job and waits until it says what it waits for. Returns the job.
fn waiting_for(server: &Server, job: &Value, expected: &str) -> Value {
    let id = server.submit(job);
    eventually(&format!("job {id} waits for {expected}"), || {
        Some(server.job(id)).filter(|job| job["waiting_for"] == expected)
    })
}

fn detail(job: &Value) -> &str {
    job["waiting_detail"].as_str().unwrap_or_else(|| panic!("{job}"))
}

#[test]
fn a_waiting_job_says_that_it_waits_for_its_time() {
    let server = Server::start();
    let job = waiting_for(&server, &with(echo(1), &json!({"delay": "1h"})), "run_at");
    assert_eq!(
        (&job["waiting_until"], detail(&job)),
        (&job["run_at"], "it is scheduled for a later time")
    );
    let failing = json!({
        "kind": "http", "payload": {"url": "http://127.0.0.1:1/"}, "backoff": {"initial": "1h"},
    });
    let job = waiting_for(&server, &failing, "run_at");
    assert_eq!(
        (&job["waiting_until"], detail(&job)),
        (&job["run_at"], "it waits for its next attempt")
    );
}

#[test]
fn a_waiting_job_says_which_limit_of_its_queue_holds_it_back() {
    let server = Server::start();
    server.patch("/v1/queues/still", &json!({"paused": true})).expect(200);
    let job = waiting_for(&server, &in_queue(echo(1), "still"), "paused");
    assert_eq!(detail(&job), "queue still is paused");
    server.patch("/v1/queues/still", &json!({"paused": false})).expect(200);
    let job = server.wait_until_final(job["id"].as_i64().unwrap());
    assert_eq!((&job["waiting_for"], &job["waiting_detail"]), (&json!(null), &json!(null)));

    server.patch("/v1/queues/few", &json!({"max_running": 1})).expect(200);
    let first = server.submit(&in_queue(sleep("1h"), "few"));
    server.wait_for_state(first, "running");
    let job = waiting_for(&server, &in_queue(echo(1), "few"), "max_running");
    assert_eq!(detail(&job), "queue few runs as many jobs as its max_running allows: 1");

    let rate = json!({"rate": {"limit": 1, "period": "1h"}});
    server.patch("/v1/queues/slow", &rate).expect(200);
    server.run(&in_queue(echo(1), "slow"));
    let job = waiting_for(&server, &in_queue(echo(1), "slow"), "rate");
    assert_eq!(detail(&job), "queue slow has started as many jobs as its rate allows");
    let wait = crate::kit::between(&job["created_at"], &job["waiting_until"]).as_secs();
    assert!((3_500..3_640).contains(&wait), "{job}");
}

#[test]
fn a_waiting_job_says_that_its_lane_is_full_or_that_it_needs_a_remote_worker() {
    let server = Setup::new().config("lanes.async = 1").start();
    let first = server.submit(&sleep("1h"));
    server.wait_for_state(first, "running");
    let job = waiting_for(&server, &in_queue(echo(1), "other"), "lane");
    assert_eq!(detail(&job), "all 1 workers of the async lane are busy");
    let job = waiting_for(&server, &remote(1), "worker");
    assert_eq!(detail(&job), "a remote worker that takes jobs of kind resize from queue default");
}

#[test]
fn a_waiting_job_says_that_it_waits_for_its_turn_if_no_limit_is_known() {
    let (_go, gate) = gate();
    let gate = Arc::new(gate);
    let model = ModelServer::start(move |_| Reply::Wait(Arc::clone(&gate)));
    let server = start(&model, "limits.max_running_bytes = 500000", "");
    let large = chat(&"x".repeat(500_000));
    server.submit(&large);
    eventually("the call", || (model.calls() == 1).then_some(()));
    waiting_for(&server, &large, "turn");
}

#[test]
fn a_waiting_job_says_what_its_provider_waits_for() {
    let (_go, gate) = gate();
    let gate = Arc::new(gate);
    let model = ModelServer::start(move |_| Reply::Wait(Arc::clone(&gate)));
    let server = start(&model, "", "max_running = 1");
    server.submit(&chat("?"));
    eventually("the call", || (model.calls() == 1).then_some(()));
    let job = waiting_for(&server, &chat("?"), "provider");
    assert_eq!(detail(&job), "provider one runs as many calls as its max_running allows: 1");
    assert_eq!(job["waiting_until"], json!(null));
    // A limit of its queue is named first, because it holds whatever the provider says.
    server.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    assert_eq!(server.job(job["id"].as_i64().unwrap())["waiting_for"], "paused");
}

#[test]
fn providers_are_listed_with_their_limits_and_their_state() {
    let model = ModelServer::start(|_| Reply::Answer(Duration::ZERO));
    let before = model.provider("alpha");
    let mut server = start(&model, &before, "max_running = 2\nrequests_per_minute = 100");
    let listed = server.get("/v1/providers").expect(200);
    let names: Vec<&Value> =
        listed["providers"].as_array().unwrap().iter().map(|provider| &provider["name"]).collect();
    assert_eq!(names, ["alpha", "one"]);
    let one = &listed["providers"][1];
    assert_eq!((&one["max_running"], &one["requests_per_minute"]), (&json!(2), &json!(100)));
    assert_eq!(
        (&one["is_configured"], &one["running"], &one["queued"]),
        (&json!(true), &json!(0), &json!(0))
    );
    assert_eq!(*one, server.get("/v1/providers/one").expect(200));
    let alpha = server.get("/v1/providers/alpha").expect(200);
    assert_eq!(
        (&alpha["max_running"], &alpha["requests_per_minute"]),
        (&json!(null), &json!(null))
    );
    assert_eq!((&alpha["state"], &alpha["max_running_now"]), (&json!("starting"), &json!(16)));
    assert!(server.get("/v1/providers/nobody").problem(404).contains("nobody"));
    server.get("/v1/providers?limit=1").problem(400);
    server.post_empty("/v1/providers").problem(405);
    server.kill();
    server.restart();
    assert_eq!(server.get("/v1/providers").expect(200), listed);
}

#[test]
fn jobs_of_a_provider_that_is_no_longer_configured_wait_until_it_is_again() {
    let model = ModelServer::start(|_| Reply::Answer(Duration::ZERO));
    let mut old = start(&model, "", "");
    old.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    let mut named = chat("?");
    named["payload"]["provider"] = "one".into();
    let jobs = [old.submit(&chat("?")), old.submit(&named)];
    old.kill();
    let mut new = Setup::new().config(model.provider("two")).database(old.database()).start();
    let one = new.get("/v1/providers/one").expect(200);
    assert_eq!((&one["is_configured"], &one["queued"]), (&json!(false), &json!(2)), "{one}");
    assert!(new.log().contains("jobs wait for a provider that is not configured any more"));
    new.patch("/v1/queues/default", &json!({"paused": false})).expect(200);
    new.run(&in_queue(named_two(), "other"));
    for id in jobs {
        let job = new.job(id);
        assert_eq!(
            (&job["state"], &job["waiting_for"]),
            (&json!("queued"), &json!("provider")),
            "{job}"
        );
        assert_eq!(detail(&job), "provider one is not configured any more");
    }
    assert_eq!(model.calls(), 1, "of the job that names the other provider");
    new.kill();
    let both = format!("{}\n{}", model.provider("one"), model.provider("two"));
    let both = Setup::new().config(both).database(old.database()).start();
    for id in jobs {
        // The one that names no provider is still for the one that was configured at its submission.
        let job = both.wait_until_final(id);
        assert_eq!(job["state"], "completed", "{job}");
    }
}

fn named_two() -> serde_json::Value {
    let mut job = chat("?");
    job["payload"]["provider"] = "two".into();
    job
}
