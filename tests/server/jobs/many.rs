//! Submitting many jobs in one request: as a JSON array or as JSON lines.

use serde_json::{Value, json};

use crate::kit::{Response, Server, echo, pointers};

fn lines(server: &Server, body: &str) -> Response {
    let headers = [("content-type", "application/x-ndjson")];
    server.request("POST", "/v1/jobs", &headers, body.as_bytes())
}

fn count(server: &Server) -> usize {
    server.get("/v1/jobs?limit=200").expect(200)["jobs"].as_array().unwrap().len()
}

#[test]
fn an_array_is_accepted_whole_and_in_order() {
    let server = Server::start();
    let jobs: Vec<Value> = (0..100).map(echo).collect();
    let answer = server.post("/v1/jobs", &json!(jobs));
    let body = answer.expect(202);
    assert!(answer.header("retry-after").is_some());
    for (number, job) in body["jobs"].as_array().unwrap().iter().enumerate() {
        assert_eq!(job["payload"], number);
        assert_eq!(job["id"], number + 1);
    }
    assert_eq!(server.wait_until_final(100)["result"], 99);
}

#[test]
fn json_lines_are_accepted_with_blank_lines_between_them() {
    let server = Server::start();
    let body = lines(&server, "{\"kind\": \"echo\", \"payload\": 1}\r\n\n {\"kind\":\"echo\"}")
        .expect(202);
    assert_eq!(body["jobs"].as_array().unwrap().len(), 2);
    assert_eq!(server.wait_until_final(1)["result"], 1);
}

#[test]
fn one_invalid_job_among_many_is_named_and_none_is_accepted() {
    let server = Server::start();
    let good = r#"{"kind": "echo"}"#;
    let answer = lines(&server, &format!("{good}\n\n{{\"kind\": \"nope\"}}\n{good}"));
    assert!(answer.problem(422).contains("line 3"), "{answer:?}");
    assert_eq!(pointers(&answer), ["/1/kind"]);
    let answer = lines(&server, &format!("{good}\n{good}\n{{\"kind\": "));
    assert!(answer.problem(400).contains("line 3"), "{answer:?}");
    let jobs = json!([echo(1), {"kind": "sleep", "payload": {"duration": true}}, {"kind": 3}]);
    let answer = server.post("/v1/jobs", &jobs);
    answer.problem(422);
    assert_eq!(pointers(&answer), ["/2/kind"]);
    let jobs = json!([echo(1), {"kind": "sleep", "payload": {"duration": true}}, {"kind": "x"}]);
    let answer = server.post("/v1/jobs", &jobs);
    answer.problem(422);
    assert_eq!(pointers(&answer), ["/1/payload/duration", "/2/kind"]);
    assert_eq!(count(&server), 0);
}

#[test]
fn ten_thousand_jobs_are_accepted_and_one_more_is_refused() {
    let server = Server::start();
    let line = "{\"kind\":\"echo\"}\n";
    let answer = lines(&server, &line.repeat(10_001));
    assert!(answer.problem(422).contains("10000"), "{answer:?}");
    let answer = lines(&server, "");
    answer.problem(422);
    assert_eq!(server.post("/v1/jobs", &json!([])).status, 422);
    assert_eq!(count(&server), 0);
    let body = lines(&server, &line.repeat(10_000)).expect(202);
    assert_eq!(body["jobs"].as_array().unwrap().len(), 10_000);
    assert_eq!(server.wait_until_final(10_000)["state"], "completed");
}

#[test]
fn a_body_over_the_limit_is_refused_with_413() {
    let server = Server::start();
    let text = "x".repeat(33 << 20);
    let headers = [("content-type", "application/json")];
    server.request("POST", "/v1/jobs", &headers, text.as_bytes()).problem(413);
    // The declared length alone is enough: no byte of the body is sent.
    let mut connection = server.connect();
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        server.addr(),
        1_u64 << 40
    );
    connection.send(head).unwrap();
    connection.answer().unwrap().problem(413);
    // A chunked body declares no length; it is refused once it exceeds the limit.
    let mut connection = server.connect();
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
        server.addr()
    );
    connection.send(head).unwrap();
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(1 << 20));
    // The server may answer and close the connection before the last chunk is sent.
    for _ in 0..33 {
        if connection.send(&chunk).is_err() {
            break;
        }
    }
    connection.answer().unwrap().problem(413);
}

#[test]
fn a_payload_over_the_limit_is_refused_with_its_pointer() {
    let server = Server::start();
    let answer = server.post("/v1/jobs", &json!([echo(1), echo("x".repeat(4 << 20))]));
    answer.problem(422);
    assert_eq!(pointers(&answer), ["/1/payload"]);
}
