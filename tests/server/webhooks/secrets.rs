//! `/v1/webhook-secrets`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::kit::{Response, Server, Setup, between, echo, pointers, with};

/// Creates a webhook secret and returns its value.
pub(crate) fn create_secret(server: &Server, name: &str) -> String {
    value(&server.post("/v1/webhook-secrets", &json!({"name": name})), 201)
}

/// Rotates a webhook secret and returns its new value.
pub(crate) fn rotate_secret(server: &Server, name: &str, overlap: &str) -> String {
    let path = format!("/v1/webhook-secrets/{name}/rotate");
    value(&server.post(&path, &json!({"overlap": overlap})), 200)
}

/// Returns the value in an answer, which no cache may keep.
fn value(response: &Response, status: u16) -> String {
    let revealed = response.expect(status);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let value = revealed["secret"].as_str().unwrap();
    assert!(value.starts_with("whsec_") && value.len() == 50, "{value}");
    value.to_owned()
}

/// Returns the list of all webhook secrets.
pub(super) fn list(server: &Server) -> Vec<Value> {
    let list = server.get("/v1/webhook-secrets").expect(200);
    list["webhook_secrets"].as_array().unwrap().clone()
}

#[test]
fn a_secret_is_created_rotated_and_deleted_and_only_these_answers_show_its_value() {
    let server = Server::start();
    assert_eq!(list(&server), Vec::<Value>::new());
    let created = server.post("/v1/webhook-secrets", &json!({"name": "shop"}));
    assert_eq!(created.header("location"), Some("/v1/webhook-secrets/shop"));
    let mut info = created.expect(201);
    let first = info["secret"].take();
    assert!(info["created_at"].is_string() && info["rotated_at"].is_null(), "{info}");
    let listed = list(&server);
    assert_eq!(listed.len(), 1);
    let fields: Vec<&String> = listed[0].as_object().unwrap().keys().collect();
    assert_eq!(fields, ["created_at", "name", "previous_until", "queues", "rotated_at"]);

    // Without a body, the previous value signs for a day.
    let rotated = server.request("POST", "/v1/webhook-secrets/shop/rotate", &[], b"").expect(200);
    assert_ne!(rotated["secret"], first);
    let overlap = between(&rotated["rotated_at"], &rotated["previous_until"]);
    assert_eq!(overlap, Duration::from_secs(24 * 3_600));
    assert_eq!(list(&server)[0]["previous_until"], rotated["previous_until"]);
    rotate_secret(&server, "shop", "0s");
    assert!(list(&server)[0]["previous_until"].is_null());

    let path = "/v1/webhook-secrets/shop";
    assert_eq!(server.request("DELETE", path, &[], b"").status, 204);
    assert_eq!(list(&server), Vec::<Value>::new());
    let detail = server.request("DELETE", path, &[], b"").problem(404);
    assert!(detail.contains("webhook secret shop does not exist"), "{detail}");
    let detail = server.post(&format!("{path}/rotate"), &json!({})).problem(404);
    assert!(detail.contains("webhook secret shop does not exist"), "{detail}");
}

#[test]
fn a_secret_that_is_bound_to_queues_signs_for_their_jobs_only() {
    let server = Server::start();
    let wanted = json!({"name": "shop", "queues": ["shop.*"]});
    let created = server.post("/v1/webhook-secrets", &wanted).expect(201);
    assert_eq!(created["queues"], json!(["shop.*"]));
    let rotated = server.post("/v1/webhook-secrets/shop/rotate", &json!({})).expect(200);
    assert_eq!(rotated["queues"], json!(["shop.*"]));
    let callback = json!({"url": "http://127.0.0.1:9/", "secret": "shop"});
    let job = |queue: &str| with(echo(1), &json!({"queue": queue, "callback": callback}));
    let plain = |queue: &str| with(echo(1), &json!({"queue": queue}));
    let batch = |jobs: Value| json!({"jobs": jobs, "callback": callback});
    for (path, body, pointer) in [
        ("/v1/jobs", job("blog"), "/callback/secret"),
        ("/v1/jobs", with(echo(1), &json!({"callback": callback})), "/callback/secret"),
        ("/v1/jobs", with(echo(1), &json!({"then": job("blog")})), "/then/callback/secret"),
        ("/v1/batches", json!({"jobs": [job("shop.a"), job("blog")]}), "/jobs/1/callback/secret"),
        ("/v1/batches", batch(json!([plain("shop.a"), plain("blog")])), "/callback/secret"),
        ("/v1/batches", batch(json!([])), "/callback/secret"),
        (
            "/v1/batches",
            with(batch(json!([plain("shop.a")])), &json!({"open": true})),
            "/callback/secret",
        ),
    ] {
        let answer = server.post(path, &body);
        assert_eq!((answer.status, pointers(&answer)), (422, vec![pointer.to_owned()]), "{body}");
    }
    server.submit(&job("shop.a"));
    server.submit(&with(echo(1), &json!({"queue": "blog", "then": job("shop.a")})));
    server.post("/v1/batches", &batch(json!([plain("shop.a"), plain("shop.b")]))).expect(202);
    let many = json!({"name": "many", "queues": vec!["a"; 33]});
    assert_eq!(pointers(&server.post("/v1/webhook-secrets", &many)), ["/queues"]);
    let bad = json!({"name": "bad", "queues": ["A"]});
    assert_eq!(pointers(&server.post("/v1/webhook-secrets", &bad)), ["/queues/0"]);
}

#[test]
fn a_name_belongs_to_one_secret_and_there_are_at_most_100() {
    let server = Server::start();
    create_secret(&server, "s0");
    let taken = server.post("/v1/webhook-secrets", &json!({"name": "s0"}));
    assert!(taken.problem(409).contains("a webhook secret with the name s0 exists"));
    for number in 1..100 {
        create_secret(&server, &format!("s{number}"));
    }
    let refused = server.post("/v1/webhook-secrets", &json!({"name": "more"}));
    assert!(refused.problem(422).contains("there are already 100 webhook secrets"));
    assert_eq!(refused.json()["type"], "urn:longshore:problem:too-many-webhook-secrets");
    assert_eq!(list(&server).len(), 100);
}

#[test]
fn every_invalid_field_is_named_and_changes_nothing() {
    let server = Server::start();
    create_secret(&server, "shop");
    let before = list(&server);
    for (path, request, pointer) in [
        ("", json!({}), ""),
        ("", json!({"name": "My Shop"}), "/name"),
        ("", json!({"name": "x".repeat(65)}), "/name"),
        ("", json!({"name": 7}), "/name"),
        ("", json!({"name": "a", "secret": "whsec_AAEC"}), "/secret"),
        ("/shop/rotate", json!({"overlap": "soon"}), "/overlap"),
        ("/shop/rotate", json!({"overlap": "31d"}), "/overlap"),
        ("/shop/rotate", json!({"secret": "x"}), "/secret"),
    ] {
        let refused = server.post(&format!("/v1/webhook-secrets{path}"), &request);
        refused.problem(422);
        assert_eq!(pointers(&refused), [pointer], "{request}");
    }
    let refused = server.post("/v1/webhook-secrets/My%20Shop/rotate", &json!({}));
    refused.problem(400);
    assert_eq!(pointers(&refused), ["/name"]);
    assert_eq!(list(&server), before);
}

#[test]
fn secrets_survive_a_kill_and_are_in_a_backup() {
    let mut server = Server::start();
    create_secret(&server, "shop");
    rotate_secret(&server, "shop", "1h");
    let before = list(&server);
    server.kill();
    server.restart();
    assert_eq!(list(&server), before);
    let copy = server.directory().join("copy.db");
    let mut backup = crate::kit::process::longshore(&["backup", "--database"]);
    let output = backup.arg(server.database()).arg(&copy).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(list(&Setup::new().database(&copy).start()), before);
}

#[test]
fn changes_of_many_clients_at_once_are_in_memory_as_they_are_stored() {
    let mut server = Server::start();
    let change = |client: usize, name: String| {
        let path = format!("/v1/webhook-secrets/{name}");
        match client % 3 {
            0 => server.post("/v1/webhook-secrets", &json!({"name": name})).status,
            1 => server.post(&format!("{path}/rotate"), &json!({"overlap": "1h"})).status,
            _ => server.request("DELETE", &path, &[], b"").status,
        }
    };
    // All clients change the same secret at about the same time, then the next one.
    std::thread::scope(|scope| {
        for client in 0..8 {
            scope.spawn(move || {
                let changes = (0..90).map(|number| change(client, format!("shop-{number}")));
                let statuses: Vec<u16> = changes.collect();
                let expected = [200, 201, 204, 404, 409];
                assert!(statuses.iter().all(|status| expected.contains(status)), "{statuses:?}");
            });
        }
    });
    let before = list(&server);
    server.kill();
    server.restart();
    assert_eq!(list(&server), before);
}
