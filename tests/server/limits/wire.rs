//! Malformed, slow and unusual requests at the level of bytes.

use std::time::{Duration, Instant};

use crate::kit::{Connection, Server, Setup, echo, eventually};

/// Sends a text and returns all bytes that arrive until the server closes the connection.
fn exchange(server: &Server, text: &str) -> String {
    let mut connection = server.connect();
    connection.send(text.replace("HOST", &server.addr().to_string())).unwrap();
    String::from_utf8_lossy(&connection.read_to_end()).into_owned()
}

#[test]
fn a_request_with_an_ambiguous_length_is_refused_and_its_connection_closed() {
    let mut server = Server::start();
    let body = echo(1).to_string();
    let length = body.len();
    let head = "POST /v1/jobs HTTP/1.1\r\nhost: HOST\r\ncontent-type: application/json\r\n";
    let ambiguous = [
        format!(
            "content-length: {length}\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        ),
        format!(
            "transfer-encoding: chunked\r\ncontent-length: {length}\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
        ),
        format!("content-length: {length}\r\ncontent-length: 5\r\n\r\n{body}"),
        format!("content-length: {length}\r\ncontent-length: {length}\r\n\r\n{body}"),
        format!("content-length: {length}, {length}\r\n\r\n{body}"),
        format!("content-length: +{length}\r\n\r\n{body}"),
        format!("content-length: -1\r\n\r\n{body}"),
        format!("transfer-encoding: gzip, chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
        format!("transfer-encoding: chunked, chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"),
    ];
    for rest in ambiguous {
        let answer = exchange(&server, &format!("{head}{rest}"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{rest}: {answer}");
    }
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"], serde_json::json!([]));
    server.assert_healthy();
}

#[test]
fn malformed_http_is_not_logged_as_an_error() {
    // An empty value means the default.
    let mut server = Setup::new().env("LONGSHORE_LOG", "").start();
    for noise in ["\u{16}\u{3}\u{1}", "GET / HTTP/9.9\r\n\r\n", "nonsense\r\n\r\n"] {
        exchange(&server, noise);
    }
    server.assert_healthy();
    eventually("the log is read", || server.log().contains("serving").then_some(()));
    let log = server.log();
    assert!(!log.contains("ERROR"), "{log}");
}

#[test]
fn malformed_chunks_submit_no_job() {
    let server = Server::start();
    let head = "POST /v1/jobs HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let malformed =
        ["x\r\n{}\r\n0\r\n\r\n", "-1\r\n", "fffffffffffffffff\r\n{}", "2\r\n{}}}\r\n0\r\n\r\n"];
    for rest in malformed {
        let answer = exchange(&server, &format!("{head}{rest}"));
        assert!(answer.starts_with("HTTP/1.1 400"), "{rest}: {answer}");
    }
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"], serde_json::json!([]));
}

#[test]
fn a_chunked_body_is_read() {
    let server = Server::start();
    let head = "POST /v1/jobs HTTP/1.1\r\nhost: HOST\r\nconnection: close\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n";
    let answer =
        exchange(&server, &format!("{head}8\r\n{{\"kind\":\r\n7\r\n\"echo\"}}\r\n0\r\n\r\n"));
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

#[test]
fn malformed_requests_are_refused() {
    let mut server = Server::start();
    let header =
        format!("GET /healthz HTTP/1.1\r\nhost: HOST\r\nx: {}\r\n\r\n", "y".repeat(200_000));
    for text in ["\0\0\0\0\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", &header] {
        let answer = exchange(&server, text);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    server.assert_healthy();
}

#[test]
fn a_request_head_that_is_sent_too_slowly_is_cut_off() {
    let server = Server::start();
    let started = Instant::now();
    let mut slow: Vec<Connection> = (0..20).map(|_| server.connect()).collect();
    for connection in &mut slow {
        connection.send("GET /healthz HTTP/1.1\r\nhost: localhost\r\n").unwrap();
    }
    // Other requests are answered meanwhile.
    assert_eq!(server.get("/healthz").status, 200);
    for connection in &mut slow {
        let answer = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Server::start();
    let mut connection = server.connect();
    let host = server.addr();
    let texts = ["/healthz", "/nowhere", "/readyz"];
    let texts = texts.map(|path| format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n"));
    connection.send(texts.concat()).unwrap();
    let statuses: Vec<u16> = (0..3).map(|_| connection.answer().unwrap().status).collect();
    assert_eq!(statuses, [200, 404, 200]);
}

#[test]
fn the_body_of_a_refused_request_is_never_read_as_a_request() {
    let server = Server::start();
    let inner = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: {0}\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n{{\"kind\":\"echo\"}}",
        server.addr()
    );
    let head = |kind: &str| {
        let length = inner.len();
        format!("POST {kind}\r\nhost: localhost\r\ncontent-length: {length}\r\n\r\n")
    };
    let refused = [
        head("/v1/jobs HTTP/1.1\r\ncontent-type: text/plain"),
        head("/v1/jobs HTTP/1.1\r\ncontent-type: application/json\r\norigin: http://evil.example"),
        head("/nowhere HTTP/1.1"),
        head("/healthz HTTP/1.1"),
        head("/v1/jobs/1/cancel HTTP/1.1"),
    ];
    for head in refused {
        let mut connection = server.connect();
        connection.send(&head).unwrap();
        assert!(connection.answer().unwrap().status >= 400);
        // The body is sent only after its request was refused. The server may have closed the
        // connection by then.
        let _ = connection.send(&inner);
        let _ = connection
            .send("GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
        let rest = String::from_utf8_lossy(&connection.read_to_end()).into_owned();
        assert!(!rest.contains("HTTP/1.1 202"), "{head}: {rest}");
    }
    assert_eq!(server.get("/v1/jobs").expect(200)["jobs"], serde_json::json!([]));
}

#[test]
fn a_client_that_expects_100_continue_gets_it() {
    let server = Server::start();
    let mut connection = server.connect();
    let head = format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: {}\r\nexpect: 100-continue\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n",
        server.addr()
    );
    connection.send(head).unwrap();
    assert_eq!(connection.answer().unwrap().status, 100);
    connection.send("{\"kind\":\"echo\"}").unwrap();
    assert_eq!(connection.answer().unwrap().status, 202);
}
