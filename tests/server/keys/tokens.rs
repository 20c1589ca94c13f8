//! Tokens with which a page of an application reads one job or batch, and the origins of such pages.

use serde_json::{Value, json};

use super::{Key, call, create, first_key};
use crate::kit::http::request;
use crate::kit::leases::remote;
use crate::kit::{Events, Response, Server, Setup, echo, eventually, sleep};

/// Returns a token for what is at `path`, such as `/v1/jobs/1`.
pub(super) fn token(server: &Server, key: &Key, path: &str, body: Option<&Value>) -> String {
    let response = call(server, key, "POST", &format!("{path}/token"), body);
    let made = response.expect(201);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    made["token"].as_str().unwrap().to_owned()
}

pub(super) fn with_token(server: &Server, method: &str, path: &str, token: &str) -> Response {
    let authorization = format!("Bearer {token}");
    server.request(method, path, &[("authorization", &authorization)], b"")
}

/// Returns a server with its first key and two jobs, 1 and 2, of the remote lane.
fn server_with_jobs(config: &str) -> (Server, Key) {
    let server = Setup::new().config(config).start();
    server.submit(&remote(1));
    server.submit(&remote(2));
    let ops = first_key(&server);
    (server, ops)
}

#[test]
fn a_token_reads_its_job_and_the_events_of_it_and_nothing_else() {
    let (server, ops) = server_with_jobs("");
    let token = token(&server, &ops, "/v1/jobs/1", None);
    for path in ["/v1/jobs/1", "/v1/jobs/1/log", "/v1/jobs/1?wait=0"] {
        assert_eq!(with_token(&server, "GET", path, &token).status, 200, "{path}");
    }
    let mut events =
        Events::open(server.connect(), &format!("/v1/jobs/1/events?token={token}"), &[]);
    assert_eq!(events.expect_next().event, "state");
    let refused = |method: &str, path: &str| {
        let answer = with_token(&server, method, path, &token).problem(403);
        assert_eq!(answer, "the token is only for job 1 and its events", "{method} {path}");
    };
    for path in ["/v1/jobs/2", "/v1/jobs/11", "/v1/jobs/2/events", "/v1/jobs", "/v1/batches/1"] {
        refused("GET", path);
    }
    for path in ["/v1/events", "/v1/queues", "/v1/keys", "/jobs/1", "/", "/v1/jobs/01"] {
        refused("GET", path);
    }
    refused("POST", "/v1/jobs/1/cancel");
    refused("DELETE", "/v1/jobs/1");
    refused("POST", "/v1/jobs/1/token");
}

#[test]
fn a_token_of_a_batch_reads_the_batch() {
    let server = Server::start();
    server.post("/v1/batches", &json!({"jobs": [remote(1)]})).expect(202);
    let ops = first_key(&server);
    let token = token(&server, &ops, "/v1/batches/1", Some(&json!({"expires_in": "1d"})));
    with_token(&server, "GET", "/v1/batches/1", &token).expect(200);
    let results = with_token(&server, "GET", "/v1/batches/1/results", &token).expect(200);
    assert_eq!(results["results"][0].get("payload"), None);
    let path = format!("/v1/batches/1/events?jobs=true&token={token}");
    assert_eq!(Events::open(server.connect(), &path, &[]).expect_next().event, "batch");
    for path in ["/v1/batches/1/cancel", "/v1/batches/1/close", "/v1/batches/1/jobs"] {
        with_token(&server, "POST", path, &token).problem(403);
    }
    let answer = with_token(&server, "GET", "/v1/jobs/1", &token).problem(403);
    assert_eq!(answer, "the token is only for batch 1 and its events");
}

#[test]
fn a_stream_of_results_breaks_off_without_its_end_when_its_key_is_revoked() {
    let server = Server::start();
    let large = "x".repeat(1_000_000);
    server.post("/v1/batches", &json!({"jobs": vec![echo(large.as_str()); 24]})).expect(202);
    server.get("/v1/batches/1?wait=60s").expect(200);
    let ops = first_key(&server);
    let app = create(&server, &ops, &json!({"name": "app", "scopes": ["read"]}));
    let token = token(&server, &app, "/v1/batches/1", None);
    let mut connection = server.connect();
    let path = format!("/v1/batches/1/results?format=ndjson&token={token}");
    connection.send(request("GET", &path, &server.addr().to_string(), &[], b"")).unwrap();
    while !connection.line().unwrap().is_empty() {}
    assert!(connection.chunk().unwrap().is_some());
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", app.id), None).expect(200);
    // A client that got the last chunk would take the lines for all results.
    let end = loop {
        match connection.chunk() {
            Ok(Some(_)) => {}
            end => break end,
        }
    };
    assert!(end.is_err(), "{end:?}");
}

#[test]
fn a_token_ends_with_its_time_also_on_an_open_stream() {
    let (server, ops) = server_with_jobs("");
    let body = json!({"expires_in": "1s"});
    let token = token(&server, &ops, "/v1/jobs/1", Some(&body));
    let path = format!("/v1/jobs/1/events?token={token}");
    let mut events = Events::open(server.connect(), &path, &[]);
    events.expect_next();
    assert!(events.read_to_end().is_empty());
    let answer = with_token(&server, "GET", "/v1/jobs/1", &token).problem(401);
    assert_eq!(answer, "the token is not valid, or it has expired");
    for wrong in [json!({"expires_in": "8d"}), json!({"expires_in": 0}), json!({"for": 1})] {
        assert_eq!(call(&server, &ops, "POST", "/v1/jobs/1/token", Some(&wrong)).status, 422);
    }
    call(&server, &ops, "POST", "/v1/jobs/9/token", None).problem(404);
}

#[test]
fn a_token_ends_with_its_key_and_survives_a_restart() {
    let (mut server, ops) = server_with_jobs("");
    let app = create(&server, &ops, &json!({"name": "app", "scopes": ["submit"]}));
    let token = token(&server, &app, "/v1/jobs/1", None);
    server.kill();
    server.restart();
    let path = format!("/v1/jobs/1/events?token={token}");
    let mut events = Events::open(server.connect(), &path, &[]);
    events.expect_next();
    call(&server, &ops, "DELETE", &format!("/v1/keys/{}", app.id), None).expect(200);
    assert!(events.read_to_end().is_empty());
    with_token(&server, "GET", "/v1/jobs/1", &token).problem(401);
}

#[test]
fn a_token_is_made_only_for_what_its_key_sees() {
    let (server, ops) = server_with_jobs("");
    let scopes = json!(["submit", "read"]);
    let mail = json!({"name": "mail", "scopes": scopes, "queues": ["mail"]});
    let mail = create(&server, &ops, &mail);
    call(&server, &mail, "POST", "/v1/jobs/1/token", None).problem(404);
    let work = create(&server, &ops, &json!({"name": "work", "scopes": ["work"]}));
    call(&server, &work, "POST", "/v1/jobs/1/token", None).problem(403);
}

#[test]
fn a_token_that_the_server_has_not_signed_is_refused_with_and_without_keys() {
    let server = Server::start();
    server.submit(&remote(1));
    let forged =
        longshore::auth::token::Signer::new([0; 32]).sign(&longshore::auth::token::Claims {
            subject: longshore::auth::token::Subject::Job(longshore::job::JobId(1)),
            key: None,
            expires_at: longshore::job::Timestamp::from_millis(i64::MAX / 2),
        });
    with_token(&server, "GET", "/v1/jobs/1", &forged).problem(401);
    server.get(&format!("/v1/jobs/1?token={forged}")).problem(401);
    // Without keys a token works as it does with them, so that applications can be tried out.
    let made = server.post_empty("/v1/jobs/1/token").expect(201);
    let path = format!("/v1/jobs/1?token={}", made["token"].as_str().unwrap());
    server.get(&path).expect(200);
    server.get(&path.replace("jobs/1", "jobs/2")).problem(403);
}

#[test]
fn a_page_of_an_allowed_origin_reads_with_a_token_and_does_nothing_else() {
    let (server, ops) = server_with_jobs("allow_origins = ['https://app.example']");
    let token = token(&server, &ops, "/v1/jobs/1", None);
    let path = format!("/v1/jobs/1?token={token}");
    let from = |origin: &str, method: &str, path: &str| {
        let site = [("origin", origin), ("sec-fetch-site", "cross-site")];
        server.request(method, path, &site, b"")
    };
    let allowed = from("https://app.example", "GET", &path);
    allowed.expect(200);
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example"));
    assert!(allowed.header("vary").unwrap().contains("Origin"));
    assert_eq!(allowed.header("access-control-allow-credentials"), None);
    // The page sees why its token was refused.
    let expired = from("https://app.example", "GET", "/v1/jobs/1?token=lt_x.y");
    expired.problem(401);
    assert!(expired.header("access-control-allow-origin").is_some());
    for (origin, method, path) in [
        ("https://evil.example", "GET", &*path),
        ("http://app.example", "GET", &path),
        ("null", "GET", &path),
        ("https://app.example", "GET", "/v1/jobs/1"),
        ("https://app.example", "POST", "/v1/jobs/1/cancel"),
        ("https://app.example", "GET", "/v1/jobs"),
    ] {
        assert_eq!(from(origin, method, path).status, 403, "{origin} {method} {path}");
    }
    let authorization = format!("Bearer {}", ops.secret);
    let with_key = [("origin", "https://app.example"), ("authorization", &*authorization)];
    server.request("GET", "/v1/jobs/1", &with_key, b"").problem(403);
}

#[test]
fn a_preflight_of_an_allowed_origin_names_what_a_page_may_send() {
    let (server, _) = server_with_jobs("allow_origins = ['https://app.example']");
    let preflight = |origin: &str| {
        let headers = [
            ("origin", origin),
            ("access-control-request-method", "GET"),
            ("access-control-request-headers", "authorization"),
        ];
        server.request("OPTIONS", "/v1/jobs/1/events", &headers, b"")
    };
    let answer = preflight("https://app.example");
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("authorization, last-event-id"));
    let other = preflight("https://evil.example");
    assert_eq!((other.status, other.header("access-control-allow-origin")), (403, None));
}

#[test]
fn an_origin_in_the_configuration_must_be_one() {
    for wrong in ["app.example", "https://App.example", "https://app.example/", "*"] {
        let setup = Setup::new().config(format!("allow_origins = ['{wrong}']"));
        let output = String::from_utf8(setup.fail().stderr).unwrap();
        assert!(output.contains("allow_origins.0: must be an origin"), "{output}");
    }
}

#[test]
fn the_limit_of_unfinished_jobs_is_answered_with_429() {
    let config = "key_limits = { max_unfinished_jobs = 1 }";
    let (server, ops) = server_with_jobs(config);
    call(&server, &ops, "POST", "/v1/jobs", Some(&remote(1))).expect(202);
    let refused = call(&server, &ops, "POST", "/v1/jobs", Some(&remote(1)));
    let detail = "the key would have more than 1 unfinished jobs, which is its limit";
    assert_eq!(refused.problem(429), detail);
    assert_eq!(refused.header("retry-after"), Some("1"));
    call(&server, &ops, "POST", "/v1/jobs/3/cancel", None).expect(200);
    let id = call(&server, &ops, "POST", "/v1/jobs", Some(&echo(1))).expect(202)["id"].clone();
    eventually("the job ends", || {
        let job = call(&server, &ops, "GET", &format!("/v1/jobs/{id}"), None).json();
        (job["state"] == "completed").then_some(())
    });
    call(&server, &ops, "POST", "/v1/jobs", Some(&echo(1))).expect(202);
}

#[test]
fn a_token_that_was_made_without_a_key_ends_when_the_first_key_is_created() {
    let server = Server::start();
    let id = server.submit(&sleep("1h"));
    let made = server.post_empty(&format!("/v1/jobs/{id}/token")).expect(201);
    let token = made["token"].as_str().unwrap();
    let path = format!("/v1/jobs/{id}/events?token={token}");
    let mut events = Events::open(server.connect(), &path, &[]);
    events.expect_next();
    with_token(&server, "GET", &format!("/v1/jobs/{id}"), token).expect(200);
    first_key(&server);
    events.read_to_end();
    let answer = with_token(&server, "GET", &format!("/v1/jobs/{id}"), token).problem(401);
    assert_eq!(answer, "the token is not valid, or it has expired");
}

#[test]
fn a_token_that_was_made_without_a_key_stays_valid_for_requests_that_never_need_one() {
    let server = Setup::new().config("keyless_loopback = true").start();
    let id = server.submit(&sleep("1h"));
    let made = server.post_empty(&format!("/v1/jobs/{id}/token")).expect(201);
    let path = format!("/v1/jobs/{id}?token={}", made["token"].as_str().unwrap());
    first_key(&server);
    server.get(&path).expect(200);
    let forwarded = [("x-forwarded-for", "203.0.113.7")];
    server.request("GET", &path, &forwarded, b"").problem(401);
}
