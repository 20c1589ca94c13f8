//! The end of a key: open streams and waits end with it.

use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use serde_json::{Value, json};

use super::{Key, bearer, call, create, first_key};
use crate::kit::leases::{lease, remote};
use crate::kit::{Connection, Events, Server, Setup, eventually, sleep};

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

/// Sends a request with a body of which the last bytes are missing, and returns its connection.
fn begin_post(
    server: &Server,
    key: Option<&Key>,
    path: &str,
    body: &str,
    missing: usize,
) -> Connection {
    let authorization = key.map(|key| format!("authorization: {}\r\n", bearer(key)));
    let mut connection = server.connect();
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: {}\r\n{}content-type: application/json\r\n\
         content-length: {}\r\n\r\n",
        server.addr(),
        authorization.unwrap_or_default(),
        body.len()
    );
    connection.send(head).unwrap();
    connection.send(&body[..body.len() - missing]).unwrap();
    connection
}

/// Waits until each thread of the server has read what had arrived: it answers some of these requests.
fn let_requests_arrive(server: &Server) {
    for _ in 0..64 {
        server.get("/healthz").expect(200);
    }
}

/// Returns a watch of a lease that goes on.
fn watch_of(leased: &Value) -> String {
    let lease = json!({"id": leased["id"], "lease_token": leased["lease_token"]});
    json!({"leases": [lease], "wait": "50s"}).to_string()
}

fn open_events(server: &Server, key: &Key, path: &str) -> Events {
    Events::open(server.connect(), path, &[("authorization", &bearer(key))])
}

/// Opens streams and waits of a key, ends it, and checks that all of them end soon, and those of another key
/// do not.
fn assert_all_end(server: &Server, ops: &Key, key: &Key, end: impl FnOnce()) {
    let job = json!({"kind": "sleep", "payload": {"duration": "1h"}});
    let id = call(server, ops, "POST", "/v1/jobs", Some(&job)).expect(202)["id"].clone();
    let batch = json!({"jobs": [job]});
    let batch = call(server, ops, "POST", "/v1/batches", Some(&batch)).expect(202)["id"].clone();
    let mut streams = [
        format!("/v1/jobs/{id}/events"),
        "/v1/events".into(),
        format!("/v1/batches/{batch}/events"),
        format!("/v1/batches/{batch}/events?jobs=true"),
    ]
    .map(|path| open_events(server, key, &path));
    let mut waits = [
        format!("/v1/jobs/{id}?wait=50s"),
        format!("/v1/batches/{batch}?wait=50s"),
        format!("/v1/batches/{batch}/results?wait=50s"),
        format!("/v1/batches/{batch}/results?wait=50s&format=ndjson"),
    ]
    .map(|path| wait_with(server, key, &path));
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
    // Somebody who sends the key in place of its id does not find it in the answer.
    for path in ["/v1/keys/", "/v1/jobs/"] {
        let path = format!("{path}{}", key.secret);
        let detail = call(&server, &ops, "DELETE", &path, None).problem(404);
        assert!(
            !detail.contains(&key.secret[3..]) && detail.contains("ids are numbers"),
            "{detail}"
        );
    }
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
    let body = json!({"worker": "w", "wait": "50s", "queues": ["default"]}).to_string();
    let mut connection = begin_post(&server, Some(&key), "/v1/leases", &body, 0);
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
fn a_watch_of_leases_is_refused_when_its_key_ends() {
    let server = Server::start();
    server.submit(&remote(1));
    let ops = first_key(&server);
    let key = create(&server, &ops, &json!({"name": "w", "scopes": ["work"]}));
    let jobs = call(&server, &key, "POST", "/v1/leases", Some(&json!({}))).expect(200);
    let body = watch_of(&jobs["jobs"][0]);
    // The body of the second one arrives after the end of the key.
    let mut watch = begin_post(&server, Some(&key), "/v1/leases/watch", &body, 0);
    let mut late = begin_post(&server, Some(&key), "/v1/leases/watch", &body, 1);
    let_requests_arrive(&server);
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", key.id), None).expect(200);
    let revoked_at = Instant::now();
    late.send("}").unwrap();
    for waiting in [&mut watch, &mut late] {
        assert_eq!(waiting.answer().unwrap().problem(401), "the key is not valid");
    }
    assert!(revoked_at.elapsed() < SOON, "{:?}", revoked_at.elapsed());
}

#[test]
fn a_watch_of_leases_that_began_without_a_key_ends_when_the_first_key_is_created() {
    let server = Server::start();
    server.submit(&remote(1));
    let body = watch_of(&lease(&server, 1, &json!({}))[0]);
    let mut watch = begin_post(&server, None, "/v1/leases/watch", &body, 0);
    let mut late = begin_post(&server, None, "/v1/leases/watch", &body, 1);
    let_requests_arrive(&server);
    first_key(&server);
    let created_at = Instant::now();
    late.send("}").unwrap();
    for waiting in [&mut watch, &mut late] {
        waiting.answer().unwrap().problem(401);
    }
    assert!(created_at.elapsed() < SOON, "{:?}", created_at.elapsed());
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

/// Sends the head of a submission without a key, and all of its body but the last byte.
fn begin_submission(server: &Server) -> Connection {
    begin_post(server, None, "/v1/jobs", &sleep("1ms").to_string(), 1)
}

#[test]
fn what_began_without_a_key_ends_when_the_first_key_is_created() {
    let server = Server::start();
    let job = server.submit(&json!({"kind": "sleep", "payload": {"duration": "1h"}}));
    let mut streams = [format!("/v1/jobs/{job}/events"), "/v1/events".into()]
        .map(|path| Events::open(server.connect(), &path, &[]));
    streams[0].expect_next();
    let mut wait = server.connect();
    let head = format!("GET /v1/jobs/{job}?wait=50s HTTP/1.1\r\nhost: {}\r\n\r\n", server.addr());
    wait.send(head).unwrap();
    let body = json!({"worker": "w", "wait": "50s", "queues": ["default"]}).to_string();
    let mut lease = begin_post(&server, None, "/v1/leases", &body, 0);
    let mut submission = begin_submission(&server);
    let_requests_arrive(&server);
    let ops = first_key(&server);
    let created_at = Instant::now();
    let needed = "a key is needed: send Authorization: Bearer with a key";
    for waiting in [&mut wait, &mut lease] {
        assert_eq!(waiting.answer().unwrap().problem(401), needed);
    }
    for stream in &mut streams {
        while stream.next().is_some() {}
    }
    assert!(created_at.elapsed() < SOON, "{:?}", created_at.elapsed());
    submission.send("}").unwrap();
    assert_eq!(submission.answer().unwrap().problem(401), needed);
    let jobs = call(&server, &ops, "GET", "/v1/jobs", None).expect(200);
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 1, "{jobs}");
}

#[test]
fn what_began_without_a_key_goes_on_if_this_machine_needs_none() {
    let server = Setup::new().config("keyless_loopback = true").start();
    let mut stream = Events::open(server.connect(), "/v1/events", &[]);
    let mut submission = begin_submission(&server);
    let_requests_arrive(&server);
    first_key(&server);
    submission.send("}").unwrap();
    submission.answer().unwrap().expect(202);
    stream.expect_next();
}

#[test]
fn a_key_is_refused_although_its_end_cannot_be_stored() {
    let mut server = Server::start();
    let ops = first_key(&server);
    let key = create(&server, &ops, &json!({"name": "dash", "scopes": ["read"]}));
    let path = format!("/v1/keys/{}", key.id);
    let mut stream = open_events(&server, &key, "/v1/events");
    // The write-ahead log cannot grow.
    let log = format!("{}-wal", server.database().display());
    let limit = std::fs::metadata(log).unwrap().len();
    let unlimited = getrlimit(Resource::Fsize);
    let set = |server: &Server, limit| prlimit(Some(server.pid()), Resource::Fsize, limit).unwrap();
    set(&server, Rlimit { current: Some(limit), ..unlimited });
    call(&server, &ops, "DELETE", "/v1/keys/99", None);
    call(&server, &key, "GET", "/v1/jobs", None).expect(200);
    call(&server, &ops, "DELETE", &path, None).problem(507);
    call(&server, &key, "GET", "/v1/jobs", None).problem(401);
    while stream.next().is_some() {}
    eventually("it is logged", || server.log().contains("refused until the restart").then_some(()));
    set(&server, unlimited);
    eventually("the end is stored", || {
        (call(&server, &ops, "DELETE", &path, None).status == 200).then_some(())
    });
    server.kill();
    server.restart();
    call(&server, &key, "GET", "/v1/jobs", None).problem(401);
    call(&server, &ops, "GET", "/v1/jobs", None).expect(200);
}
