//! `/v1/leases`: remote workers lease jobs, renew leases and report outcomes.

mod deferred;
mod learned_kinds;
mod long_log;
mod odd_reports;
mod shell_worker;
mod waiting;
mod watch;

use serde_json::{Value, json};

use crate::kit::between;
use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Server, Setup, pointers, sleep, with};

/// Submits a job and leases it.
fn running(server: &Server, job: &Value) -> Value {
    let id = server.submit(job);
    let leased = lease(server, 1, &json!({}));
    assert_eq!(leased[0]["id"], id, "another job was leased first");
    leased[0].clone()
}

#[test]
fn a_lease_contains_everything_that_a_worker_needs() {
    let server = Server::start();
    let job = with(remote(json!({"width": 7})), &json!({"timeout": "90s", "max_attempts": 3}));
    let batch = server.post("/v1/batches", &json!({"jobs": [job]})).expect(202)["id"].clone();
    let leased = lease(&server, 10, &json!({"lease": "30s", "worker": "ann"}));
    let [leased] = leased.as_slice() else { panic!("{leased:?}") };
    assert_eq!((&leased["id"], &leased["lease_token"]), (&json!(1), &json!(1)));
    assert_eq!((&leased["kind"], &leased["queue"]), (&json!("resize"), &json!("default")));
    assert_eq!((&leased["attempt"], &leased["max_attempts"]), (&json!(1), &json!(3)));
    assert_eq!((&leased["payload"], &leased["batch"]), (&json!({"width": 7}), &batch));
    let shown = server.job(1);
    assert_eq!((&shown["state"], &shown["worker"]), (&json!("running"), &json!("ann")));
    assert_eq!(shown["lease_expires_at"], leased["lease_expires_at"]);
    let span = |end: &str| between(&shown["started_at"], &leased[end]).as_secs();
    assert_eq!((span("lease_expires_at"), span("deadline_at")), (30, 90));
}

#[test]
fn a_lease_contains_the_tags_and_the_metadata_of_a_job_that_has_them() {
    let server = Server::start();
    let metadata = json!({"user": 7, "words": ["\u{e4}"]});
    server.submit(&with(remote(1), &json!({"tags": ["b", "a"], "metadata": metadata})));
    server.submit(&with(remote(2), &json!({"metadata": {}})));
    server.submit(&remote(3));
    let leased = lease(&server, 3, &json!({"kinds": ["resize"]}));
    assert_eq!((&leased[0]["tags"], &leased[0]["metadata"]), (&json!(["b", "a"]), &metadata));
    assert_eq!((leased[1].get("tags"), &leased[1]["metadata"]), (None, &json!({})));
    assert_eq!((leased[2].get("tags"), leased[2].get("metadata")), (None, None));
}

#[test]
fn a_job_is_completed_once_and_the_same_finish_may_be_repeated() {
    let server = Server::start();
    let leased = running(&server, &remote(1));
    let result = json!({"result": {"width": 7}});
    let answer = lease_action(&server, &leased, "complete", &result).expect(200);
    assert_eq!(answer, json!({"id": 1, "lease_token": 1, "state": "completed"}));
    let again = lease_action(&server, &leased, "complete", &result).expect(200);
    assert_eq!(again, json!({"id": 1, "lease_token": 1, "repeated": true}));
    lease_action(&server, &leased, "complete", &json!({"result": 8})).problem(409);
    lease_action(&server, &leased, "fail", &json!({"error": {"code": "x"}})).problem(409);
    lease_action(&server, &leased, "renew", &json!({})).problem(409);
    assert_eq!(server.job(1)["result"], json!({"width": 7}));
}

#[test]
fn a_failed_job_is_retried_as_the_worker_requests() {
    let server = Server::start();
    let error = json!({"error": {"code": "no_memory", "message": "it is full"}});
    let leased = running(&server, &remote(1));
    let again = with(error.clone(), &json!({"retry_in": "1h"}));
    assert_eq!(lease_action(&server, &leased, "fail", &again).expect(200)["state"], "retrying");
    let shown = server.job(1);
    assert_eq!(shown["error"], error["error"]);
    assert_eq!(between(&shown["failures"][0]["at"], &shown["run_at"]).as_secs(), 3_600);
    server.post_empty("/v1/jobs/1/retry").expect(200);
    let leased = lease(&server, 1, &json!({})).remove(0);
    assert_eq!((&leased["attempt"], &leased["lease_token"]), (&json!(2), &json!(2)));
    let never = with(error, &json!({"retryable": false}));
    assert_eq!(lease_action(&server, &leased, "fail", &never).expect(200)["state"], "failed");
    assert_eq!(server.job(1)["failures"].as_array().unwrap().len(), 2);
}

#[test]
fn a_released_job_is_requeued_without_using_an_attempt() {
    let server = Server::start();
    let leased = running(&server, &remote(1));
    assert_eq!(
        lease_action(&server, &leased, "release", &json!({})).expect(200)["state"],
        "queued"
    );
    let next = lease(&server, 1, &json!({})).remove(0);
    assert_eq!((&next["attempt"], &next["lease_token"]), (&json!(1), &json!(2)));
    lease_action(&server, &leased, "complete", &json!({"result": 1})).problem(409);
    lease_action(&server, &leased, "release", &json!({})).problem(409);
    assert_eq!(server.job(1)["state"], "running");
}

#[test]
fn a_released_at_most_once_job_runs_again_only_if_it_was_not_begun() {
    let server = Server::start();
    let once = with(remote(1), &json!({"at_most_once": true}));
    let leased = running(&server, &once);
    let untouched = lease_action(&server, &leased, "release", &json!({"begun": false})).expect(200);
    assert_eq!(untouched["state"], "queued");
    let leased = lease(&server, 1, &json!({})).remove(0);
    assert_eq!(
        lease_action(&server, &leased, "release", &json!({})).expect(200)["state"],
        "failed"
    );
    assert_eq!(server.job(1)["error"]["code"], "outcome_unknown");
}

#[test]
fn a_renewal_extends_the_lease_reports_progress_and_returns_a_cancel_request() {
    let server = Server::start();
    let leased = running(&server, &with(remote(1), &json!({"timeout": "1h"})));
    let fields = json!({"lease": "30m", "progress": {"percent": 30, "message": "reading"}});
    let renewed = lease_action(&server, &leased, "renew", &fields).expect(200);
    assert_eq!(renewed["cancel"], false);
    let shorter = lease_action(&server, &leased, "renew", &json!({"lease": "1s"})).expect(200);
    assert_eq!(shorter["lease_expires_at"], renewed["lease_expires_at"]);
    assert_eq!(server.job(1)["progress"], json!({"percent": 30.0, "message": "reading"}));
    assert_eq!(server.post_empty("/v1/jobs/1/cancel").expect(200)["cancel_requested"], true);
    assert_eq!(lease_action(&server, &leased, "renew", &json!({})).expect(200)["cancel"], true);
    assert_eq!(
        lease_action(&server, &leased, "release", &json!({})).expect(200)["state"],
        "cancelled"
    );
}

#[test]
fn many_jobs_are_finished_in_one_request_with_one_answer_each() {
    let server = Server::start();
    server.post("/v1/jobs", &json!([remote(1), remote(2), remote(3), remote(4)])).expect(202);
    lease(&server, 4, &json!({}));
    let many = json!([
        {"id": 1, "lease_token": 1, "action": "complete", "result": [1]},
        {"id": 2, "lease_token": 1, "action": "fail", "error": {"code": "x"}, "retryable": false},
        {"id": 3, "lease_token": 0, "action": "release"},
        {"id": 4, "lease_token": 1, "action": "renew", "lease": "1s"},
        {"id": 9, "lease_token": 1, "action": "complete"},
        {"id": 1, "lease_token": 1, "action": "complete", "result": [1]},
    ]);
    let answers = server.post("/v1/leases/finish", &many).expect(200)["answers"].clone();
    let statuses: Vec<(&Value, &Value)> = answers
        .as_array()
        .unwrap()
        .iter()
        .map(|answer| (&answer["id"], &answer["status"]))
        .collect();
    let expected = [(1, 200), (2, 200), (3, 409), (4, 200), (9, 404), (1, 200)];
    assert_eq!(json!(statuses), json!(expected));
    assert_eq!(
        (&answers[0]["state"], &answers[5]["repeated"]),
        (&json!("completed"), &json!(true))
    );
    assert_eq!(answers[2]["type"], "urn:longshore:problem:stale-lease");
    assert_eq!(answers[3]["cancel"], false);
    assert_eq!(server.job(1)["result"], json!([1]));
}

#[test]
fn every_invalid_field_of_a_lease_request_is_named() {
    let server = Server::start();
    running(&server, &remote(1));
    let wrong = json!({"queues": ["A"], "kinds": [], "limit": 0, "lease": "0s", "wait": "2m", "worker": "a\nb"});
    let refused = server.post("/v1/leases", &wrong);
    refused.problem(422);
    assert_eq!(pointers(&refused), ["/limit", "/lease", "/wait", "/worker", "/queues/0", "/kinds"]);
    assert_eq!(pointers(&server.post("/v1/leases", &json!({"waits": "1s"}))), ["/waits"]);
    let contradiction = json!({"lease_token": 1, "id": 2, "action": "fail"});
    let refused = server.post("/v1/leases/1/complete", &contradiction);
    assert_eq!(pointers(&refused), ["/id", "/action"]);
    let no_token = server.post("/v1/leases/1/complete", &json!({"result": 1}));
    assert_eq!(pointers(&no_token), ["/lease_token"]);
    server.post("/v1/leases/1/ack", &json!({})).problem(404);
    server.post("/v1/leases/x/renew", &json!({})).problem(404);
    server.post("/v1/leases/9/complete", &json!({"lease_token": 1})).problem(404);
    server.get("/v1/leases").problem(405);
    server.post_empty("/v1/leases").problem(415);
    assert_eq!(server.job(1)["state"], "running");
}

#[test]
fn a_job_is_for_remote_workers_by_its_lane_or_by_its_kind() {
    let server = Setup::new().config("remote_kinds = ['resize']").start();
    let known = server.post("/v1/jobs", &json!({"kind": "resize"})).expect(202);
    assert_eq!(known["lane"], "remote");
    let by_lane = |kind: &str, lane: &str| {
        server.post("/v1/jobs", &json!({"kind": kind, "lane": lane, "payload": 1}))
    };
    assert_eq!(by_lane("shrink", "remote").expect(202)["lane"], "remote");
    // A remote job may have a payload that the built-in kind of the same name refuses.
    assert_eq!(by_lane("http", "remote").expect(202)["lane"], "remote");
    assert_eq!(by_lane("echo", "async").expect(202)["lane"], "async");
    assert_eq!(pointers(&by_lane("echo", "thread")), ["/lane"]);
    assert_eq!(pointers(&by_lane("resize", "async")), ["/lane"]);
    assert_eq!(pointers(&by_lane("Shrink", "remote")), ["/kind"]);
    let unknown = server.post("/v1/jobs", &json!({"kind": "resise"}));
    assert_eq!(pointers(&unknown), ["/kind"]);
    assert!(
        unknown.problem(422).contains("resize, chat, command, echo, http, sleep"),
        "{unknown:?}"
    );
}

#[test]
fn a_built_in_kind_cannot_be_a_remote_kind() {
    let taken = Setup::new().config("remote_kinds = ['echo']").fail();
    assert!(!taken.status.success());
    let error = String::from_utf8_lossy(&taken.stderr).into_owned();
    assert!(error.contains("the kind echo is already registered"), "{error}");
}

#[test]
fn leases_survive_a_restart_of_the_server() {
    let mut server = Server::start();
    let leased = running(&server, &remote(1));
    server.kill();
    server.restart();
    assert_eq!(server.job(1)["state"], "running");
    assert!(lease(&server, 1, &json!({})).is_empty());
    lease_action(&server, &leased, "renew", &json!({})).expect(200);
    assert_eq!(
        lease_action(&server, &leased, "complete", &json!({})).expect(200)["state"],
        "completed"
    );
}

#[test]
fn a_worker_that_does_not_renew_in_time_loses_its_job() {
    let server = Server::start();
    server.submit(&with(remote(1), &json!({"timeout": "1h"})));
    let first = lease(&server, 1, &json!({"lease": "1s", "worker": "ann"})).remove(0);
    let second = lease(&server, 1, &json!({"wait": "60s", "worker": "bob"})).remove(0);
    assert_eq!((&second["attempt"], &second["lease_token"]), (&json!(2), &json!(2)));
    lease_action(&server, &first, "complete", &json!({"result": 1})).problem(409);
    lease_action(&server, &first, "renew", &json!({})).problem(409);
    lease_action(&server, &second, "complete", &json!({"result": 2})).expect(200);
    let job = server.job(1);
    assert_eq!((&job["result"], &job["worker"]), (&json!(2), &json!("bob")));
    assert_eq!(job["failures"][0]["code"], "lost");
}

#[test]
fn local_and_remote_workers_share_the_limits_of_a_queue() {
    let server = Server::start();
    server.patch("/v1/queues/default", &json!({"max_running": 2})).expect(200);
    let here = server.submit(&sleep("60s"));
    server.wait_for_state(here, "running");
    for payload in 0..3 {
        server.submit(&remote(payload));
    }
    assert_eq!(lease(&server, 10, &json!({})).len(), 1);
    assert_eq!(lease(&server, 10, &json!({})).len(), 0);
    server.patch("/v1/queues/default", &json!({"max_running": null, "paused": true})).expect(200);
    assert_eq!(lease(&server, 10, &json!({})).len(), 0);
    server.patch("/v1/queues/default", &json!({"paused": false})).expect(200);
    assert_eq!(lease(&server, 10, &json!({})).len(), 2);
}

#[test]
fn a_lease_request_returns_fewer_jobs_if_their_payloads_are_large() {
    let server = Server::start();
    let large = remote("x".repeat(3 << 20));
    for _ in 0..5 {
        server.submit(&large);
    }
    let counts = [5, 5, 5].map(|limit| lease(&server, limit, &json!({})).len());
    assert_eq!(counts, [3, 2, 0]);
}

#[test]
fn a_remote_worker_cannot_finish_a_job_that_the_server_runs() {
    let server = Server::start();
    let here = server.submit(&with(sleep("60s"), &json!({"at_most_once": true})));
    server.wait_for_state(here, "running");
    let leased = json!({"id": here, "lease_token": 1});
    for (action, fields) in [
        ("complete", json!({})),
        ("fail", json!({"error": {"code": "x"}})),
        ("release", json!({"begun": false})),
        ("renew", json!({})),
    ] {
        lease_action(&server, &leased, action, &fields).problem(409);
    }
    assert_eq!(server.job(here)["state"], "running");
}

#[test]
fn the_answer_to_a_worker_says_that_its_result_was_truncated() {
    let server = Setup::new().config("limits.max_result_bytes = 10").start();
    let leased = running(&server, &with(remote(1), &json!({"truncate_result": true})));
    let long = json!({"result": "01234567890"});
    let answer = lease_action(&server, &leased, "complete", &long).expect(200);
    assert_eq!(
        (&answer["state"], &answer["result_truncated"]),
        (&json!("completed"), &json!(true))
    );
    assert_eq!(server.job(1)["result_truncated"], true);
    let leased = running(&server, &remote(1));
    let answer = lease_action(&server, &leased, "complete", &long).expect(200);
    assert_eq!((&answer["state"], answer.get("result_truncated")), (&json!("failed"), None));
    let job = server.job(2);
    assert_eq!((&job["error"]["code"], &job["attempt"]), (&json!("result_too_large"), &json!(1)));
    assert_eq!(job["attempts"][0]["result"], "\"01234567890\"");
}

#[test]
fn a_renewal_without_a_duration_uses_the_duration_of_the_lease() {
    let server = Server::start();
    server.submit(&with(remote(1), &json!({"timeout": "1h"})));
    let leased = lease(&server, 1, &json!({"lease": "40s"})).remove(0);
    let renewed = lease_action(&server, &leased, "renew", &json!({})).expect(200);
    let longer = between(&leased["lease_expires_at"], &renewed["lease_expires_at"]);
    assert!(longer.as_secs() < 40, "{longer:?}");
    lease_action(&server, &json!({"id": 9, "lease_token": 1}), "renew", &json!({})).problem(404);
}
