//! The end of a key: open streams and waits end with it.

use std::time::{Duration, Instant};

use serde_json::json;

use super::{Key, bearer, call, create, first_key};
use crate::kit::{Connection, Events, Server, eventually, sleep};

/// Maximum time until a stream or a wait has ended after its key.
const SOON: Duration = Duration::from_secs(1);

/// Sends a request that waits, and returns its connection.
fn wait_with(server: &Server, key: &Key, path: &str) -> Connection {
    let mut connection = server.connect();
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\n\r\n",
        server.addr(),
        bearer(key)
    );
    connection.send(head).unwrap();
    connection
}

fn open_events(server: &Server, key: &Key, path: &str) -> Events {
    Events::open(server.connect(), path, &[("authorization", &bearer(key))])
}

/// Opens streams and waits of a key, ends it, and checks that all of them end soon, and those of another key
/// do not.
fn assert_all_end(server: &Server, ops: &Key, key: &Key, end: impl FnOnce()) {
    let job = json!({"kind": "sleep", "payload": {"duration": "1h"}});
    let id = call(server, ops, "POST", "/v1/jobs", Some(&job)).expect(202)["id"].clone();
    let mut streams = [format!("/v1/jobs/{id}/events"), "/v1/events".into()]
        .map(|path| open_events(server, key, &path));
    let mut waits = [wait_with(server, key, &format!("/v1/jobs/{id}?wait=50s"))];
    let mut other = open_events(server, ops, "/v1/events");
    // All of them are under way.
    streams[0].expect_next();
    end();
    let ended_at = Instant::now();
    for wait in &mut waits {
        assert_eq!(wait.answer().unwrap().problem(401), "the key is not valid");
    }
    for stream in &mut streams {
        while stream.next().is_some() {}
    }
    assert!(ended_at.elapsed() < SOON, "{:?}", ended_at.elapsed());
    call(server, key, "GET", "/v1/jobs", None).problem(401);
    call(server, ops, "POST", "/v1/jobs", Some(&sleep("1ms"))).expect(202);
    other.expect_next();
}

#[test]
fn streams_and_waits_end_within_a_second_after_their_key_was_revoked() {
    let server = Server::start();
    let ops = first_key(&server);
    let key = create(&server, &ops, &json!({"name": "dash", "scopes": ["read"]}));
    assert_all_end(&server, &ops, &key, || {
        let path = format!("/v1/keys/{}", key.id);
        call(&server, &ops, "DELETE", &path, None).expect(200);
    });
    // A second time changes nothing, and an unknown key is none.
    let path = format!("/v1/keys/{}", key.id);
    let first = call(&server, &ops, "DELETE", &path, None).expect(200);
    assert_eq!(call(&server, &ops, "DELETE", &path, None).expect(200), first);
    call(&server, &ops, "DELETE", "/v1/keys/99", None).problem(404);
    call(&server, &ops, "DELETE", "/v1/keys/dash", None).problem(404);
}

#[test]
fn streams_and_waits_end_within_a_second_after_their_key_has_expired() {
    let server = Server::start();
    let ops = first_key(&server);
    let request = json!({"name": "dash", "scopes": ["read"], "expires_in": "2s"});
    let started = Instant::now();
    let key = create(&server, &ops, &request);
    assert_all_end(&server, &ops, &key, || {
        std::thread::sleep(Duration::from_secs(2).saturating_sub(started.elapsed()));
    });
}

#[test]
fn a_worker_that_waits_for_jobs_is_refused_when_its_key_ends() {
    let server = Server::start();
    let ops = first_key(&server);
    let key = create(&server, &ops, &json!({"name": "w", "scopes": ["work"]}));
    let mut connection = server.connect();
    let body = json!({"worker": "w", "wait": "50s", "queues": ["default"]}).to_string();
    let head = format!(
        "POST /v1/leases HTTP/1.1\r\nhost: {}\r\nauthorization: {}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        server.addr(),
        bearer(&key),
        body.len()
    );
    connection.send(head).unwrap();
    eventually("the key was used", || {
        let keys = call(&server, &ops, "GET", "/v1/keys", None).expect(200);
        keys["keys"][1]["last_used_at"].is_string().then_some(())
    });
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", key.id), None).expect(200);
    let revoked_at = Instant::now();
    connection.answer().unwrap().problem(401);
    assert!(revoked_at.elapsed() < SOON, "{:?}", revoked_at.elapsed());
}

#[test]
fn the_last_use_is_shown_at_once_and_kept_with_a_revoked_key() {
    let mut server = Server::start();
    let ops = first_key(&server);
    let key = create(&server, &ops, &json!({"name": "dash", "scopes": ["read"]}));
    let last_use = |server: &Server| {
        let keys = call(server, &ops, "GET", "/v1/keys", None).expect(200);
        keys["keys"][1]["last_used_at"].clone()
    };
    assert!(last_use(&server).is_null());
    for _ in 0..3 {
        call(&server, &key, "GET", "/v1/jobs", None).expect(200);
    }
    let used_at = last_use(&server);
    assert!(used_at.is_string(), "{used_at}");
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", key.id), None).expect(200);
    server.kill();
    server.restart();
    assert_eq!(last_use(&server), used_at);
}

#[test]
fn a_connection_that_stays_open_has_each_of_its_requests_checked() {
    let server = Server::start();
    let ops = first_key(&server);
    let key = create(&server, &ops, &json!({"name": "dash", "scopes": ["read"]}));
    let mut connection = server.connect();
    let mut status = |secret: &str| {
        let authorization = format!("Bearer {secret}");
        let headers = [("authorization", &*authorization)];
        connection.request("GET", "/v1/keys", &headers, b"").unwrap().status
    };
    // The scope, too, is that of the key of each request.
    let longer = format!("{}x", ops.secret);
    for (secret, expected) in [
        (&*ops.secret, 200),
        (&*ops.secret, 200),
        (&*key.secret, 403),
        (&*longer, 401),
        (&ops.secret[..51], 401),
        (&*ops.secret, 200),
    ] {
        assert_eq!(status(secret), expected);
    }
    assert_eq!(status(&key.secret), 403);
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", key.id), None).expect(200);
    assert_eq!(status(&key.secret), 401);
    assert_eq!(status(&ops.secret), 200);
}
