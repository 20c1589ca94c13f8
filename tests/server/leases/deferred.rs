//! Reports that a job cannot run now: `retry_in` of a release, and a failure that does not count.

use serde_json::{Value, json};

use super::running;
use crate::kit::Server;
use crate::kit::between;
use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::with;

/// Returns a failure that does not count.
fn busy(retry_in: &str) -> Value {
    let error = json!({"code": "busy", "message": "the printer is full"});
    json!({"counts": false, "retry_in": retry_in, "error": error})
}

#[test]
fn a_job_released_with_a_pause_runs_again_after_it_and_the_attempt_does_not_count() {
    let server = Server::start();
    let leased = running(&server, &remote(1));
    let later = json!({"retry_in": "1h"});
    let answer = lease_action(&server, &leased, "release", &later).expect(200);
    assert_eq!(answer, json!({"id": 1, "lease_token": 1, "state": "retrying"}));
    let again = lease_action(&server, &leased, "release", &later).expect(200);
    assert_eq!(again["repeated"], true);
    let job = server.job(1);
    assert_eq!((&job["attempt"], &job["waiting_for"]), (&json!(0), &json!("run_at")));
    assert_eq!((&job["error"]["code"], &job["failures"]), (&json!("deferred"), &json!([])));
    // The pause starts at the report, shortly after the start of the attempt.
    let pause = between(&job["started_at"], &job["run_at"]).as_secs();
    assert!((3_600..3_660).contains(&pause), "{pause}");
    server.post_empty("/v1/jobs/1/retry").expect(200);
    let next = lease(&server, 1, &json!({})).remove(0);
    assert_eq!((&next["attempt"], &next["lease_token"]), (&json!(1), &json!(2)));
}

#[test]
fn failures_that_do_not_count_use_up_no_attempt_and_keep_their_error() {
    let server = Server::start();
    let mut leased = running(&server, &with(remote(1), &json!({"max_attempts": 1})));
    for _ in 0..3 {
        let answer = lease_action(&server, &leased, "fail", &busy("1ms")).expect(200);
        assert_eq!(answer["state"], "retrying");
        assert_eq!(server.job(1)["error"]["message"], "the printer is full");
        leased = lease(&server, 1, &json!({"wait": "20s"})).remove(0);
        assert_eq!(leased["attempt"], 1);
    }
    lease_action(&server, &leased, "complete", &json!({"result": 1})).expect(200);
    let job = server.job(1);
    assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)));
    assert_eq!(job["error"], Value::Null);
}

#[test]
fn a_failure_that_does_not_count_is_final_if_it_is_not_retryable_and_ends_a_cancelled_job() {
    let server = Server::start();
    let leased = running(&server, &remote(1));
    let fatal = with(busy("1s"), &json!({"retryable": false}));
    assert_eq!(lease_action(&server, &leased, "fail", &fatal).expect(200)["state"], "failed");
    let leased = running(&server, &remote(2));
    server.post_empty("/v1/jobs/2/cancel").expect(200);
    let answer = lease_action(&server, &leased, "fail", &busy("1s")).expect(200);
    assert_eq!(answer["state"], "cancelled");
}

#[test]
fn a_list_of_reports_defers_jobs_and_odd_values_are_repaired() {
    let server = Server::start();
    server.post("/v1/jobs", &json!([remote(1), remote(2), remote(3), remote(4)])).expect(202);
    lease(&server, 4, &json!({}));
    let many = json!([
        {"id": 1, "lease_token": 1, "action": "release", "retry_in": 7200},
        {"id": 2, "lease_token": 1, "action": "fail", "counts": "False", "retry_in": "-1s"},
        {"id": 3, "lease_token": 1, "action": "fail", "counts": 0, "error": "busy"},
        {"id": 4, "lease_token": 1, "action": "release", "retry_in": {}, "counts": []},
    ]);
    let answers = server.post("/v1/leases/finish", &many).expect(200)["answers"].clone();
    let states = [0, 1, 2, 3].map(|at| answers[at]["state"].clone());
    assert_eq!(states, ["retrying", "retrying", "retrying", "queued"]);
    let pause = |id| {
        let job = server.job(id);
        between(&job["started_at"], &job["run_at"]).as_millis()
    };
    assert!((7_200_000..7_260_000).contains(&pause(1)), "{}", pause(1));
    assert!((1_000..60_000).contains(&pause(3)), "{}", pause(3));
}

#[test]
fn a_job_that_must_not_run_twice_runs_again_if_its_attempt_does_not_count() {
    let server = Server::start();
    let leased = running(&server, &with(remote(1), &json!({"at_most_once": true})));
    let answer = lease_action(&server, &leased, "fail", &busy("1ms")).expect(200);
    assert_eq!(answer["state"], "retrying");
    assert_eq!(lease(&server, 1, &json!({"wait": "20s"}))[0]["attempt"], 1);
}
