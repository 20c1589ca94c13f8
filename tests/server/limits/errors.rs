//! Errors of any input are short, are made quickly, and take little memory.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::kit::hostile::{
    MAX_ANSWER_BYTES, ODD, invalid_headers, odd_priority, unknown_parameters,
};
use crate::kit::usage::peak_memory;
use crate::kit::{Connection, Response, Server, Setup};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];
const LINES: [(&str, &str); 1] = [("content-type", "application/x-ndjson")];

/// Asserts that an answer is a problem of bounded size.
fn assert_bounded(answer: &Response, request: &str) {
    let shown = String::from_utf8_lossy(&answer.body[..answer.body.len().min(600)]);
    assert!((400..500).contains(&answer.status), "{request}: {} {shown}", answer.status);
    assert!(answer.body.len() <= MAX_ANSWER_BYTES, "{request}: {} bytes", answer.body.len());
    let problem = answer.json();
    assert!(problem["detail"].as_str().unwrap().len() <= 600, "{request}: {shown}");
    for error in problem["errors"].as_array().into_iter().flatten() {
        for field in ["pointer", "detail"] {
            assert!(error[field].as_str().unwrap().len() <= 256, "{request}: {shown}");
        }
    }
}

/// Asserts that the list of errors ends with the number of those that are omitted.
fn assert_omits(answer: &Response, omitted: usize) {
    let errors = answer.json()["errors"].as_array().unwrap().clone();
    assert_eq!(errors.len(), 101, "{:?}", errors.last());
    assert_eq!(errors[100]["detail"], format!("and {omitted} more"));
    let number = format!("{} fields are invalid; see errors", omitted + 100);
    assert_eq!(answer.json()["detail"], number);
}

#[test]
fn an_error_repeats_only_the_start_of_what_is_invalid() {
    let server = Server::start();
    let odd = ODD.repeat(70_000);
    let job = |fields: &str| format!("{{\"kind\":\"echo\",{fields}}}");
    let payload =
        |kind: &str, payload: &str| format!("{{\"kind\":\"{kind}\",\"payload\":{payload}}}");
    let requests = [
        ("POST", "/v1/jobs", job(&format!("\"priority\":\"{odd}\""))),
        ("POST", "/v1/jobs", job(&format!("\"{odd}\":1"))),
        ("POST", "/v1/jobs", job(&format!("\"tags\":\"{odd}\""))),
        ("POST", "/v1/jobs", job(&format!("\"backoff\":\"{odd}\""))),
        ("POST", "/v1/jobs", job(&format!("\"backoff\":{{\"factor\":\"{odd}\"}}"))),
        ("POST", "/v1/jobs", job(&format!("\"lane\":\"{odd}\""))),
        ("POST", "/v1/jobs", job(&format!("\"at_most_once\":\"{odd}\""))),
        ("POST", "/v1/jobs", job(&format!("\"timeout\":\"{odd}\""))),
        ("POST", "/v1/jobs", format!("{{\"kind\":\"{odd}\"}}")),
        ("POST", "/v1/jobs", format!("\"{odd}\"")),
        ("POST", "/v1/jobs", format!("[{{\"kind\":\"echo\"}},\"{odd}\"]")),
        ("POST", "/v1/jobs", payload("http", &format!("{{\"url\":\"{odd}\"}}"))),
        ("POST", "/v1/jobs", payload("http", &format!("\"{odd}\""))),
        (
            "POST",
            "/v1/jobs",
            payload("http", &format!("{{\"url\":\"http://a\",\"headers\":\"{odd}\"}}")),
        ),
        ("POST", "/v1/jobs", payload("http", &format!("{{\"url\":\"http://a\",\"{odd}\":1}}"))),
        (
            "POST",
            "/v1/jobs",
            payload("http", &format!("{{\"url\":\"http://a\",\"body_base64\":\"{odd}\"}}")),
        ),
        (
            "POST",
            "/v1/jobs",
            payload("http", &format!("{{\"url\":\"http://a\",\"headers\":{{\"{odd}\":\"\"}}}}")),
        ),
        ("POST", "/v1/jobs", payload("command", &format!("{{\"name\":\"{odd}\"}}"))),
        (
            "POST",
            "/v1/jobs",
            payload("chat", &format!("{{\"provider\":\"{odd}\",\"messages\":\"{odd}\"}}")),
        ),
        ("POST", "/v1/jobs", payload("sleep", &format!("{{\"duration\":\"{odd}\"}}"))),
        ("POST", "/v1/batches", format!("{{\"jobs\":\"{odd}\"}}")),
        (
            "POST",
            "/v1/batches",
            format!(
                "{{\"jobs\":[{{\"kind\":\"echo\"}},{{\"kind\":\"echo\",\"priority\":\"{odd}\"}}]}}"
            ),
        ),
        ("POST", "/v1/leases", format!("{{\"limit\":\"{odd}\"}}")),
        ("POST", "/v1/leases", format!("{{\"queues\":\"{odd}\"}}")),
        ("POST", "/v1/jobs/cancel", format!("{{\"ids\":\"{odd}\"}}")),
        ("POST", "/v1/leases/finish", format!("\"{odd}\"")),
        ("POST", "/v1/leases/1/complete", format!("{{\"lease_token\":\"{odd}\"}}")),
        ("PATCH", "/v1/jobs/1", format!("{{\"priority\":\"{odd}\"}}")),
        ("PATCH", "/v1/queues/a", format!("{{\"paused\":\"{odd}\"}}")),
        ("PATCH", "/v1/queues/a", format!("{{\"rate\":{{\"limit\":\"{odd}\"}}}}")),
    ];
    for (method, path, body) in requests {
        let answer = server.request(method, path, &JSON, body.as_bytes());
        let start: String = body.chars().take(80).collect();
        assert_bounded(&answer, &format!("{method} {path} {start}"));
    }
    let line = format!("{{\"kind\":\"echo\",\"{odd}\":1}}");
    assert_bounded(&server.request("POST", "/v1/jobs", &LINES, line.as_bytes()), "a line");
    let answer = server.request("POST", "/v1/jobs", &JSON, job("\"priority\":\"abc\"").as_bytes());
    assert!(answer.problem(422).contains("invalid type: string \"abc\", expected a whole number"));
}

#[test]
fn an_error_repeats_only_the_start_of_a_path_or_a_header() {
    let server = Server::start();
    let long = "x".repeat(30_000);
    let key = "k".repeat(30_000);
    for (method, path, headers) in [
        ("GET", format!("/{long}"), vec![]),
        ("GET", format!("/v1/jobs/{long}"), vec![]),
        ("GET", format!("/v1/queues/{long}"), vec![]),
        ("GET", format!("/v1/jobs?{long}=1"), vec![]),
        ("GET", format!("/v1/jobs?state={long}"), vec![]),
        ("POST", format!("/v1/leases/1/{long}"), vec![]),
        ("PUT", format!("/v1/queues/{long}"), vec![]),
        ("POST", "/v1/jobs".into(), vec![("content-type", long.as_str())]),
        ("POST", "/v1/jobs".into(), vec![JSON[0], ("idempotency-key", key.as_str())]),
        ("GET", format!("/jobs/{long}"), vec![]),
        ("GET", format!("/queues/{long}"), vec![]),
    ] {
        let answer = server.request(method, &path, &headers, b"{}");
        let shown: String = path.chars().take(40).collect();
        assert!((400..500).contains(&answer.status), "{method} {shown}: {}", answer.status);
        assert!(answer.body.len() < 8 << 10, "{method} {shown}: {} bytes", answer.body.len());
    }
    let host = format!("GET /healthz HTTP/1.1\r\nhost: {ODD}{long}\r\nconnection: close\r\n\r\n");
    let mut connection = server.connect();
    connection.send(host).unwrap();
    assert!(connection.read_to_end().len() < 2 << 10);
}

#[test]
fn a_list_of_errors_ends_with_the_number_of_the_others() {
    let server = Server::start();
    let post = |headers: &[(&str, &str)], body: String| {
        let answer = server.request("POST", "/v1/jobs", headers, body.as_bytes());
        assert_bounded(&answer, "a list of errors");
        answer
    };
    let job = invalid_headers(40_000);
    assert_omits(&post(&JSON, job.clone()), 39_900);
    // The same, with further problems beside it.
    assert_omits(&post(&JSON, job.replacen('{', "{\"priority\":1000,", 1)), 39_901);
    let same = vec!["\"A\":\"\""; 5_000].join(",");
    let payload = format!("{{\"url\":\"http://a\",\"headers\":{{{same}}}}}");
    assert_omits(&post(&JSON, format!("{{\"kind\":\"http\",\"payload\":{payload}}}")), 4_899);
    let args = vec!["\"\\u0000\""; 5_000].join(",");
    let payload = format!("{{\"name\":\"x\",\"args\":[{args}]}}");
    assert_omits(&post(&JSON, format!("{{\"kind\":\"command\",\"payload\":{payload}}}")), 4_901);
    // In a list of jobs, the check stops at the hundredth problem.
    let jobs = vec!["{\"kind\":\"nothing\"}"; 9_000];
    let answer = post(&LINES, jobs.join("\n"));
    assert_eq!(answer.json()["errors"].as_array().unwrap().len(), 100);
    let answer = server.get(&unknown_parameters(32_000));
    assert_bounded(&answer, "a query");
    assert_omits(&answer, 31_900);
}

/// Sends a request on a connection of its own, and returns the answer and how long it took.
fn timed(
    server: &Server,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> (Response, Duration) {
    let started = Instant::now();
    let answer = server.request("POST", path, headers, body);
    (answer, started.elapsed())
}

/// Path, headers and text of a request.
type Body<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str);

#[test]
fn the_worst_bodies_delay_no_other_request() {
    let server = Server::start();
    let odd = odd_priority(11_000_000);
    let keys: Vec<String> = (0..400_000).map(|number| format!("\"{number}\":1")).collect();
    let keys = keys.join(",");
    let many_keys = format!("{{\"kind\":\"echo\",\"payload\":{{{keys}}}}}");
    let key = [JSON[0], ("idempotency-key", "k")];
    let deep = format!("{{\"kind\":{}1", "[".repeat(10_000_000));
    let problems = format!("[{}]", vec!["{\"kind\":\"\"}"; 1_000_000].join(","));
    let bodies: [Body; 6] = [
        ("/v1/jobs", &JSON, &odd),
        ("/v1/jobs", &key, &many_keys),
        ("/v1/batches", &JSON, &format!("{{\"jobs\":[{{{keys}}}]}}")),
        ("/v1/jobs", &JSON, &deep),
        ("/v1/jobs", &JSON, &problems),
        ("/v1/leases/finish", &LINES, &"x\n".repeat(1_000_000)),
    ];
    let is_over = AtomicBool::new(false);
    let addr = server.addr();
    let longest = std::thread::scope(|scope| {
        let prober = scope.spawn(|| {
            let mut longest = Duration::ZERO;
            while !is_over.load(Ordering::Relaxed) {
                // A new connection may be served by any thread of the server.
                let mut connection = Connection::open(addr).unwrap();
                let started = Instant::now();
                let answer = connection.request("GET", "/healthz", &[], b"").unwrap();
                longest = longest.max(started.elapsed());
                assert_eq!(answer.status, 200);
            }
            longest
        });
        let clients = bodies.map(|(path, headers, body)| {
            let server = &server;
            let send = move || timed(server, path, headers, body.as_bytes());
            (path, body.chars().take(30).collect::<String>(), scope.spawn(send))
        });
        let answers = clients.map(|(path, start, client)| (path, start, client.join()));
        is_over.store(true, Ordering::Relaxed);
        for (path, start, answer) in answers {
            let (answer, took) = answer.unwrap();
            assert_bounded(&answer, &start);
            eprintln!(
                "A2: {path} {start:?}: {} after {took:?}, {} bytes",
                answer.status,
                answer.body.len()
            );
        }
        prober.join().unwrap()
    });
    eprintln!("A2: the longest time of healthz was {longest:?}");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
}

#[test]
fn a_list_that_is_far_too_long_is_counted_and_not_kept() {
    let server = Server::start();
    let before = peak_memory(&server) >> 20;
    let size = 30 << 20;
    let lists = |entry: &str| {
        let count = size / (entry.len() + 1);
        (format!("[{}]", vec![entry; count].join(",")), count)
    };
    let (jobs, count) = lists("{\"kind\":\"\"}");
    let expected = format!("must have 1 to 10000 jobs, but has {count}");
    let answer = server.request("POST", "/v1/jobs", &JSON, jobs.as_bytes());
    assert_eq!(answer.problem(422), expected);
    let batch = format!("{{\"jobs\":{jobs}}}");
    let answer = server.request("POST", "/v1/batches/1/jobs", &JSON, batch.as_bytes());
    assert_eq!(answer.problem(422), format!("/jobs: {expected}"));
    let answer = server.request("POST", "/v1/batches", &JSON, batch.as_bytes());
    assert_eq!(answer.problem(422), format!("/jobs: {}", expected.replace("1 to", "0 to")));
    let answer =
        server.request("POST", "/v1/jobs", &LINES, "{\"kind\":\"\"}\n".repeat(count).as_bytes());
    assert_eq!(answer.problem(422), expected);
    let (numbers, count) = lists("1");
    let answer = server.request("POST", "/v1/leases/finish", &JSON, numbers.as_bytes());
    let expected = format!("must have 1 to 10000 leases, but has {count}");
    assert_eq!(answer.problem(422), expected);
    let answer =
        server.request("POST", "/v1/leases/finish", &LINES, "1\n".repeat(count).as_bytes());
    assert_eq!(answer.problem(422), expected);
    let (tags, _) = lists("\"\"");
    let job = format!("{{\"kind\":\"echo\",\"tags\":{tags}}}");
    let answer = server.request("POST", "/v1/jobs", &JSON, job.as_bytes());
    assert_eq!(answer.problem(422), "/tags: must have at most 10 entries");
    for (path, field) in [("/v1/jobs/cancel", "ids"), ("/v1/leases", "queues")] {
        let body = format!("{{\"{field}\":{numbers}}}");
        server.request("POST", path, &JSON, body.as_bytes()).problem(413);
    }
    let after = peak_memory(&server) >> 20;
    eprintln!("A2: lists of 30 MiB took {} MiB", after - before);
    assert!(after - before < 200, "{before} MiB before, {after} MiB after");
}

#[test]
fn an_error_in_a_large_batch_has_its_position_in_the_body() {
    let server = Setup::new().start();
    let padding = " ".repeat(300_000);
    let body = format!(
        "{{\"name\": \"a\",{padding}\n\"jobs\": [{{\"kind\": \"echo\"}}, {{\"kind\": 1}}]}}"
    );
    let answer = server.request("POST", "/v1/batches", &JSON, body.as_bytes());
    let detail = answer.problem(422);
    assert!(detail.starts_with("/jobs/1/kind: invalid type: integer `1`"), "{detail}");
    assert!(detail.ends_with("at line 2 column 37"), "{detail}");
    let body = json!({"name": "x".repeat(300_000), "jobs": [{"kind": "echo"}]});
    assert!(server.post("/v1/batches", &body).problem(422).starts_with("/name: "));
    let body = json!({"jobs": [{"kind": "echo", "payload": "x".repeat(300_000)}]});
    let batch: Value = server.post("/v1/batches", &body).expect(202);
    assert_eq!(batch["jobs"]["total"].as_u64().or(batch["total"].as_u64()), Some(1), "{batch}");
}
