//! `PATCH /v1/jobs/{id}`: changes of jobs that wait.

use serde_json::json;

use crate::kit::{Server, echo, with};

fn later(server: &Server) -> i64 {
    let job = server.post("/v1/jobs", &with(echo("x"), &json!({"delay": "1h"}))).expect(202);
    job["id"].as_i64().unwrap()
}

fn patch(server: &Server, id: i64, change: &serde_json::Value) -> crate::kit::http::Response {
    server.patch(&format!("/v1/jobs/{id}"), change)
}

#[test]
fn a_job_that_waits_for_its_time_is_run_now() {
    let server = Server::start();
    let id = later(&server);
    let changed = patch(&server, id, &json!({"delay": "0s"})).expect(200);
    assert_eq!(changed["id"], id);
    assert_eq!(server.wait_until_final(id)["state"], "completed");
    let refused = patch(&server, id, &json!({"priority": 1})).problem(409);
    assert!(refused.contains("is completed; only a job that waits can be changed"), "{refused}");
}

#[test]
fn a_job_that_waits_gets_another_time_priority_expiry_and_queue() {
    let server = Server::start();
    let id = later(&server);
    let change = json!({
        "run_at": "2030-01-01T00:00:00Z", "priority": 7, "expires_at": "2031-01-01T00:00:00Z",
        "queue": "mail",
    });
    let job = patch(&server, id, &change).expect(200);
    assert_eq!((&job["state"], &job["priority"]), (&json!("scheduled"), &json!(7)));
    assert_eq!(job["run_at"], "2030-01-01T00:00:00.000Z");
    assert_eq!(job["expires_at"], "2031-01-01T00:00:00.000Z");
    assert_eq!(job["queue"], "mail");
    assert_eq!(server.get("/v1/queues/mail").expect(200)["jobs"]["scheduled"], 1);
    assert_eq!(server.get("/v1/queues/default").expect(200)["jobs"]["scheduled"], 0);
    let job = patch(&server, id, &json!({"expires_in": "1h"})).expect(200);
    assert!(job["expires_at"].as_str() < Some("2031"), "{job}");
    let job = patch(&server, id, &json!({"expires_at": null})).expect(200);
    assert!(job.get("expires_at").is_none(), "{job}");
}

#[test]
fn a_bad_change_names_its_fields_and_changes_nothing() {
    let server = Server::start();
    let id = later(&server);
    let before = server.job(id);
    for (change, text) in [
        (json!({}), "must have at least one of run_at"),
        (json!({"priority": 101}), "/priority: must be between -100 and 100"),
        (json!({"queue": "A"}), "/queue: must be 1 to 64"),
        (json!({"delay": "1s", "run_at": "2030-01-01T00:00:00Z"}), "/delay: must not be combined"),
        (json!({"payload": 1}), "unknown field"),
    ] {
        let problem = patch(&server, id, &change).problem(422);
        assert!(problem.contains(text), "{change}: {problem}");
    }
    assert_eq!(server.job(id), before);
    patch(&server, 99, &json!({"priority": 1})).problem(404);
}
