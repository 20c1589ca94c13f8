//! Another try of the failed jobs of a batch.

use serde_json::{Value, json};

use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Server, pointers, with};

/// Submits a batch of `number` jobs, leases them and ends each by an action.
fn batch(server: &Server, actions: &[&str], fields: &Value) {
    let jobs: Vec<Value> = actions.iter().map(|_| with(remote(1), fields)).collect();
    server.post("/v1/batches", &json!({"jobs": jobs})).expect(202);
    let leased = lease(server, 100, &json!({}));
    assert_eq!(leased.len(), actions.len());
    for (job, action) in leased.iter().zip(actions) {
        let end = match *action {
            "fail" => {
                json!({"error": {"code": "broken", "message": "it broke"}, "retryable": false})
            }
            _ => json!({"result": 1}),
        };
        lease_action(server, job, action, &end).expect(200);
    }
}

#[test]
fn the_failed_jobs_of_a_batch_are_queued_again_and_the_others_stay_as_they_are() {
    let server = Server::start();
    batch(&server, &["fail", "complete", "fail"], &json!({}));
    let answer = server.post_empty("/v1/batches/1/retry").expect(200);
    assert_eq!((&answer["retried"], &answer["finished_at"]), (&json!(2), &json!(null)));
    assert_eq!(
        (&answer["counts"]["queued"], &answer["counts"]["completed"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(server.post_empty("/v1/batches/1/retry").expect(200)["retried"], 0);
    server.post_empty("/v1/batches/1/cancel").expect(200);
    assert_eq!(server.post_empty("/v1/batches/1/retry").expect(200)["retried"], 0);
    let answer = server.post_empty("/v1/batches/1/retry?state=failed,cancelled").expect(200);
    assert_eq!((&answer["retried"], &answer["counts"]["queued"]), (&json!(2), &json!(2)));
}

#[test]
fn jobs_that_must_not_run_twice_are_not_queued_again() {
    let server = Server::start();
    batch(&server, &["fail", "fail"], &json!({"at_most_once": true}));
    let answer = server.post_empty("/v1/batches/1/retry").expect(200);
    assert_eq!((&answer["retried"], &answer["counts"]["failed"]), (&json!(0), &json!(2)));
}

#[test]
fn a_retry_names_states_of_failure_and_a_batch_that_exists() {
    let server = Server::start();
    batch(&server, &["complete"], &json!({}));
    for bad in ["completed", "failed,", "x", ""] {
        let answer = server.post_empty(&format!("/v1/batches/1/retry?state={bad}"));
        answer.problem(400);
        assert_eq!(pointers(&answer), ["/state"]);
    }
    server.post_empty("/v1/batches/2/retry").problem(404);
    server.post_empty("/v1/batches/x/retry").problem(404);
}

#[test]
fn the_jobs_of_a_large_batch_are_cancelled_and_queued_again_in_pieces() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..5_500).map(remote).collect();
    server.post("/v1/batches", &json!({"open": true, "jobs": []})).expect(202);
    for _ in 0..2 {
        server.post("/v1/batches/1/jobs", &json!({"jobs": jobs})).expect(202);
    }
    lease(&server, 2, &json!({}));
    let answer = server.post_empty("/v1/batches/1/cancel").expect(200);
    assert_eq!(
        (&answer["counts"]["cancelled"], &answer["counts"]["running"]),
        (&json!(10_998), &json!(2))
    );
    let answer = server.post_empty("/v1/batches/1/retry?state=cancelled&after=5500").expect(200);
    assert_eq!((&answer["retried"], answer.get("next_after")), (&json!(5_500), None));
    let answer = server.post_empty("/v1/batches/1/retry?state=cancelled").expect(200);
    assert_eq!((&answer["retried"], &answer["counts"]["queued"]), (&json!(5_498), &json!(10_998)));
}
