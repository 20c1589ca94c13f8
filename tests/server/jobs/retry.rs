//! Retrying and deleting final jobs.

use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::kit::http::Target;
use crate::kit::{Server, echo, sleep, with};

#[test]
fn a_failed_job_runs_again_on_demand() {
    let server = Server::start();
    let is_broken = AtomicBool::new(true);
    let target = Target::start(move |caller, _| {
        let status =
            if is_broken.swap(false, Ordering::SeqCst) { "404 Not Found" } else { "200 OK" };
        caller.answer(status, "", "{}");
    });
    let job = server.run(&json!({"kind": "http", "payload": {"url": target.url("/")}}));
    assert_eq!((&job["state"], &job["attempt"]), (&json!("failed"), &json!(1)));
    assert_eq!(job["error"]["code"], "http_status");
    let job = server.post_empty("/v1/jobs/1/retry").expect(200);
    assert_eq!(job["error"], json!(null));
    let job = server.wait_until_final(1);
    assert_eq!(job["state"], "completed");
    assert_eq!(job["attempt"], 2);
    assert_eq!(job["failures"].as_array().unwrap().len(), 1, "{job}");
}

#[test]
fn a_completed_or_cancelled_job_runs_again_on_demand() {
    let server = Server::start();
    server.run(&echo(1));
    server.submit(&with(echo(2), &json!({"delay": "1h"})));
    server.post_empty("/v1/jobs/2/cancel").expect(200);
    for id in [1, 2] {
        server.post_empty(&format!("/v1/jobs/{id}/retry")).expect(200);
        let job = server.wait_until_final(id);
        assert_eq!((&job["state"], &job["result"]), (&json!("completed"), &json!(id)));
    }
}

#[test]
fn a_live_job_is_neither_retried_nor_deleted() {
    let server = Server::start();
    let id = server.submit(&sleep("1h"));
    server.wait_for_state(id, "running");
    server.post_empty(&format!("/v1/jobs/{id}/retry")).problem(409);
    server.delete(&format!("/v1/jobs/{id}")).problem(409);
    server.post_empty("/v1/jobs/99/retry").problem(404);
    server.delete("/v1/jobs/99").problem(404);
}

#[test]
fn a_deleted_job_is_gone() {
    let server = Server::start();
    server.run(&with(echo(1), &json!({"tags": ["t"]})));
    let answer = server.delete("/v1/jobs/1");
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    server.get("/v1/jobs/1").problem(404);
    server.delete("/v1/jobs/1").problem(404);
    assert_eq!(server.get("/v1/jobs?tag=t").expect(200)["jobs"], json!([]));
    assert_eq!(server.submit(&echo(2)), 2, "an id is never used again");
}
