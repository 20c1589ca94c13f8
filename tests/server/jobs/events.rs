//! Event streams: of one job, of one batch, and of all jobs.

use serde_json::{Value, json};

use crate::kit::*;

/// Returns the states in the `state` events of a stream.
fn states(events: &[Event]) -> Vec<&str> {
    let changes = events.iter().filter(|event| event.event == "state");
    changes.map(|event| event.data["state"].as_str().unwrap()).collect()
}

/// Returns a job of the remote lane, whose state changes only when the test leases or finishes it.
fn remote() -> Value {
    json!({"kind": "anything", "lane": "remote", "payload": 1})
}

/// Leases a job and returns its lease token.
fn lease(server: &Server) -> i64 {
    let leased = server.post("/v1/leases", &json!({"wait": "10s"})).expect(200);
    leased["jobs"][0]["lease_token"].as_i64().unwrap()
}

fn lease_action(server: &Server, id: i64, action: &str, fields: &Value) {
    server.post(&format!("/v1/leases/{id}/{action}"), fields).expect(200);
}

#[test]
fn the_event_stream_of_a_job_sends_its_states_progress_log_and_final_form() {
    let server = Server::start();
    let id = server.submit(&remote());
    let mut events = server.events(&format!("/v1/jobs/{id}/events"));
    assert_eq!(events.head.header("cache-control"), Some("no-store"));
    assert_eq!(events.expect_next().data["state"], "queued");
    let token = lease(&server);
    let running = events.expect_next();
    assert_eq!((running.event.as_str(), &running.data["state"]), ("state", &json!("running")));
    assert_eq!(running.data.get("payload"), None);
    let fields = json!({"lease_token": token, "progress": {"percent": 30, "message": "reading"}, "log": "one\n"});
    lease_action(&server, id, "renew", &fields);
    let (log, progress) = (events.expect_next(), events.expect_next());
    assert_eq!(
        (log.event.as_str(), &log.data),
        ("log", &json!({"from": 0, "to": 4, "text": "one\n"}))
    );
    assert_eq!(
        (progress.event.as_str(), &progress.data),
        ("progress", &json!({"percent": 30.0, "message": "reading"}))
    );
    lease_action(
        &server,
        id,
        "complete",
        &json!({"lease_token": token, "result": {"a": 1}, "log": "two"}),
    );
    let rest = events.read_to_end();
    assert_eq!(rest.len(), 2, "{rest:#?}");
    assert_eq!(rest[0].data, json!({"from": 4, "to": 8, "text": "two\n"}));
    assert_eq!(rest[1].data, server.job(id), "the last event contains the whole job");
}

#[test]
fn a_reconnecting_subscriber_gets_new_events_and_none_twice() {
    let server = Server::start();
    let id = server.submit(&remote());
    let path = format!("/v1/jobs/{id}/events");
    let mut events = server.events(&path);
    let queued = events.expect_next();
    let token = lease(&server);
    lease_action(&server, id, "renew", &json!({"lease_token": token, "log": "first"}));
    let first_log = events.until(|event| event.event == "log");
    drop(events);
    // The subscriber is disconnected while the attempt fails and the next one starts.
    let error = json!({"code": "broken", "message": "no luck"});
    lease_action(
        &server,
        id,
        "fail",
        &json!({"lease_token": token, "error": error, "retry_in": "0s", "log": "last words"}),
    );
    let token = lease(&server);
    let mut events = server.events_after(&path, &first_log.id);
    let (failure, log, state) = (events.expect_next(), events.expect_next(), events.expect_next());
    assert_eq!((failure.event.as_str(), &failure.data["code"]), ("failure", &json!("broken")));
    assert_eq!(log.data["text"], "last words\n");
    assert_eq!((&state.data["state"], &state.data["attempt"]), (&json!("running"), &json!(2)));
    // Progress stays with the job, but is sent only once.
    let progress = json!({"percent": 90, "message": "nearly"});
    lease_action(&server, id, "renew", &json!({"lease_token": token, "progress": progress}));
    assert_eq!(events.expect_next().event, "progress");
    lease_action(&server, id, "complete", &json!({"lease_token": token}));
    let end = events.expect_next();
    assert_eq!((end.data["state"].as_str(), events.next()), (Some("completed"), None));
    // The stream is complete. A 204 makes a browser stop reconnecting.
    assert_eq!(server.events_after(&path, &end.id).head.status, 204);
    // A subscriber that knows some events, none, or an invalid id gets the remaining ones.
    let all = server.events(&path).read_to_end();
    assert_eq!(states(&all), ["completed"]);
    assert_eq!(all.iter().filter(|event| event.event == "failure").count(), 1);
    let since_queued = server.events_after(&path, &queued.id).read_to_end();
    assert_eq!(since_queued.last(), Some(&end));
    assert_eq!(server.events_after(&path, "not an id").read_to_end().last(), Some(&end));
}

#[test]
fn a_subscriber_continues_after_a_server_restart_by_reconnecting() {
    let mut server = Setup::new().config("shutdown_grace = \"100ms\"").start();
    let id = server.submit(&with(sleep("1h"), &json!({"max_attempts": 3})));
    let path = format!("/v1/jobs/{id}/events");
    let mut events = server.events(&path);
    let running = events.until(|event| event.data["state"] == "running");
    server.terminate();
    // The stream ends, so that it does not delay the shutdown.
    while events.next().is_some() {}
    assert!(server.wait_for_exit().success());
    server.restart();
    let mut events = server.events_after(&path, &running.id);
    let again = events.until(|event| event.data["state"] == "running");
    assert_ne!(again.id, running.id);
    server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    assert_eq!(events.read_to_end().last().unwrap().data["state"], "cancelled");
}

#[test]
fn a_cancelled_job_ends_its_stream_and_an_unknown_job_has_none() {
    let server = Server::start();
    assert_eq!(server.get("/v1/jobs/1/events").status, 404);
    let id = server.submit(&remote());
    let mut events = server.events(&format!("/v1/jobs/{id}/events"));
    events.expect_next();
    server.post_empty(&format!("/v1/jobs/{id}/cancel")).expect(200);
    assert_eq!(states(&events.read_to_end()), ["cancelled"]);
    assert_eq!(server.delete(&format!("/v1/jobs/{id}")).status, 204);
    assert_eq!(server.get(&format!("/v1/jobs/{id}/events")).status, 404);
}

#[test]
fn an_idle_event_stream_sends_comments() {
    let server = Server::start();
    let id = server.submit(&remote());
    let mut events = server.events(&format!("/v1/jobs/{id}/events"));
    events.expect_next();
    events.until_comment();
}

#[test]
fn the_event_stream_of_a_batch_sends_its_counts_until_it_finishes() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..20).map(echo).chain([remote()]).collect();
    let batch = server.post("/v1/batches", &json!({"jobs": jobs})).expect(202)["id"].clone();
    let path = format!("/v1/batches/{batch}/events");
    let mut events = server.events(&path);
    let nearly = events.until(|event| event.data["counts"]["completed"] == 20);
    assert_eq!((nearly.event.as_str(), &nearly.data["finished_at"]), ("batch", &Value::Null));
    let token = lease(&server);
    lease_action(&server, 21, "complete", &json!({"lease_token": token}));
    let rest = events.read_to_end();
    let end = rest.last().unwrap();
    assert_eq!(end.data, server.get(&format!("/v1/batches/{batch}")).expect(200));
    assert_eq!(server.events_after(&path, &end.id).head.status, 204);
    assert_eq!(server.events_after(&path, &nearly.id).read_to_end().len(), 1);
    assert_eq!(server.get("/v1/batches/99/events").status, 404);
}

#[test]
fn the_stream_of_all_jobs_sends_changed_jobs_and_is_filtered_by_queue_and_kind() {
    let server = Server::start();
    let mut all = server.events("/v1/events");
    let mut mail = server.events("/v1/events?queue=mail");
    let mut echoes = server.events("/v1/events?kind=echo&queue=bulk");
    let first = server.submit(&with(echo(1), &json!({"queue": "mail"})));
    let second = server.submit(&with(remote(), &json!({"queue": "bulk"})));
    let third = server.submit(&with(echo(2), &json!({"queue": "bulk"})));
    // A job that changes again while it is read comes once more, after the jobs that changed meanwhile.
    let mut running = vec![first, third];
    all.until(|event| {
        let is_end = event.event == "job" && event.data["state"] == "completed";
        running.retain(|id| !is_end || event.data["id"] != *id);
        running.is_empty()
    });
    let mail_event = mail.until(|_| true);
    assert_eq!(mail_event.data["id"], first);
    assert_eq!(mail_event.data.get("payload"), None);
    assert_eq!(echoes.expect_next().data["id"], third);
    server.post_empty(&format!("/v1/jobs/{second}/cancel")).expect(200);
    server.delete(&format!("/v1/jobs/{second}"));
    assert_eq!(all.until(|event| event.event == "gone").data, json!({"id": second}));
    assert_eq!(pointers(&server.get("/v1/events?kind=a&what=b")), ["/what"]);
}

#[test]
fn a_slow_or_reconnecting_subscriber_gets_a_lost_event_and_continues() {
    let server = Server::start();
    let mut events = server.events("/v1/events");
    let jobs: Vec<Value> = (0..5_000).map(|_| remote()).collect();
    server.post("/v1/jobs", &json!(jobs)).expect(202);
    let lost = events.until(|event| event.event == "lost");
    assert!(lost.data["events"].as_u64().unwrap() >= 4_000, "{lost:?}");
    let mut received = 0;
    let last = events.until(|event| {
        received += 1;
        event.data["id"] == 5_000
    });
    assert!(received <= 256, "{received} events were received after the lost event");
    assert_eq!(server.events_after("/v1/events", &last.id).expect_next().event, "lost");
    let next = server.submit(&echo(1));
    events.until(|event| event.data["id"] == next && event.data["state"] == "completed");
}

#[test]
fn subscriptions_past_the_limit_are_refused() {
    let server = Setup::new().config("[limits]\nmax_waits = 2").start();
    let id = server.submit(&remote());
    let path = format!("/v1/jobs/{id}/events");
    let _at_limit = [server.events(&path), server.events(&path)];
    let refused = server.get(&path);
    refused.problem(503);
    assert!(refused.header("retry-after").is_some());
    let _at_limit: Vec<Events> = (0..256).map(|_| server.events("/v1/events")).collect();
    server.get("/v1/events").problem(503);
}
