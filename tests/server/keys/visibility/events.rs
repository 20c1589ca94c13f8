//! Events: the stream of all jobs shows the own ones only, also when they are deleted.

use serde_json::json;

use super::{Application, Key, Shared, bearer};
use crate::keys::call;
use crate::kit::{Event, Events};

fn open(shared: &Shared, key: &Key, path: &str) -> Events {
    Events::open(shared.server.connect(), path, &[("authorization", &bearer(key))])
}

/// Submits a job, cancels it and deletes it, and returns its id.
fn pass_through(shared: &Shared, application: &Application) -> i64 {
    let id = shared.submit(application, "secret");
    let path = format!("/v1/jobs/{id}");
    call(&shared.server, &application.key, "POST", &format!("{path}/cancel"), None).expect(200);
    let deleted = call(&shared.server, &application.admin, "DELETE", &path, None);
    assert_eq!(deleted.status, 204);
    id
}

/// Ends the server, and returns all events of a stream.
fn events_until_the_end(shared: &Shared, mut events: Events) -> Vec<Event> {
    shared.server.terminate();
    events.read_to_end()
}

#[test]
fn the_stream_of_all_jobs_shows_only_the_own_ones() {
    let shared = Shared::start();
    let mut stream = open(&shared, &shared.blog.key, "/v1/events");
    let narrowed = open(&shared, &shared.blog.key, "/v1/events?queue=shop.a");
    let of_kind = open(&shared, &shared.blog.key, "/v1/events?kind=resize");
    let mut all = open(&shared, &shared.ops, "/v1/events");
    let others: Vec<i64> = (0..3).map(|_| pass_through(&shared, &shared.shop)).collect();
    shared.submit_mixed_batch();
    let own = pass_through(&shared, &shared.blog);
    let is_end = |event: &Event| event.event == "gone" && event.data["id"] == own;
    // The administrator has seen all of them, so there was something to leave out.
    let mut seen = Vec::new();
    all.until(|event| {
        seen.push(event.data["id"].as_i64().unwrap_or_default());
        is_end(event)
    });
    assert!(others.iter().any(|id| seen.contains(id)), "{seen:?}");
    let mut found = Vec::new();
    stream.until(|event| {
        found.push(event.clone());
        is_end(event)
    });
    let is_own = |event: &Event| match &*event.event {
        "gone" => event.data["id"] == own,
        _ => event.data["queue"] == "blog.a",
    };
    assert!(found.iter().all(is_own), "{found:?}");
    assert_eq!(events_until_the_end(&shared, narrowed), []);
    let mut of_kind = of_kind;
    assert!(of_kind.read_to_end().iter().all(is_own));
}

#[test]
fn a_job_that_is_moved_to_another_application_leaves_the_stream() {
    let shared = Shared::start();
    let id = shared.submit(&shared.blog, 1);
    let mut of_job = open(&shared, &shared.blog.key, &format!("/v1/jobs/{id}/events"));
    of_job.expect_next();
    let stream = open(&shared, &shared.blog.key, "/v1/events");
    let mut of_shop = open(&shared, &shared.shop.key, "/v1/events");
    let path = format!("/v1/jobs/{id}");
    let moved = json!({"queue": "shop.a"});
    call(&shared.server, &shared.ops, "PATCH", &path, Some(&moved)).expect(200);
    let shown = of_shop.until(|event| event.event == "job");
    assert_eq!((shown.data["id"].as_i64(), &shown.data["queue"]), (Some(id), &json!("shop.a")));
    call(&shared.server, &shared.shop.key, "POST", &format!("{path}/cancel"), None).expect(200);
    of_shop.until(|event| event.data["state"] == "cancelled");
    // The stream of the job says that it is gone, and not what became of it.
    let rest = of_job.read_to_end();
    assert!(rest.iter().all(|event| event.event == "gone"), "{rest:?}");
    let rest = events_until_the_end(&shared, stream);
    assert!(rest.iter().all(|event| event.event == "gone"), "{rest:?}");
}

#[test]
fn the_stream_of_a_batch_shows_the_own_batch() {
    let shared = Shared::start();
    let batch = shared.submit_batch(&shared.blog);
    let mut events = open(&shared, &shared.blog.key, &format!("/v1/batches/{batch}/events"));
    assert_eq!(events.expect_next().data["id"], batch);
    let path = format!("/v1/batches/{batch}/cancel");
    call(&shared.server, &shared.shop.key, "POST", &path, None).problem(404);
    call(&shared.server, &shared.blog.key, "POST", &path, None).expect(200);
    assert_eq!(events.read_to_end().last().unwrap().data["id"], batch);
}
