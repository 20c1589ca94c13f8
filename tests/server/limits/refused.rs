//! Invalid input: refused before it has any effect, with a problem that points to the error.

use serde_json::{Value, json};

use crate::kit::{Response, Server, Setup, echo, pointers, with};

fn post(server: &Server, body: &[u8]) -> Response {
    server.request("POST", "/v1/jobs", &[("content-type", "application/json")], body)
}

fn assert_no_jobs(server: &Server) {
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"], json!([]));
}

#[test]
fn every_invalid_field_of_a_job_is_named() {
    let server = Server::start();
    let cases: [(Value, &[&str]); 11] = [
        (json!({"prioritty": 1}), &["/prioritty"]),
        (json!({"kind": "frobnicate"}), &["/kind"]),
        (json!({"kind": 5}), &["/kind"]),
        (json!({"queue": "Not A Name"}), &["/queue"]),
        (json!({"queue": "x".repeat(10_000)}), &["/queue"]),
        (json!({"priority": 101}), &["/priority"]),
        (json!({"timeout": "0s", "max_attempts": 0}), &["/timeout", "/max_attempts"]),
        (json!({"delay": "1s", "run_at": "2035-01-01T00:00:00Z"}), &["/delay"]),
        (json!({"backoff": {"factor": 0.5}}), &["/backoff/factor"]),
        (json!({"tags": ["a", "a\u{0}b", "x".repeat(10_000)]}), &["/tags/1", "/tags/2"]),
        (json!({"run_at": "tomorrow"}), &["/run_at"]),
    ];
    for (fields, expected) in cases {
        let answer = server.post("/v1/jobs", &with(echo(1), &fields));
        answer.problem(422);
        assert_eq!(pointers(&answer), expected, "{fields}");
    }
    assert_no_jobs(&server);
}

#[test]
fn payloads_are_checked_by_the_rules_of_their_kind() {
    let server = Server::start();
    let cases = [
        (json!({"kind": "sleep"}), "/payload"),
        (json!({"kind": "sleep", "payload": {"duration": "soon"}}), "/payload/duration"),
        (json!({"kind": "http", "payload": {"url": "ftp://a"}}), "/payload/url"),
        (
            json!({"kind": "http", "payload": {"url": "http://a", "headers": {"Host": "b"}}}),
            "/payload/headers/Host",
        ),
        (json!({"kind": "command", "payload": {"name": "rm"}}), "/payload/name"),
        (json!({"kind": "chat", "payload": {"messages": []}}), "/payload/provider"),
    ];
    for (job, pointer) in cases {
        let answer = server.post("/v1/jobs", &job);
        answer.problem(422);
        assert_eq!(pointers(&answer)[0], pointer, "{job}");
    }
    assert_no_jobs(&server);
}

#[test]
fn a_body_that_is_not_json_is_answered_with_400() {
    let server = Server::start();
    let bodies: [&[u8]; 9] = [
        b"",
        b"{",
        b"nope",
        b"{\"kind\": \"echo\"} x",
        b"{'kind': 'echo'}",
        b"\xff\xfe",
        b"\0",
        b"{\"kind\": \"echo\", \"payload\": \"\xff\"}",
        b"{\"kind\": \"echo\", \"payload\": \"a\nb\"}",
    ];
    for body in bodies {
        post(&server, body).problem(400);
    }
    for body in ["7", "null", "\"echo\"", "{}", "[7]"] {
        post(&server, body.as_bytes()).problem(422);
    }
    assert_no_jobs(&server);
}

#[test]
fn json_that_a_reader_cannot_represent_is_refused_with_a_pointer() {
    let mut server = Server::start();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let payloads = [
        (deep.clone(), "/payload"),
        (r#"{"a": ["\ud800"]}"#.into(), "/payload/a/0"),
        (r#"{"a": 1e999}"#.into(), "/payload/a"),
    ];
    for (payload, pointer) in payloads {
        let answer =
            post(&server, format!("{{\"kind\": \"echo\", \"payload\": {payload}}}").as_bytes());
        answer.problem(422);
        assert!(pointers(&answer)[0].starts_with(pointer), "{:?}", pointers(&answer));
    }
    for body in [deep.clone(), "[".repeat(100_000), format!("{{\"kind\": {deep}}}")] {
        let status = post(&server, body.as_bytes()).status;
        assert!(matches!(status, 400 | 422), "{status}");
    }
    let keys: Vec<String> = (0..100_000).map(|number| format!("\"k{number}\": 1")).collect();
    let answer = post(&server, format!("{{{}}}", keys.join(",")).as_bytes());
    answer.problem(422);
    server.assert_healthy();
    assert_no_jobs(&server);
}

#[test]
fn text_with_nul_is_stored_as_data_and_refused_in_names() {
    let server = Server::start();
    let job = server.run(&echo("a\u{0}b"));
    assert_eq!(job["result"], "a\u{0}b");
    for fields in
        [json!({"queue": "a\u{0}"}), json!({"kind": "echo\u{0}"}), json!({"tags": ["\u{0}"]})]
    {
        server.post("/v1/jobs", &with(echo(1), &fields)).problem(422);
    }
    let batch = server.post("/v1/batches", &json!({"name": "a\u{0}b", "jobs": [echo(1)]}));
    let id = batch.expect(202)["id"].clone();
    assert_eq!(server.get(&format!("/v1/batches/{id}")).expect(200)["name"], "a\u{0}b");
    for path in ["/v1/jobs?tag=%00", "/v1/jobs?kind=%00"] {
        assert_eq!(server.get(path).expect(200)["jobs"], json!([]));
    }
    server.get("/v1/jobs?queue=%00").problem(400);
}

#[test]
fn only_uncompressed_json_is_accepted() {
    let server = Server::start();
    let body = echo(1).to_string();
    let refused = [
        vec![],
        vec![("content-type", "text/plain")],
        vec![("content-type", "application/x-www-form-urlencoded")],
        vec![("content-type", "application/json"), ("content-encoding", "gzip")],
        vec![("content-type", "application/json"), ("content-encoding", "br")],
    ];
    for headers in refused {
        for path in ["/v1/jobs", "/v1/batches"] {
            server.request("POST", path, &headers, body.as_bytes()).problem(415);
        }
        server.request("PATCH", "/v1/queues/a", &headers, b"{}").problem(415);
    }
    let lines = [("content-type", "application/x-ndjson")];
    server.request("POST", "/v1/batches", &lines, body.as_bytes()).problem(415);
    assert_no_jobs(&server);
}

#[test]
fn an_unknown_parameter_is_refused_before_any_effect() {
    let server = Server::start();
    let id = server.submit(&with(echo(1), &json!({"delay": "1h"})));
    let routes = [
        ("GET", "/v1/jobs"),
        ("POST", "/v1/jobs"),
        ("GET", "/v1/jobs/1"),
        ("DELETE", "/v1/jobs/1"),
        ("POST", "/v1/jobs/1/cancel"),
        ("POST", "/v1/jobs/1/retry"),
        ("POST", "/v1/batches"),
        ("GET", "/v1/batches/1"),
        ("POST", "/v1/batches/1/cancel"),
        ("GET", "/v1/queues"),
        ("GET", "/v1/queues/default"),
        ("PATCH", "/v1/queues/default"),
        ("GET", "/v1/pruning"),
        ("POST", "/v1/pruning"),
        ("GET", "/healthz"),
        ("GET", "/readyz"),
    ];
    let headers = [("content-type", "application/json")];
    for (method, path) in routes {
        let body: &[u8] = if method == "PATCH" { br#"{"paused": true}"# } else { b"{}" };
        let answer = server.request(method, &format!("{path}?foo=5&b%2Fc"), &headers, body);
        answer.problem(400);
        assert_eq!(pointers(&answer), ["/foo", "/b~1c"], "{method} {path}");
    }
    assert_eq!(server.job(id)["state"], "scheduled");
    assert_eq!(server.queue("default")["paused"], false);
}

#[test]
fn an_invalid_parameter_is_named_with_the_expected_value() {
    let server = Server::start();
    let query = "limit=abc&cursor=x&batch=x&state=lost&queue=Q&include=failures";
    let answer = server.get(&format!("/v1/jobs?{query}"));
    answer.problem(400);
    let expected = ["/limit", "/state", "/queue", "/batch", "/cursor", "/include"];
    assert_eq!(pointers(&answer), expected);
    for (query, expected) in [
        ("limit=201", "/limit: must be a number between 1 and 200"),
        ("cursor=x", "/cursor: must be the next_cursor of another page"),
        ("batch=x", "/batch: must be the id of a batch, a number"),
        ("limit=1&limit=2", "/limit: is given more than once"),
        ("stat=queued", "/stat: unknown parameter; this route supports state, queue"),
    ] {
        let detail = server.get(&format!("/v1/jobs?{query}")).problem(400);
        assert!(detail.starts_with(expected), "{query}: {detail}");
    }
}

#[test]
fn a_wrong_method_is_answered_with_the_allowed_methods() {
    let server = Server::start();
    let cases = [
        ("DELETE", "/v1/jobs", "GET, POST"),
        ("POST", "/v1/jobs/1", "GET, PATCH, DELETE"),
        ("GET", "/v1/jobs/1/cancel", "POST"),
        ("GET", "/v1/jobs/1/retry", "POST"),
        ("PUT", "/v1/batches", "GET, POST"),
        ("DELETE", "/v1/batches/1", "GET"),
        ("POST", "/v1/queues", "GET"),
        ("PUT", "/v1/queues/a", "GET, PATCH"),
        ("DELETE", "/v1/pruning", "GET, POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("BREW", "/readyz", "GET, HEAD"),
    ];
    for (method, path, allow) in cases {
        let answer = server.request(method, path, &[], b"");
        answer.problem(405);
        assert_eq!(answer.header("allow"), Some(allow), "{method} {path}");
    }
}

#[test]
fn an_unknown_path_is_answered_with_404() {
    let server = Server::start();
    let unknown = [
        "/v1",
        "/v1/",
        "/v1/job",
        "/v1/jobs/",
        "/v1/jobs/1",
        "/v1/jobs/x",
        "/v1/jobs/99999999999999999999",
        "/v1/jobs/-1",
        "/v1/jobs/1/events",
        "/v2/jobs",
        "/%00",
        "//",
    ];
    for path in unknown {
        server.get(path).problem(404);
    }
    let long = format!("/v1/jobs/{}", "9".repeat(10_000));
    server.get(&long).problem(404);
}

#[test]
fn requests_from_other_sites_are_refused_before_any_effect() {
    let server = Server::start();
    let own = server.url();
    let foreign = [
        ("origin", "https://evil.example"),
        ("origin", "http://127.0.0.1:1"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ];
    for header in foreign {
        server.post_with("/v1/jobs", &[header], &echo(1)).problem(403);
        server.request("GET", "/v1/jobs", &[header], b"").problem(403);
    }
    // Only a link to a page may be followed: a top-level GET navigation.
    let link = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    assert_eq!(server.request("GET", "/jobs", &link, b"").status, 200);
    let framed = [link[0], link[1], ("sec-fetch-dest", "iframe")];
    for (method, headers) in [("POST", link), ("GET", framed)] {
        server.request(method, "/v1/jobs", &headers, b"").problem(403);
    }
    assert_no_jobs(&server);
    let same = [("origin", &*own), ("sec-fetch-site", "same-origin")];
    server.post_with("/v1/jobs", &same, &echo(1)).expect(202);
    server.post_with("/v1/jobs", &[("sec-fetch-site", "none")], &echo(1)).expect(202);
}

#[test]
fn a_dns_rebinding_request_is_refused() {
    let server = Setup::new().config("hosts = ['jobs.example']").start();
    let submit_to = |host: &str| {
        let mut connection = server.connect();
        let origin = format!("origin: http://{host}\r\nsec-fetch-site: same-origin\r\n");
        let head = "content-type: application/json\r\ncontent-length: 15\r\n\r\n";
        let request = format!("POST /v1/jobs HTTP/1.1\r\nhost: {host}\r\n{origin}{head}");
        connection.send(request + "{\"kind\":\"echo\"}").unwrap();
        connection.answer().unwrap()
    };
    submit_to(&format!("evil.example:{}", server.addr().port())).problem(403);
    assert_no_jobs(&server);
    submit_to(&format!("localhost:{}", server.addr().port())).expect(202);
    submit_to("jobs.example").expect(202);
}
