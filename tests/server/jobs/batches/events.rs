//! The event stream of a batch with the ends of its jobs.

use serde_json::{Value, json};

use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Event, Events, Server, echo};

const PATH: &str = "/v1/batches/1/events?jobs=true";

/// Submits the batch 1, and leases its jobs.
fn leased_batch(server: &Server, number: usize) -> Vec<Value> {
    let jobs: Vec<Value> = (0..number).map(remote).collect();
    server.post("/v1/batches", &json!({"jobs": jobs})).expect(202);
    lease(server, 1_000, &json!({}))
}

fn complete(server: &Server, job: &Value) {
    lease_action(server, job, "complete", &json!({"result": job["id"]})).expect(200);
}

/// Returns the next event about the end of a job.
fn next_end(events: &mut Events) -> Event {
    events.until(|event| event.event == "job")
}

/// Returns the ids of the jobs in events about their ends.
fn ids(events: &[Event]) -> Vec<i64> {
    let ends = events.iter().filter(|event| event.event == "job");
    ends.map(|event| event.data["id"].as_i64().unwrap()).collect()
}

#[test]
fn the_ends_of_jobs_are_sent_in_their_order_with_results_and_errors_before_the_end_of_the_batch() {
    let server = Server::start();
    let jobs = leased_batch(&server, 3);
    let mut events = server.events(PATH);
    let first = events.expect_next();
    assert_eq!((first.event.as_str(), &first.data["total"]), ("batch", &json!(3)));
    complete(&server, &jobs[2]);
    let end = next_end(&mut events).data;
    assert_eq!(
        (&end["id"], &end["state"], &end["result"]),
        (&json!(3), &json!("completed"), &json!(3))
    );
    let error = json!({"error": {"code": "broken", "message": "no"}, "retryable": false});
    lease_action(&server, &jobs[0], "fail", &error).expect(200);
    let end = next_end(&mut events).data;
    assert_eq!(
        (&end["id"], &end["result"], &end["error"]["code"]),
        (&json!(1), &json!(null), &json!("broken"))
    );
    complete(&server, &jobs[1]);
    let rest = events.read_to_end();
    assert_eq!(ids(&rest), [2]);
    let last = rest.last().unwrap();
    assert_eq!((last.event.as_str(), last.data["finished_at"].is_string()), ("batch", true));
}

#[test]
fn a_client_that_reconnects_gets_the_ends_that_it_has_missed_also_over_a_restart() {
    let mut server = Server::start();
    let jobs = leased_batch(&server, 4);
    let mut events = server.events(PATH);
    complete(&server, &jobs[3]);
    let seen = next_end(&mut events).id;
    drop(events);
    complete(&server, &jobs[0]);
    server.kill();
    server.restart();
    complete(&server, &jobs[2]);
    let mut events = server.events_after(PATH, &seen);
    assert_eq!(next_end(&mut events).data["id"], 1);
    assert_eq!(next_end(&mut events).data["id"], 3);
    complete(&server, &jobs[1]);
    let rest = events.read_to_end();
    assert_eq!(ids(&rest), [2]);
    let last = rest.last().unwrap().id.clone();
    let again = server.request("GET", PATH, &[("last-event-id", &last)], b"");
    assert_eq!(again.status, 204);
    // From the beginning, and from ids that are none of this batch.
    for last in ["0-open", "x", "5-open", "9000-ended", "9223372036854775807-ended"] {
        assert_eq!(ids(&server.events_after(PATH, last).read_to_end()), [4, 1, 3, 2], "{last}");
    }
    assert_eq!(ids(&server.events(PATH).read_to_end()), [4, 1, 3, 2]);
}

#[test]
fn every_end_of_a_large_batch_is_sent_once() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..1_500).map(echo).collect();
    server.post("/v1/batches", &json!({"jobs": jobs})).expect(202);
    let rest = server.events(PATH).read_to_end();
    let mut seen = ids(&rest);
    seen.sort_unstable();
    assert_eq!(seen, (1..=1_500).collect::<Vec<_>>());
    assert_eq!(rest.last().unwrap().data["counts"]["completed"], 1_500);
}

#[test]
fn jobs_is_true_or_false_and_there_are_no_ends_without_it() {
    let server = Server::start();
    server.post("/v1/batches", &json!({"jobs": [echo(1)]})).expect(202);
    server.get("/v1/batches/1?wait=30s").expect(200);
    for query in ["", "?jobs=false"] {
        let events = server.events(&format!("/v1/batches/1/events{query}")).read_to_end();
        assert!(events.iter().all(|event| event.event == "batch"));
    }
    server.get("/v1/batches/1/events?jobs=1").problem(400);
    server.get("/v1/batches/1/events?job=true").problem(400);
    server.get("/v1/batches/2/events?jobs=true").problem(404);
}
