//! The limit on calls that run at once to one host.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::kit::http::{Target, gate, json_response};
use crate::kit::{Setup, eventually};

#[test]
fn calls_to_one_host_are_bounded_and_those_that_wait_hold_no_worker() {
    let config = "lanes.async = 4\n[outbound]\nmax_calls_per_host = 2";
    let server = Setup::new().config(config).start();
    let (open, gate) = gate();
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&running), Arc::clone(&most));
    let slow = Target::start(move |caller, _| {
        let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
        counts.1.fetch_max(now, Ordering::SeqCst);
        gate.wait();
        counts.0.fetch_sub(1, Ordering::SeqCst);
        caller.send(json_response("1"));
    });
    let quick = Target::start(|caller, _| {
        caller.send(json_response("2"));
    });
    let call = |url: &str| json!({"kind": "http", "queue": "slow", "payload": {"url": url}});
    let jobs = server.post("/v1/jobs", &json!(vec![call(&slow.url("/")); 8])).expect(202);
    eventually("two calls are under way", || (running.load(Ordering::SeqCst) == 2).then_some(()));
    // Another host, by its name, while six jobs wait for the first.
    let other = quick.url("/").replace("127.0.0.1", "localhost");
    let done = server.run(&json!({"kind": "http", "payload": {"url": other}}));
    assert_eq!(done["state"], "completed", "{done}");
    let deferred = eventually("a job was deferred without using up an attempt", || {
        server.all_jobs().into_values().find(|job| job["state"] == "retrying")
    });
    assert_eq!(deferred["attempt"], 0, "{deferred}");
    drop(open);
    for job in jobs["jobs"].as_array().unwrap() {
        let job = server.wait_until_final(job["id"].as_i64().unwrap());
        assert_eq!((&job["state"], &job["attempt"]), (&json!("completed"), &json!(1)), "{job}");
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
}
