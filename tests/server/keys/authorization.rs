//! Which requests are accepted: with and without a key, and by the scope of the key.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use super::{Key, bearer, call, create, damaged, first_key};
use crate::kit::leases::{lease, lease_action, remote};
use crate::kit::{Server, Setup, echo, pointers};

#[test]
fn no_key_is_needed_until_the_first_one_exists_and_then_always() {
    let mut server = Server::start();
    assert_eq!(server.get("/v1/keys").expect(200), json!({"keys": []}));
    server.submit(&echo(1));
    let ops = first_key(&server);
    for path in ["/v1/jobs", "/v1/jobs/1", "/jobs", "/", "/v1/nothing", "/nothing", "/v1/keys"] {
        let refused = server.get(path);
        assert!(refused.problem(401).starts_with("a key is needed: send Authorization: Bearer"));
        assert_eq!(refused.header("www-authenticate"), Some("Bearer"), "{path}");
        assert_eq!(refused.json()["type"], "urn:longshore:problem:key-needed");
    }
    server.post("/v1/jobs", &echo(2)).problem(401);
    call(&server, &ops, "POST", "/v1/jobs", Some(&echo(2))).expect(202);
    // Also after the last key has ended, and after a restart.
    let revoked = call(&server, &ops, "DELETE", &format!("/v1/keys/{}", ops.id), None).expect(200);
    assert!(revoked["revoked_at"].is_string(), "{revoked}");
    server.get("/v1/jobs").problem(401);
    call(&server, &ops, "GET", "/v1/jobs", None).problem(401);
    server.terminate();
    server.wait_for_exit();
    server.restart();
    server.get("/v1/jobs").problem(401);
}

#[test]
fn health_needs_no_key_and_does_not_look_at_one() {
    let server = Server::start();
    first_key(&server);
    for path in ["/healthz", "/readyz"] {
        server.get(path).expect(200);
        let wrong = [("authorization", "Bearer wrong"), ("authorization", "Basic x")];
        assert_eq!(server.request("GET", path, &wrong, b"").status, 200, "{path}");
        assert_eq!(server.post_empty(path).status, 401, "{path}");
    }
    // The browser loads these before anybody can sign in.
    assert_eq!(server.get("/assets/style.css").status, 200);
}

#[test]
fn the_header_must_carry_one_valid_key() {
    let server = Server::start();
    let ops = first_key(&server);
    let get = |values: &[&str]| {
        let headers: Vec<_> = values.iter().map(|value| ("Authorization", *value)).collect();
        server.request("GET", "/v1/jobs", &headers, b"")
    };
    let good = bearer(&ops);
    let spaced = format!("bearer   {}  ", ops.secret);
    for value in [&good, &spaced, &format!("BEARER {}", ops.secret)] {
        get(&[value]).expect(200);
    }
    let unknown = longshore::auth::secret::KeySecret::from_random([7; 32]);
    let refused = get(&[&format!("Bearer {}", unknown.reveal())]);
    assert_eq!(refused.problem(401), "the key is not valid");
    let challenge = refused.header("www-authenticate");
    assert_eq!(challenge, Some("Bearer error=\"invalid_token\""));
    let damaged = bearer(&damaged(&ops));
    assert!(get(&[&damaged]).problem(401).contains("its checksum is wrong"));
    let swapped = format!("Bearer ls_{}", ops.secret[3..].chars().rev().collect::<String>());
    assert!(get(&[&swapped]).problem(401).contains("its checksum is wrong"));
    let others = ["", "Bearer", "Bearer ", &ops.secret, "Basic dTpw", "Bearer é", "Token x"];
    for value in others {
        let detail = get(&[value]).problem(401);
        assert!(!detail.contains("ls_") || detail.contains("49 letters"), "{value}: {detail}");
    }
    let two = get(&[&good, &good]);
    two.problem(400);
    assert_eq!(pointers(&two), ["/Authorization"]);
    // A key in another place is none.
    server.get(&format!("/v1/jobs?key={}", ops.secret)).problem(401);
}

/// Returns the statuses of requests with a key of one scope.
fn statuses(scope: &str, requests: &[(&str, &str, Option<Value>)]) -> Vec<u16> {
    let server = Server::start();
    let ops = first_key(&server);
    call(&server, &ops, "POST", "/v1/jobs", Some(&echo(1))).expect(202);
    let key = create(&server, &ops, &json!({"name": scope, "scopes": [scope]}));
    let status = |(method, path, body): &(&str, &str, Option<Value>)| {
        let response = call(&server, &key, method, path, body.as_ref());
        // A form without its page is refused by the page.
        if response.status == 403 && scope != "admin" {
            let detail = response.problem(403);
            assert!(detail.ends_with(&format!("; the key has {scope}")), "{detail}");
        }
        response.status
    };
    requests.iter().map(status).collect()
}

#[test]
fn each_scope_opens_its_own_routes() {
    let requests = [
        ("POST", "/v1/jobs", Some(echo(1))),
        ("GET", "/v1/jobs/1", None),
        ("GET", "/v1/jobs", None),
        ("GET", "/v1/stats", None),
        ("POST", "/v1/leases", Some(json!({"worker": "w", "wait": "0s"}))),
        ("PATCH", "/v1/queues/a", Some(json!({"paused": false}))),
        ("GET", "/v1/keys", None),
        ("GET", "/jobs", None),
        ("POST", "/jobs/1/delete", None),
        ("GET", "/nothing", None),
        // The same for every key, and without effect.
        ("PUT", "/v1/jobs", None),
    ];
    let submit = [202, 200, 403, 403, 403, 403, 403, 403, 403, 403, 405];
    assert_eq!(statuses("submit", &requests), submit);
    let read = [403, 200, 200, 200, 403, 403, 403, 200, 403, 403, 405];
    assert_eq!(statuses("read", &requests), read);
    let work = [403, 403, 403, 403, 200, 403, 403, 403, 403, 403, 405];
    assert_eq!(statuses("work", &requests)[..4], work[..4]);
    assert_eq!(statuses("work", &requests)[5..], work[5..]);
    let mut admin = statuses("admin", &requests);
    admin.remove(8);
    assert!(admin.iter().all(|status| *status != 403 && *status != 401), "{admin:?}");
}

#[test]
fn a_refusal_names_the_scopes_that_would_do() {
    let server = Server::start();
    let ops = first_key(&server);
    let work = create(&server, &ops, &json!({"name": "w", "scopes": ["work"]}));
    let refused = call(&server, &work, "GET", "/v1/jobs/1", None);
    let detail = refused.problem(403);
    assert_eq!(detail, "this needs a key with the scope submit or read or admin; the key has work");
    assert_eq!(refused.json()["type"], "urn:longshore:problem:missing-scope");
    let request = json!({"name": "bound", "scopes": ["admin"], "queues": ["shop.*"]});
    let bound = create(&server, &ops, &request);
    let detail = call(&server, &bound, "GET", "/v1/keys", None).problem(403);
    let expected = "this needs a key with the scope admin without a queue pattern; \
                    the key has admin, with a queue pattern";
    assert_eq!(detail, expected);
}

#[test]
fn an_encoded_path_needs_the_scope_of_the_route_that_it_reaches() {
    let server = Server::start();
    let ops = first_key(&server);
    let submit = create(&server, &ops, &json!({"name": "s", "scopes": ["submit"]}));
    call(&server, &submit, "POST", "/v1/%6Aobs", Some(&echo(1))).expect(202);
    for path in ["/v1/%6beys", "/v1/key%73", "/%76%31/keys", "/v1/jobs/", "//v1/keys", "/v1//keys"]
    {
        let status = call(&server, &submit, "GET", path, None).status;
        assert_eq!(status, 403, "{path}");
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    // An encoded slash or dot is part of the id, as for the router.
    assert_eq!(call(&server, &submit, "GET", "/v1/jobs/%2e%2e%2fkeys", None).status, 404);
    assert_eq!(call(&server, &submit, "GET", "/v1/jobs/..%2fkeys", None).status, 404);
    assert_eq!(call(&server, &submit, "GET", "/v1/jobs/../keys", None).status, 403);
}

#[test]
fn a_refused_body_is_not_read() {
    let server = Server::start();
    first_key(&server);
    let mut connection = server.connect();
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\n\
         content-length: 1000000\r\n\r\n",
        server.addr()
    );
    connection.send(head).unwrap();
    // The answer comes although the body does not.
    connection.answer().unwrap().problem(401);
}

#[test]
fn this_machine_needs_no_key_if_that_is_configured_and_no_proxy_is_seen() {
    let server = Setup::new().config("keyless_loopback = true").start();
    let request = json!({"name": "shop", "scopes": ["submit"]});
    // The first key need not be able to create others, because none is needed here.
    let response = server.post("/v1/keys", &request);
    let shop = super::key(&response);
    server.get("/v1/jobs").expect(200);
    server.get("/v1/keys").expect(200);
    let headers = ["X-Forwarded-For", "x-forwarded-proto", "X-Forwarded-Whatever", "X-Real-IP"];
    for name in headers.into_iter().chain(["Forwarded"]) {
        let refused = server.request("GET", "/v1/jobs", &[(name, "for=127.0.0.1")], b"");
        assert!(refused.problem(401).starts_with("a key is needed"), "{name}");
        let authorization = bearer(&shop);
        let with_key = [(name, "127.0.0.1"), ("authorization", &*authorization)];
        server.request("GET", "/v1/jobs/1", &with_key, b"").problem(404);
    }
    // A key that is sent counts.
    call(&server, &shop, "GET", "/v1/jobs", None).problem(403);
    server.request("GET", "/v1/jobs", &[("authorization", "Bearer x")], b"").problem(401);
    server.request("GET", "/v1/jobs", &[("authorization", "Basic x")], b"").problem(401);
}

/// Sends a request through a Unix socket and returns the status.
fn status_on_socket(path: &std::path::Path, headers: &str) -> u16 {
    let mut socket = UnixStream::connect(path).unwrap();
    let request =
        format!("GET /v1/jobs HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_unix_socket_is_this_machine() {
    for (config, expected) in [("", 401), ("keyless_loopback = true", 200)] {
        let setup = Setup::new();
        let path = setup.directory().join("s");
        let listen = format!("unix:{}", path.display());
        let server = setup.config(config).option("--listen").option(&listen).start();
        assert_eq!(status_on_socket(&path, ""), 200, "without any key");
        let ops = first_key(&server);
        assert_eq!(status_on_socket(&path, ""), expected, "{config}");
        assert_eq!(status_on_socket(&path, "X-Forwarded-For: ::1\r\n"), 401, "{config}");
        let header = format!("Authorization: {}\r\n", bearer(&ops));
        assert_eq!(status_on_socket(&path, &header), 200, "{config}");
    }
}

#[test]
fn a_connection_that_several_clients_share_keeps_no_key_for_the_next_one() {
    let server = Server::start();
    let ops = first_key(&server);
    let read = create(&server, &ops, &json!({"name": "read", "scopes": ["read"]}));
    let work = create(&server, &ops, &json!({"name": "work", "scopes": ["work"]}));
    let mut shared = server.connect();
    let mut status = |key: Option<&Key>, method: &str, path: &str| {
        let headers: Vec<_> = key.map(|key| ("authorization", bearer(key))).into_iter().collect();
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
        shared.request(method, path, &headers, b"").unwrap().status
    };
    let short = Key { id: 0, secret: read.secret[..30].to_owned() };
    for _ in 0..3 {
        assert_eq!(status(Some(&read), "GET", "/v1/jobs"), 200);
        assert_eq!(status(None, "GET", "/v1/jobs"), 401);
        assert_eq!(status(Some(&damaged(&read)), "GET", "/v1/jobs"), 401);
        assert_eq!(status(Some(&short), "GET", "/v1/jobs"), 401);
        assert_eq!(status(Some(&work), "GET", "/v1/jobs"), 403);
        assert_eq!(status(Some(&ops), "GET", "/v1/keys"), 200);
        assert_eq!(status(Some(&read), "GET", "/v1/keys"), 403);
    }
    assert_eq!(status(Some(&read), "GET", "/v1/jobs"), 200);
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", read.id), None).expect(200);
    assert_eq!(status(Some(&read), "GET", "/v1/jobs"), 401);
}

#[test]
fn a_call_of_a_job_to_its_own_server_is_no_request_of_this_machine() {
    let server = Setup::new().config("keyless_loopback = true").start();
    let ops = first_key(&server);
    let shop = json!({"name": "shop", "scopes": ["submit"], "queues": ["shop"]});
    let shop = create(&server, &ops, &shop);
    let url = format!("{}/v1/keys", server.url());
    let mut job =
        json!({"kind": "http", "queue": "shop", "payload": {"url": url}, "max_attempts": 1});
    let why = call(&server, &shop, "POST", "/v1/jobs", Some(&job)).problem(422);
    assert!(why.contains("address not allowed"), "{why}");
    // A call that comes back through a forwarded port is none of this machine either.
    server.request("GET", "/v1/keys", &[("longshore-job", "1")], b"").problem(401);
    // A job cannot hide that it is one.
    job["payload"]["url"] = "https://shop.example/".into();
    job["payload"]["headers"] = json!({"Longshore-Job": ""});
    call(&server, &shop, "POST", "/v1/jobs", Some(&job)).problem(422);
    // A program of this machine needs none.
    server.get("/v1/keys").expect(200);
}

#[test]
fn a_lease_of_a_key_is_not_that_of_a_request_without_one() {
    let server = Setup::new().config("keyless_loopback = true").start();
    let ops = first_key(&server);
    let worker = create(&server, &ops, &json!({"name": "w", "scopes": ["work"]}));
    server.submit(&remote(1));
    server.submit(&remote(2));
    let leased = call(&server, &worker, "POST", "/v1/leases", Some(&json!({"limit": 1})));
    let leased = leased.expect(200)["jobs"][0].clone();
    let refused = lease_action(&server, &leased, "complete", &json!({"result": 1}));
    assert_eq!(refused.json()["type"], "urn:longshore:problem:stale-lease");
    assert_eq!(lease_action(&server, &leased, "renew", &json!({})).status, 409);
    let entry = json!({"id": leased["id"], "lease_token": leased["lease_token"]});
    let watched = server.post("/v1/leases/watch", &json!({"leases": [entry], "wait": "0s"}));
    assert_eq!(watched.expect(200)["leases"][0]["stale"], true);
    let result = json!({"lease_token": leased["lease_token"], "result": 1});
    let path = format!("/v1/leases/{}/complete", leased["id"]);
    call(&server, &worker, "POST", &path, Some(&result)).expect(200);
    // One that was taken without a key.
    let own = lease(&server, 1, &json!({})).remove(0);
    lease_action(&server, &own, "complete", &json!({"result": 2})).expect(200);
}

#[test]
fn keyless_loopback_is_refused_beside_trusted_proxies() {
    let config = "keyless_loopback = true\ntrusted_proxies = ['127.0.0.1']";
    let output = String::from_utf8(Setup::new().config(config).fail().stderr).unwrap();
    assert!(output.contains("keyless_loopback: must be false with trusted_proxies"), "{output}");
}
