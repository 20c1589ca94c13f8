//! Secrets: the forms of keys, and that nothing but the first answer shows a secret.

mod everywhere;
pub(crate) mod traces;

use serde_json::{Value, json};

use super::{call, create, damaged, first_key};
use crate::kit::leases::remote;
use crate::kit::{Server, Setup, echo, eventually, pointers};

#[test]
fn a_secret_is_shown_once_and_nowhere_else() {
    let server = Setup::new().option("--log").option("trace").start();
    let ops = first_key(&server);
    assert!(ops.secret.starts_with("ls_") && ops.secret.len() == 52, "{}", ops.secret);
    let key = create(&server, &ops, &json!({"name": "shop", "scopes": ["submit", "read"]}));
    assert_ne!(key.secret, ops.secret);
    let mut shown = Vec::new();
    for (method, path) in [("GET", "/v1/keys"), ("GET", "/jobs"), ("GET", "/"), ("GET", "/nothing")]
    {
        shown.extend(call(&server, &ops, method, path, None).body);
        shown.extend(call(&server, &key, method, path, None).body);
    }
    call(&server, &key, "POST", "/v1/jobs", Some(&echo(1))).expect(202);
    // Damaged by one character, so that the answer and the log could repeat most of it.
    let damaged = damaged(&key);
    shown.extend(call(&server, &damaged, "GET", "/v1/jobs", None).body);
    shown.extend(call(&server, &ops, "DELETE", &format!("/v1/keys/{}", key.id), None).body);
    shown.extend(server.log().into_bytes());
    for name in ["longshore.db", "longshore.db-wal"] {
        shown.extend(std::fs::read(server.directory().join(name)).unwrap_or_default());
    }
    for secret in [&ops.secret, &key.secret] {
        let part = &secret.as_bytes()[3..40];
        assert!(!shown.windows(part.len()).any(|window| window == part), "a secret is shown");
    }
}

#[test]
fn every_invalid_field_of_a_key_is_named() {
    let server = Server::start();
    let ops = first_key(&server);
    let cases = [
        (json!({"scopes": ["read"]}), 422, ""),
        (json!({"name": "", "scopes": ["read"]}), 422, "/name"),
        (json!({"name": "a\u{202e}b", "scopes": ["read"]}), 422, "/name"),
        (json!({"name": "x".repeat(65), "scopes": ["read"]}), 422, "/name"),
        (json!({"name": "a"}), 422, ""),
        (json!({"name": "a", "scopes": []}), 422, "/scopes"),
        (json!({"name": "a", "scopes": ["all"]}), 422, "/scopes/0"),
        (json!({"name": "a", "scopes": ["read"], "queues": ["A"]}), 422, "/queues/0"),
        (json!({"name": "a", "scopes": ["read"], "queues": vec!["a"; 33]}), 422, "/queues"),
        (json!({"name": "a", "scopes": ["read"], "expires_in": "0s"}), 422, "/expires_in"),
        (json!({"name": "a", "scopes": ["read"], "expires_in": "soon"}), 422, "/expires_in"),
        (json!({"name": "a", "scopes": ["read"], "secret": "x"}), 422, "/secret"),
    ];
    for (request, status, pointer) in cases {
        let refused = call(&server, &ops, "POST", "/v1/keys", Some(&request));
        refused.problem(status);
        assert_eq!(pointers(&refused), [pointer], "{request}");
    }
    let keys = call(&server, &ops, "GET", "/v1/keys", None).expect(200);
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
}

#[test]
fn a_name_is_free_again_when_its_key_was_revoked() {
    let server = Server::start();
    let ops = first_key(&server);
    let request = json!({"name": "shop", "scopes": ["read"], "queues": ["shop.*"]});
    let first = create(&server, &ops, &request);
    let refused = call(&server, &ops, "POST", "/v1/keys", Some(&request));
    assert!(refused.problem(409).contains("a key with the name shop exists"));
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", first.id), None).expect(200);
    let second = create(&server, &ops, &request);
    assert!(second.id > first.id && second.secret != first.secret);
    let keys = call(&server, &ops, "GET", "/v1/keys", None).expect(200);
    assert_eq!(keys["keys"][2]["queues"], json!(["shop.*"]));
    assert_eq!(keys["keys"][2]["scopes"], json!(["read"]));
}

#[test]
fn the_line_of_a_change_names_what_its_path_does_not() {
    let server = Server::start();
    let ops = first_key(&server);
    create(&server, &ops, &json!({"name": "shop", "scopes": ["submit"]}));
    let batch = json!({"jobs": [remote(1), remote(2), remote(3)]});
    call(&server, &ops, "POST", "/v1/batches", Some(&batch)).expect(202);
    let change = |path: &str, body: &Value| call(&server, &ops, "POST", path, Some(body));
    change("/v1/jobs/cancel", &json!({"ids": [1, 2, 1, "x"]})).expect(200);
    change("/v1/batches/1/retry?state=cancelled", &json!({})).expect(200);
    change("/v1/webhook-secrets", &json!({"name": "hook"})).expect(201);
    let lines = eventually("the last line", || {
        let log = server.log();
        let lines = log.lines().filter(|line| line.contains("longshore::audit"));
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.last().is_some_and(|line| line.contains("webhook-secrets")).then_some(lines)
    });
    let named = |route: &str| lines.iter().rfind(|line| line.contains(route)).unwrap().clone();
    let expected = [
        ("/v1/keys", "id=\"2\""),
        ("/v1/jobs/cancel", "jobs=2 job_ids=\"1,2\""),
        ("/v1/batches/{id}/retry", "id=\"1\" jobs=2 job_ids=\"1,2\""),
        ("/v1/webhook-secrets", "id=\"hook\""),
    ];
    for (route, what) in expected {
        assert!(named(route).contains(what), "{what}: {}", named(route));
    }
    assert!(!named("/v1/keys").contains("jobs="), "{}", named("/v1/keys"));
}

#[test]
fn every_change_has_one_line_with_its_key_in_the_log() {
    let server = Server::start();
    let ops = first_key(&server);
    let shop = create(&server, &ops, &json!({"name": "web shop", "scopes": ["submit"]}));
    call(&server, &shop, "POST", "/v1/jobs", Some(&echo(1))).expect(202);
    call(&server, &shop, "POST", "/v1/jobs/1/retry", None).problem(403);
    call(&server, &ops, "GET", "/v1/jobs/1?wait=10s", None).expect(200);
    call(&server, &ops, "DELETE", "/v1/jobs/1", None);
    call(&server, &ops, "DELETE", "/v1/jobs/x%0ay", None).problem(404);
    let lines = eventually("the last line", || {
        let log = server.log();
        let lines = log.lines().filter(|line| line.contains("longshore::audit"));
        let lines: Vec<String> = lines.map(str::to_owned).collect();
        lines.last().is_some_and(|line| line.contains("404")).then_some(lines)
    });
    // No submission, no read, and not the request whose key lacked the scope.
    assert_eq!(lines.len(), 4, "{lines:#?}");
    assert!(lines[3].contains("client="), "a line break does not end the line: {}", lines[3]);
    assert!(lines[0].contains("none") && lines[0].contains("/v1/keys"), "{}", lines[0]);
    for part in ["DELETE", "/v1/jobs/{id}", "ops", "204", "127.0.0.1:"] {
        assert!(lines[2].contains(part), "{part}: {}", lines[2]);
    }
}
