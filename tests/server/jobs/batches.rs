//! Batches: counts, ids of jobs, cancellation, refusals, lists.

mod events;
mod results;
mod retry;

use serde_json::json;

use crate::kit::{Server, echo, pointers, sleep, with};

#[test]
fn a_batch_counts_its_jobs_and_finishes_with_the_last_one() {
    let server = Server::start();
    let delayed = with(echo(2), &json!({"delay": "300ms"}));
    let answer =
        server.post("/v1/batches", &json!({"name": "night ü", "jobs": [echo(1), delayed]}));
    let batch = answer.expect(202);
    assert_eq!(answer.header("location"), Some("/v1/batches/1"));
    assert_eq!((&batch["name"], &batch["total"]), (&json!("night ü"), &json!(2)));
    assert_eq!(batch["counts"]["scheduled"], 1);
    assert_eq!(batch["finished_at"], json!(null));
    let batch = server.get("/v1/batches/1?wait=30s").expect(200);
    assert_eq!(batch["counts"]["completed"], 2, "{batch}");
    assert!(batch["finished_at"].is_string());
    assert_eq!(server.job(1)["batch"], 1);
    // A deleted job stays in the counts of its batch.
    assert_eq!(server.delete("/v1/jobs/1").status, 204);
    assert_eq!(server.get("/v1/batches/1").expect(200)["counts"]["completed"], 2);
}

#[test]
fn cancelling_a_batch_cancels_all_its_unfinished_jobs() {
    let server = Server::start();
    let delayed = with(echo(2), &json!({"delay": "1h"}));
    server.post("/v1/batches", &json!({"jobs": [echo(1), delayed, sleep("1h")]})).expect(202);
    server.wait_until_final(1);
    server.wait_for_state(3, "running");
    let batch = server.post_empty("/v1/batches/1/cancel").expect(200);
    // The running job is asked to stop, and may have done so already.
    assert!((1..=2).contains(&batch["counts"]["cancelled"].as_i64().unwrap()), "{batch}");
    let batch = server.get("/v1/batches/1?wait=30s").expect(200);
    assert_eq!(batch["counts"]["cancelled"], 2);
    assert_eq!(batch["counts"]["completed"], 1);
    assert!(batch["finished_at"].is_string());
    let again = server.post_empty("/v1/batches/1/cancel").expect(200);
    assert_eq!(again["counts"], batch["counts"]);
}

#[test]
fn the_answer_has_the_ids_of_the_jobs_in_the_order_of_submission_also_when_it_is_repeated() {
    let server = Server::start();
    server.submit(&echo(0));
    let body = json!({"jobs": [echo(1), with(echo(2), &json!({"priority": 9})), echo(3)]});
    let key = [("idempotency-key", "upload-1")];
    let first = server.post_with("/v1/batches", &key, &body).expect(202);
    assert_eq!(first["job_ids"], json!([2, 3, 4]));
    server.get("/v1/batches/1?wait=30s").expect(200);
    server.delete("/v1/jobs/3");
    let again = server.post_with("/v1/batches", &key, &body).expect(202);
    assert_eq!((&again["id"], &again["job_ids"]), (&json!(1), &json!([2, 3, 4])));
    // Only the answer to the submission has them.
    assert_eq!(server.get("/v1/batches/1").expect(200).get("job_ids"), None);
}

#[test]
fn retrying_a_job_reopens_its_finished_batch() {
    let server = Server::start();
    server.post("/v1/batches", &json!({"jobs": [echo(1)]})).expect(202);
    server.get("/v1/batches/1?wait=30s").expect(200);
    server.patch("/v1/queues/default", &json!({"paused": true})).expect(200);
    server.post_empty("/v1/jobs/1/retry").expect(200);
    let batch = server.get("/v1/batches/1").expect(200);
    assert_eq!((&batch["finished_at"], &batch["counts"]["queued"]), (&json!(null), &json!(1)));
}

#[test]
fn an_invalid_batch_is_refused_whole_with_a_pointer_to_the_field() {
    let server = Server::start();
    let jobs = json!([echo(1), {"kind": "echo", "priority": 101}]);
    let answer = server.post("/v1/batches", &json!({"jobs": jobs}));
    answer.problem(422);
    assert_eq!(pointers(&answer), ["/jobs/1/priority"]);
    let answer =
        server.post("/v1/batches", &json!({"name": "x".repeat(10_000), "jobs": [echo(1)]}));
    answer.problem(422);
    assert_eq!(pointers(&answer), ["/name"]);
    server.post("/v1/batches", &json!({"jobs": []})).problem(422);
    server.post("/v1/batches", &json!([echo(1)])).problem(422);
    server.get("/v1/batches/1").problem(404);
    server.post_empty("/v1/batches/1/cancel").problem(404);
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"], json!([]));
}

#[test]
fn batches_are_listed_newest_first_a_page_at_a_time() {
    let server = Server::start();
    assert_eq!(server.get("/v1/batches").expect(200), json!({"batches": [], "next_cursor": null}));
    for name in ["a", "b", "c"] {
        server.post("/v1/batches", &json!({"name": name, "jobs": [echo(1)]})).expect(202);
    }
    let names = |query: &str| {
        let page = server.get(&format!("/v1/batches?{query}")).expect(200);
        let batches = page["batches"].as_array().unwrap();
        let names: String = batches.iter().map(|batch| batch["name"].as_str().unwrap()).collect();
        (names, page["next_cursor"].clone())
    };
    assert_eq!(names(""), ("cba".into(), json!(null)));
    assert_eq!(names("limit=2"), ("cb".into(), json!("2")));
    assert_eq!(names("limit=2&cursor=2"), ("a".into(), json!(null)));
    let whole = server.get("/v1/batches/3?wait=30s").expect(200);
    assert_eq!(server.get("/v1/batches?limit=1").expect(200)["batches"][0], whole);
    for bad in ["limit=0", "limit=201", "cursor=x", "state=failed"] {
        server.get(&format!("/v1/batches?{bad}")).problem(400);
    }
}
