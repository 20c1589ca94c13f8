//! Batches without jobs, and open batches to which jobs are added.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Server, Setup, echo, eventually, pointers};

#[test]
fn a_batch_without_jobs_ends_at_once_and_its_follow_up_job_gets_no_results() {
    let server = Server::start();
    let then = json!({"kind": "echo", "payload": {"$from": "batch", "pointer": "/results"}});
    let batch = server.post("/v1/batches", &json!({"jobs": [], "then": then})).expect(202);
    assert_eq!(
        (&batch["total"], &batch["job_ids"], &batch["open"]),
        (&json!(0), &json!([]), &json!(false))
    );
    assert!(batch["finished_at"].is_string(), "{batch}");
    assert_eq!(server.wait_until_final(1)["result"], json!([]));
    let results = server.get("/v1/batches/1/results?wait=30s").expect(200);
    assert_eq!(results, json!({"results": [], "next_after": null}));
    assert!(server.get("/v1/batches/1?wait=30s").expect(200)["finished_at"].is_string());
    let key = [("idempotency-key", "none")];
    for _ in 0..2 {
        let kept = server.post_with("/v1/batches", &key, &json!({"jobs": []})).expect(202);
        assert_eq!(kept["id"], 2);
    }
    let detail = server.post_with("/v1/batches", &key, &json!({"jobs": [echo(1)]})).problem(422);
    assert!(detail.contains("batch 2"), "{detail}");
}

#[test]
fn jobs_are_added_to_an_open_batch_which_ends_after_its_close() {
    let server = Server::start();
    let batch = server.post("/v1/batches", &json!({"open": true, "jobs": [echo(1)]})).expect(202);
    assert_eq!((&batch["open"], batch["closes_at"].is_string()), (&json!(true), true));
    server.wait_until_final(1);
    let body = json!({"jobs": [echo(2), echo(3)]});
    let key = [("idempotency-key", "part-2")];
    let added = server.post_with("/v1/batches/1/jobs", &key, &body).expect(202);
    assert_eq!((&added["job_ids"], &added["batch"]["total"]), (&json!([2, 3]), &json!(3)));
    let waited = server.get("/v1/batches/1?wait=100ms").expect(200);
    assert_eq!(waited["finished_at"], json!(null));
    let mut events = server.events("/v1/batches/1/events");
    assert_eq!(events.expect_next().data["open"], true);
    let closed = server.post_empty("/v1/batches/1/close").expect(200);
    assert_eq!((&closed["open"], closed.get("closes_at")), (&json!(false), None));
    let last = events.read_to_end().pop().unwrap().data;
    assert_eq!((&last["open"], &last["counts"]["completed"]), (&json!(false), &json!(3)));
    // A repetition is answered after the close as well; other jobs are not.
    let again = server.post_with(
        "/v1/batches/1/jobs",
        &key,
        &json!({"jobs": [echo(2), {"payload": 3, "kind": "echo"}]}),
    );
    assert_eq!(again.expect(202)["job_ids"], json!([2, 3]));
    let refused = server.post("/v1/batches/1/jobs", &json!({"jobs": [echo(4)]}));
    assert_eq!(refused.problem(409), "batch 1 is closed; submit the jobs as another batch");
    assert_eq!(refused.json()["type"], "urn:longshore:problem:conflict");
    server.post_with("/v1/batches/1/jobs", &key, &json!({"jobs": [echo(5)]})).problem(422);
    server.post_empty("/v1/batches/1/close").expect(200);
}

#[test]
fn a_remote_worker_that_waits_gets_a_job_that_is_added() {
    let server = Server::start();
    server.post("/v1/batches", &json!({"open": true, "jobs": []})).expect(202);
    let wanted = json!({"kinds": ["resize"], "wait": "30s"});
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lease(&server, 1, &wanted));
        server.post("/v1/batches/1/jobs", &json!({"jobs": [remote(7)]})).expect(202);
        let leased = waiting.join().unwrap();
        lease_action(&server, &leased[0], "complete", &json!({"result": 1})).expect(200);
    });
    server.post_empty("/v1/batches/1/close").expect(200);
    assert_eq!(server.get("/v1/batches/1?wait=30s").expect(200)["counts"]["completed"], 1);
}

#[test]
fn invalid_additions_are_refused_with_a_pointer_and_change_nothing() {
    let server = Server::start();
    server.post("/v1/batches", &json!({"open": true, "jobs": []})).expect(202);
    let invalid = json!({"jobs": [echo(1), {"kind": "echo", "priority": 101}]});
    let answer = server.post("/v1/batches/1/jobs", &invalid);
    answer.problem(422);
    assert_eq!(pointers(&answer), ["/jobs/1/priority"]);
    for body in [json!({"jobs": []}), json!({"jobs": [echo(1)], "name": "x"}), json!([echo(1)])] {
        server.post("/v1/batches/1/jobs", &body).problem(422);
    }
    server.post("/v1/batches/2/jobs", &json!({"jobs": [echo(1)]})).problem(404);
    server.post_empty("/v1/batches/2/close").problem(404);
    assert_eq!(server.get("/v1/batches/1").expect(200)["total"], 0);
}

#[test]
fn a_batch_has_more_jobs_than_one_request() {
    let server = Setup::new().config("[limits]\nmax_jobs_per_request = 1000\n").start();
    let jobs = |start: i64| json!({"open": true, "jobs": (start..start + 900).map(echo).collect::<Vec<Value>>()});
    let mut body = jobs(0);
    server.post("/v1/batches", &body).expect(202);
    body.as_object_mut().unwrap().remove("open");
    for _ in 0..2 {
        server.post("/v1/batches/1/jobs", &body).expect(202);
    }
    server.post_empty("/v1/batches/1/close").expect(200);
    let batch = server.get("/v1/batches/1?wait=60s").expect(200);
    assert_eq!((&batch["total"], &batch["counts"]["completed"]), (&json!(2_700), &json!(2_700)));
}

#[test]
fn an_open_batch_closes_by_itself_also_after_a_restart_and_a_batch_without_jobs_is_removed_later() {
    let mut server = Setup::new().config("batch_open_for = '2s'\nretention = '1s'\n").start();
    server.post("/v1/batches", &json!({"open": true, "jobs": []})).expect(202);
    server.kill();
    server.restart();
    assert_eq!(server.get("/v1/batches/1").expect(200)["open"], true);
    let ended = server.get("/v1/batches/1?wait=30s").expect(200);
    assert!(ended["finished_at"].is_string(), "{ended}");
    // A pass of the duty that prunes starts with the server; the next one is half a minute later.
    server.kill();
    let stopped_at = Instant::now();
    eventually("its retention is over", || {
        (stopped_at.elapsed() > Duration::from_millis(1_500)).then_some(())
    });
    server.restart();
    eventually("the batch is removed", || {
        (server.get("/v1/batches/1").status == 404).then_some(())
    });
}
