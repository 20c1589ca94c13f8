//! Limits of each key, beside those of the whole server.

use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Key, bearer, call, create, first_key};
use crate::kit::leases::remote;
use crate::kit::{Events, Server, Setup, TEST_TIMEOUT, eventually, with};

/// Starts a server with these limits, with its first key and another one that may submit, read and work.
fn server_with(limits: &str) -> (Server, Key, Key) {
    let server = Setup::new().config(limits).start();
    let ops = first_key(&server);
    let scopes = json!(["submit", "read", "work"]);
    let app = create(&server, &ops, &json!({"name": "app", "scopes": scopes}));
    (server, ops, app)
}

#[test]
fn requests_above_the_rate_of_a_key_are_refused_and_those_of_another_key_are_not() {
    let (server, ops, app) = server_with("[key_limits]\nrequests_per_second = 5");
    let mut statuses = Vec::new();
    let started = Instant::now();
    while statuses.iter().filter(|status| **status == 429).count() == 0 {
        let answer = call(&server, &app, "GET", "/v1/jobs", None);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"requests\";q=5;w=1"));
        let left = answer.header("ratelimit").unwrap();
        if answer.status == 429 {
            let detail = "the key may send 5 requests in a second, which is its limit";
            assert_eq!(answer.problem(429), detail);
            assert_eq!(answer.json()["type"], "urn:longshore:problem:key-limit");
            assert_eq!((answer.header("retry-after"), left), (Some("1"), "\"requests\";r=0;t=1"));
        }
        statuses.push(answer.status);
        assert!(started.elapsed() < Duration::from_secs(30), "{statuses:?}");
    }
    call(&server, &ops, "GET", "/v1/jobs", None).expect(200);
    server.get("/healthz").expect(200);
    eventually("the next second", || {
        (call(&server, &app, "GET", "/v1/jobs", None).status == 200).then_some(())
    });
}

#[test]
fn a_refused_request_is_refused_before_its_body_is_read() {
    let (server, _, app) = server_with("[key_limits]\nrequests_per_second = 1");
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n",
        server.addr(),
        bearer(&app)
    );
    let refused = eventually("a refusal", || {
        let _first = call(&server, &app, "GET", "/v1/jobs", None);
        let mut connection = server.connect();
        connection.send(&head).unwrap();
        // No byte of the body is sent.
        connection.answer().ok().filter(|answer| answer.status == 429)
    });
    assert_eq!(refused.json()["type"], "urn:longshore:problem:key-limit");
}

#[test]
fn a_key_has_at_most_so_many_waits_and_streams() {
    let (server, ops, app) = server_with("[key_limits]\nmax_waits = 2");
    call(&server, &ops, "POST", "/v1/jobs", Some(&remote(1))).expect(202);
    let authorization = bearer(&app);
    let stream =
        |path: &str| Events::open(server.connect(), path, &[("authorization", &authorization)]);
    let held = [stream("/v1/jobs/1/events"), stream("/v1/events")];
    assert!(held.iter().all(|events| events.head.status == 200));
    let detail = "the key has as many waiting requests and event streams as its limit allows";
    for path in ["/v1/jobs/1/events", "/v1/events", "/v1/jobs/1?wait=10"] {
        assert_eq!(call(&server, &app, "GET", path, None).problem(429), detail, "{path}");
    }
    let lease: Value = json!({"wait": "10s", "kinds": ["other"]});
    assert_eq!(call(&server, &app, "POST", "/v1/leases", Some(&lease)).status, 429);
    // Another key has its own.
    call(&server, &ops, "GET", "/v1/jobs/1?wait=0.1", None).expect(200);
    drop(held);
    eventually("room", || {
        (call(&server, &app, "GET", "/v1/jobs/1?wait=0.1", None).status == 200).then_some(())
    });
}

#[test]
fn a_key_watches_at_most_half_of_the_leases_of_all_watches() {
    let (server, ops, app) = server_with("");
    let job = with(remote(1), &json!({"timeout": "1h"}));
    call(&server, &ops, "POST", "/v1/jobs", Some(&Value::from(vec![job; 1_000]))).expect(202);
    let wanted = json!({"limit": 1_000, "lease": "10m"});
    let leased = call(&server, &app, "POST", "/v1/leases", Some(&wanted)).expect(200);
    let leases: Value = (leased["jobs"].as_array().unwrap().iter())
        .map(|job| json!({"id": job["id"], "lease_token": job["lease_token"]}))
        .collect();
    assert_eq!(leases.as_array().unwrap().len(), 1_000);
    let all = json!({"leases": leases, "wait": "60s"});
    let watch =
        |key: &Key, body: &Value| call(&server, key, "POST", "/v1/leases/watch", Some(body));
    let (sender, answers) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..51 {
            let sender = sender.clone();
            let (watch, app, all) = (&watch, &app, &all);
            scope.spawn(move || sender.send(watch(app, all)));
        }
        // All others wait.
        let refused = answers.recv_timeout(TEST_TIMEOUT).unwrap();
        assert_eq!(refused.problem(429), "the key watches as many leases as its limit allows");
        assert_eq!(refused.json()["type"], "urn:longshore:problem:key-limit");
        // Another key has its own.
        watch(&ops, &json!({"leases": [leases[0]]})).expect(200);
        call(&server, &ops, "POST", &format!("/v1/jobs/{}/cancel", leases[0]["id"]), None)
            .expect(200);
        for _ in 0..50 {
            answers.recv_timeout(TEST_TIMEOUT).unwrap().expect(200);
        }
    });
    watch(&app, &all).expect(200);
}

#[test]
fn large_bodies_of_one_key_leave_room_for_those_of_another() {
    let limits = "[limits]\nmax_body_bytes = 500_000\nmax_payload_bytes = 450_000\n\
                  max_write_bytes_in_flight = 1_048_576\n\
                  [key_limits]\nmax_body_bytes_in_flight = 524_288";
    let (server, ops, app) = server_with(limits);
    let body = json!({"kind": "echo", "payload": "x".repeat(400_000)}).to_string();
    let head = |key: &Key| {
        format!(
            "POST /v1/jobs HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            server.addr(),
            bearer(key),
            body.len()
        )
    };
    // All of a body but its last byte is held.
    let mut first = server.connect();
    first.send(head(&app)).unwrap();
    first.send(&body[..body.len() - 1]).unwrap();
    // Each thread of the server answers some of these, after it has read what had arrived before.
    for _ in 0..64 {
        server.get("/healthz").expect(200);
    }
    let refused = eventually("the first body is in flight", || {
        let mut second = server.connect();
        second.send(head(&app)).unwrap();
        // The server may close the connection before the whole body is sent.
        let _ = second.send(&body);
        second.answer().ok().filter(|answer| answer.status == 429)
    });
    let detail = "the key has as many bytes of request bodies in flight as its limit allows";
    assert_eq!(refused.problem(429), detail);
    let mut other = server.connect();
    other.send(head(&ops)).unwrap();
    other.send(&body).unwrap();
    assert_eq!(other.answer().unwrap().status, 202);
    first.send(&body[body.len() - 1..]).unwrap();
    assert_eq!(first.answer().unwrap().status, 202);
}

#[test]
fn a_limit_of_zero_is_refused_at_the_start() {
    for name in
        ["requests_per_second", "max_body_bytes_in_flight", "max_waits", "max_unfinished_jobs"]
    {
        let setup = Setup::new().config(format!("[key_limits]\n{name} = 0"));
        let output = String::from_utf8(setup.fail().stderr).unwrap();
        assert!(output.contains(&format!("key_limits.{name}: must be 1 or more")), "{output}");
    }
}

#[test]
fn requests_that_the_key_may_not_send_count_as_well() {
    let (server, _, app) = server_with("[key_limits]\nrequests_per_second = 3");
    eventually("a request over the limit", || {
        let answer = call(&server, &app, "GET", "/v1/keys", None);
        (answer.status == 429).then_some(())
    });
}

#[test]
fn requests_with_a_token_leave_the_key_its_own() {
    let (server, ops, app) = server_with("[key_limits]\nmax_waits = 1");
    call(&server, &ops, "POST", "/v1/jobs", Some(&remote(1))).expect(202);
    let made = call(&server, &app, "POST", "/v1/jobs/1/token", None).expect(201);
    let path = format!("/v1/jobs/1/events?token={}", made["token"].as_str().unwrap());
    let held = Events::open(server.connect(), &path, &[]);
    assert_eq!((held.head.status, server.get(&path).status), (200, 429));
    call(&server, &app, "GET", "/v1/jobs/1?wait=0.1", None).expect(200);
}
