//! Bulk actions: cancelling, retrying or deleting many jobs in one request.

use serde_json::{Value, json};

use crate::kit::{Response, Server, echo, pointers, sleep, with};

fn bulk_action(server: &Server, action: &str, ids: &[i64]) -> Response {
    server.post(&format!("/v1/jobs/{action}"), &json!({"ids": ids}))
}

/// Returns the pairs of id and status of a bulk answer.
fn statuses(response: &Response) -> Value {
    let answers = response.expect(200)["answers"].clone();
    answers.as_array().unwrap().iter().map(|entry| json!([entry["id"], entry["status"]])).collect()
}

/// Starts a server with three jobs: 1 is completed, 2 is scheduled, 3 is running.
fn three_jobs() -> Server {
    let server = Server::start();
    server.run(&echo(1));
    server.submit(&with(echo(2), &json!({"delay": "1h"})));
    server.submit(&sleep("1h"));
    server.wait_for_state(3, "running");
    server
}

#[test]
fn many_jobs_are_cancelled_and_running_ones_are_stopped() {
    let server = three_jobs();
    let answer = bulk_action(&server, "cancel", &[3, 99, 2, 1]);
    assert_eq!(statuses(&answer), json!([[3, 200], [99, 404], [2, 200], [1, 409]]));
    let answers = answer.json()["answers"].clone();
    assert_eq!(answers[0], json!({"id": 3, "status": 200}));
    assert_eq!(
        (&answers[3]["type"], &answers[3]["title"]),
        (&json!("urn:longshore:problem:conflict"), &json!("Conflict"))
    );
    assert!(answers[3]["detail"].as_str().unwrap().contains("completed"), "{answers}");
    assert_eq!(server.wait_until_final(3)["state"], "cancelled");
    assert_eq!(server.job(2)["state"], "cancelled");
    assert_eq!(server.job(1)["state"], "completed");
}

#[test]
fn many_jobs_are_retried_in_one_request() {
    let server = three_jobs();
    bulk_action(&server, "cancel", &[2]).expect(200);
    let answer = bulk_action(&server, "retry", &[1, 2, 3, 4]);
    assert_eq!(statuses(&answer), json!([[1, 200], [2, 200], [3, 409], [4, 404]]));
    assert_eq!(server.wait_until_final(1)["state"], "completed");
    assert_eq!(server.wait_until_final(2)["state"], "completed");
}

#[test]
fn many_jobs_are_deleted_in_one_request() {
    let server = three_jobs();
    let answer = bulk_action(&server, "delete", &[1, 2, 3, 4]);
    assert_eq!(statuses(&answer), json!([[1, 200], [2, 409], [3, 409], [4, 404]]));
    server.get("/v1/jobs/1").problem(404);
    assert_eq!(server.job(2)["state"], "scheduled");
}

#[test]
fn a_request_may_have_a_thousand_entries() {
    let server = Server::start();
    let jobs = vec![with(echo(1), &json!({"delay": "1h"})); 1_001];
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    let ids: Vec<i64> = (1..=1_001).collect();
    let many = bulk_action(&server, "cancel", &ids);
    assert!(many.problem(422).contains("1 to 1000 ids"), "{many:?}");
    assert_eq!(pointers(&many), ["/ids"]);
    assert_eq!(pointers(&bulk_action(&server, "cancel", &[])), ["/ids"]);
    assert_eq!(server.get("/v1/jobs?state=cancelled").expect(200)["jobs"], json!([]));
    let answers = bulk_action(&server, "cancel", &ids[..1_000]).expect(200)["answers"].clone();
    assert!(answers.as_array().unwrap().iter().all(|entry| entry["status"] == 200), "{answers}");
    assert_eq!(server.get("/v1/queues/default").expect(200)["jobs"]["cancelled"], 1_000);
}

#[test]
fn a_repeated_id_has_the_answer_of_the_first_and_the_action_is_applied_once() {
    let server = three_jobs();
    let answer = bulk_action(&server, "delete", &[1, 99, 1, 2, 99, 1]);
    let expected = json!([[1, 200], [99, 404], [1, 200], [2, 409], [99, 404], [1, 200]]);
    assert_eq!(statuses(&answer), expected);
    server.get("/v1/jobs/1").problem(404);
    let answers = answer.json()["answers"].clone();
    assert_eq!(answers[1], answers[4]);
}

#[test]
fn an_entry_that_is_no_id_is_refused_by_itself() {
    let server = three_jobs();
    let ids = json!([1.5, "3", -1, "x", null, 2, 0, [2], {"id": 2}, true, "", 9_223_372_036_854_775_808_u64]);
    let answer = server.post("/v1/jobs/cancel", &json!({"ids": ids}));
    let expected = json!([
        [1.5, 422], [3, 200], [-1, 422], ["x", 422], [null, 422], [2, 200], [0, 422], [[2], 422],
        [{"id": 2}, 422], [true, 422], ["", 422], [9_223_372_036_854_775_808_u64, 422]
    ]);
    assert_eq!(statuses(&answer), expected);
    let refused = answer.json()["answers"][3].clone();
    assert_eq!(refused["type"], "urn:longshore:problem:invalid");
    assert_eq!(
        refused["detail"],
        "/ids/3: \"x\" is not the id of a job, which is a whole number of 1 or more"
    );
    assert_eq!(server.job(2)["state"], "cancelled");
    assert_eq!(server.wait_until_final(3)["state"], "cancelled");
    let only_invalid = server.post("/v1/jobs/cancel", &json!({"ids": ["x"]}));
    assert_eq!(statuses(&only_invalid), json!([["x", 422]]));
}

#[test]
fn a_body_that_is_not_a_list_of_ids_is_refused() {
    let server = Server::start();
    for ids in [json!(1), json!("1"), json!(null), json!({"1": 1})] {
        assert_eq!(pointers(&server.post("/v1/jobs/retry", &json!({"ids": ids}))), ["/ids"]);
    }
    assert_eq!(pointers(&server.post("/v1/jobs/retry", &json!({"id": [1]}))), ["/id"]);
    server.post("/v1/jobs/retry", &json!([1])).problem(422);
    server.post_empty("/v1/jobs/retry").problem(415);
    server.post("/v1/jobs/retry?all=1", &json!({"ids": [1]})).problem(400);
    server.post("/v1/jobs/submit", &json!({"ids": [1]})).problem(405);
    let get = server.get("/v1/jobs/delete");
    get.problem(405);
    assert_eq!(get.header("allow"), Some("POST"));
}

#[test]
fn an_odd_or_repeated_id_in_the_form_of_the_list_does_not_stop_the_others() {
    let server = three_jobs();
    let origin = server.url();
    let headers =
        [("origin", origin.as_str()), ("content-type", "application/x-www-form-urlencoded")];
    let form = b"job_action=cancel&id=2&id=x&id=2&id=1&id=3";
    let answer = server.request("POST", "/jobs/selected", &headers, form);
    assert_eq!(answer.status, 303, "{answer:?}");
    let location = answer.header("location").unwrap();
    assert!(location.contains("done=2") && location.contains("refused=2"), "{location}");
    assert_eq!(server.job(2)["state"], "cancelled");
    assert_eq!(server.wait_until_final(3)["state"], "cancelled");
}
