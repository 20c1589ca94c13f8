//! `max_running` and `requests_per_minute`: jobs wait for them in the queue.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::model_server::{ModelServer, Reply};
use super::{chat, in_queue, provider, start, submit_many};
use crate::kit::http::gate;
use crate::kit::proc::cpu_ticks;
use crate::kit::{echo, eventually, sleep, with};

#[test]
fn jobs_beyond_max_running_are_queued_and_hold_no_worker() {
    let (go, gate) = gate();
    let gate = Arc::new(gate);
    let model = ModelServer::start(move |_| Reply::Wait(Arc::clone(&gate)));
    let server = start(&model, "lanes.async = 8", "max_running = 5");
    let first = submit_many(&server, &chat("?"), 20);
    eventually("five calls run", || (model.calls() == 5).then_some(()));
    // The other three workers are free for other jobs, and the calls stay at five.
    for number in 0..3 {
        assert_eq!(server.run(&echo(number))["state"], "completed");
    }
    assert_eq!(model.calls(), 5);
    let shown = provider(&server);
    assert_eq!(
        (&shown["running"], &shown["queued"], &shown["max_running"]),
        (&json!(5), &json!(15), &json!(5))
    );
    let waiting = server.job(first + 19);
    assert_eq!(
        (&waiting["state"], &waiting["waiting_for"]),
        (&json!("queued"), &json!("provider"))
    );
    assert_eq!(
        (&waiting["started_at"], &waiting["attempt"]),
        (&json!(null), &json!(0)),
        "{waiting}"
    );
    // A cancelled call frees its place.
    server.post_empty(&format!("/v1/jobs/{first}/cancel")).expect(200);
    eventually("a sixth call", || (model.calls() == 6).then_some(()));
    assert_eq!(provider(&server)["running"], 5);
    drop(go);
    for id in first + 1..first + 20 {
        assert_eq!(server.wait_until_final(id)["attempt"], 1);
    }
    assert_eq!(provider(&server)["running"], 0);
}

#[test]
fn a_model_server_never_sees_more_calls_at_once_than_max_running_over_all_queues() {
    let model = ModelServer::start(|_| Reply::Answer(Duration::from_millis(20)));
    let server = start(&model, "", "max_running = 3");
    let jobs: Vec<Value> = (0..60).map(|n| in_queue(chat("?"), ["a", "b", "c"][n % 3])).collect();
    let batch = server.post("/v1/batches", &json!({"jobs": jobs})).expect(202);
    let path = format!("/v1/batches/{}?wait=60s", batch["id"]);
    assert_eq!(server.get(&path).expect(200)["counts"]["completed"], 60);
    assert_eq!((model.peak(), model.calls()), (3, 60));
}

#[test]
fn requests_per_minute_hold_after_a_restart_and_a_job_that_waits_for_them_can_be_cancelled() {
    let model = ModelServer::start(|_| Reply::Answer(Duration::ZERO));
    let mut server = start(&model, "", "requests_per_minute = 3");
    let first = submit_many(&server, &chat("?"), 5);
    for id in first..first + 3 {
        assert_eq!(server.wait_until_final(id)["state"], "completed");
    }
    for _ in 0..2 {
        server.run(&echo(1));
        let job = server.job(first + 3);
        assert_eq!((&job["state"], &job["waiting_for"]), (&json!("queued"), &json!("provider")));
        let until: longshore::job::Timestamp =
            job["waiting_until"].as_str().unwrap().parse().unwrap();
        let created_at = job["created_at"].as_str().unwrap().parse().unwrap();
        let waits = until.since(created_at).as_secs();
        assert!((60..90).contains(&waits), "{job}");
        server.kill();
        server.restart();
    }
    server.post_empty(&format!("/v1/jobs/{}/cancel", first + 3)).expect(200);
    assert_eq!(server.wait_until_final(first + 3)["state"], "cancelled");
    assert_eq!(model.calls(), 3);
}

#[test]
fn the_time_that_a_job_waits_for_its_provider_is_not_part_of_its_timeout() {
    let model = ModelServer::start(|_| Reply::Answer(Duration::from_millis(800)));
    let server = start(&model, "", "max_running = 1");
    let first =
        submit_many(&server, &with(chat("?"), &json!({"timeout": "2s", "max_attempts": 1})), 4);
    for id in first..first + 4 {
        assert_eq!(server.wait_until_final(id)["state"], "completed");
    }
}

#[test]
fn a_job_of_priority_100_in_another_queue_is_called_within_two_calls() {
    let model = ModelServer::start(|_| Reply::Answer(Duration::from_millis(200)));
    let server = start(&model, "", "max_running = 5");
    submit_many(&server, &in_queue(chat("bulk"), "bulk"), 600);
    eventually("ten calls", || (model.calls() >= 10).then_some(()));
    let urgent = with(in_queue(chat("urgent"), "other"), &json!({"priority": 100}));
    let id = server.submit(&urgent);
    let before = model.calls();
    let job = server.wait_until_final(id);
    let number = model.call_with("urgent").unwrap();
    let queued = provider(&server)["queued"].clone();
    eprintln!("priority 100: {before} calls before it, it was call {number}, {queued} are queued");
    assert!(number <= before + 2 * 5, "{before} calls before it, and it was call {number}");
    assert!(queued.as_i64().unwrap() > 400, "{queued} are queued: {job}");
    assert!(model.peak() <= 5);
}

#[test]
fn a_queue_gets_at_most_three_quarters_of_the_async_lane_unless_it_has_max_running() {
    let config = "lanes.async = 8\nlanes.thread = 2\n[queues.wide]\nmax_running = 8";
    let server = crate::kit::Setup::new().config(config).start();
    let first = submit_many(&server, &in_queue(sleep("1h"), "bulk"), 20);
    let running = |queue: &str| server.queue(queue)["jobs"]["running"].as_i64().unwrap();
    eventually("six run", || (running("bulk") == 6).then_some(()));
    assert_eq!(server.run(&in_queue(echo(1), "quick"))["state"], "completed");
    assert_eq!(running("bulk"), 6);
    let waiting = server.job(first + 19);
    assert_eq!(waiting["waiting_for"], "lane", "{waiting}");
    assert!(waiting["waiting_detail"].as_str().unwrap().contains("max_running"), "{waiting}");
    // The limit of a queue replaces its share.
    server.patch("/v1/queues/bulk", &json!({"max_running": 7})).expect(200);
    eventually("seven run", || (running("bulk") == 7).then_some(()));
    server.patch("/v1/queues/bulk", &json!({"max_running": 1})).expect(200);
    for id in first..first + 7 {
        server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    }
    eventually("one runs", || (running("bulk") == 1).then_some(()));
    submit_many(&server, &in_queue(sleep("1h"), "wide"), 8);
    eventually("seven of eight run", || (running("wide") == 7).then_some(()));
}

#[test]
fn a_refused_submission_of_a_new_queue_leaves_the_server_idle() {
    let model = ModelServer::start(|_| Reply::Answer(Duration::ZERO));
    let server = start(&model, "", "");
    let submit = |job: &Value| server.post_with("/v1/jobs", &[("idempotency-key", "k")], job);
    submit(&in_queue(chat("?"), "first")).expect(202);
    submit(&in_queue(chat("another"), "second")).problem(422);
    server.wait_until_final(1);
    // The roster has marked the queue, which was never created, as ready.
    let before = cpu_ticks(server.pid());
    std::thread::sleep(Duration::from_secs(1));
    let used = cpu_ticks(server.pid()) - before;
    assert!(used < 50, "{used} % of a core");
}
