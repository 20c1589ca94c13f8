//! The framing of responses: no bytes of one response may be read as part of another.

use std::time::Duration;

use longshore::job::outcome::Outcome;
use serde_json::{Value, json};

use crate::harness::*;
use crate::kit::http::{OpenReply, gate, json_response};
use crate::server::*;

/// A response that is sent in pieces, with a pause before each piece except the first.
#[derive(Clone)]
struct SplitResponse {
    pieces: Vec<Vec<u8>>,
    pause: Duration,
    closes: bool,
}

fn at_once(response: &str) -> SplitResponse {
    SplitResponse { pieces: vec![response.into()], pause: Duration::ZERO, closes: false }
}

fn apart(pieces: &[&str], pause: Duration) -> SplitResponse {
    let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
    SplitResponse { pieces, pause, closes: false }
}

fn byte_by_byte(response: &str) -> SplitResponse {
    let pieces = response.bytes().map(|byte| vec![byte]).collect();
    SplitResponse { pieces, pause: Duration::from_millis(1), closes: false }
}

/// Returns the same response, after which the server closes the connection.
fn closing(pieces: SplitResponse) -> SplitResponse {
    SplitResponse { closes: true, ..pieces }
}

/// Sends the response, and closes the connection after it if it says so.
fn send(caller: &mut OpenReply, response: &SplitResponse) {
    for (index, piece) in response.pieces.iter().enumerate() {
        if index > 0 {
            std::thread::sleep(response.pause);
        }
        caller.send(piece);
    }
    if response.closes {
        caller.disconnect();
    }
}

/// Starts a server that responds to a request for `/odd` with `odd`, and to any other request with
/// its path.
fn start_odd_server(odd: SplitResponse) -> (String, SeenRequests) {
    listen_and_record(move |caller, request| match request.path.as_str() {
        "/odd" => send(caller, &odd),
        path => drop(caller.send(json_response(&format!("{path:?}")))),
    })
}

/// Returns the result of a call with `method` whose response is `odd`. Checks that later calls to
/// the same host get their own responses.
async fn result_of(method: &str, odd: SplitResponse) -> Value {
    let (url, _seen) = start_odd_server(odd);
    let registry = registry();
    let call = |path: &str| json!({"url": format!("{url}{path}"), "method": method});
    let result = completed(run(&registry, "http", call("/odd")).await);
    for path in ["/a", "/b", "/c"] {
        let next = json!({"url": format!("{url}{path}")});
        assert_eq!(completed(run(&registry, "http", next).await)["body"], path);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    result
}

const EARLY_HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";
const OK_RESPONSE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n[103]";

#[actix_web::test]
async fn an_interim_head_is_not_the_response() {
    let both = format!("{EARLY_HINTS}{OK_RESPONSE}");
    let late = Duration::from_millis(250);
    for response in [at_once(&both), apart(&[EARLY_HINTS, OK_RESPONSE], late), byte_by_byte(&both)]
    {
        let result = result_of("GET", response).await;
        assert_eq!((&result["status"], &result["body"]), (&json!(200), &json!([103])));
        assert_eq!(result["headers"].get("link"), None);
    }
}

#[actix_web::test]
async fn several_interim_heads_are_not_the_response() {
    let processing = "HTTP/1.1 102 Processing\r\n\r\n";
    let proceed = "HTTP/1.1 100 Continue\r\n\r\n";
    let pause = Duration::from_millis(5);
    for before in [
        &[EARLY_HINTS, EARLY_HINTS][..],
        &[proceed],
        &[processing, proceed, EARLY_HINTS, processing],
    ] {
        let pieces = [before, &[OK_RESPONSE]].concat();
        for response in [at_once(&pieces.concat()), apart(&pieces, pause)] {
            assert_eq!(result_of("POST", response).await["body"], json!([103]));
        }
    }
}

#[actix_web::test]
async fn an_error_status_after_an_interim_head_counts() {
    let busy = "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy";
    let (url, _seen) = start_odd_server(at_once(&format!("{EARLY_HINTS}{busy}")));
    let registry = registry();
    for _ in 0..3 {
        let call = json!({"url": format!("{url}/odd"), "body": 1});
        assert_eq!(retryable(run(&registry, "http", call).await).code, "http_status");
    }
}

#[actix_web::test]
async fn a_body_without_a_length_ends_with_its_connection() {
    let long = "x".repeat(100_000);
    for headers in ["", "connection: close\r\n", "transfer-encoding: identity\r\n"] {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n{headers}\r\n");
        let whole = format!("{head}all of it");
        let pause = Duration::from_millis(20);
        for response in
            [at_once(&whole), apart(&[&head, "all", " of it"], pause), byte_by_byte(&whole)]
        {
            let result = result_of("GET", closing(response)).await;
            assert_eq!(result["body"], "all of it", "{headers}");
            assert_eq!(result.get("truncated"), None);
        }
        let response = closing(at_once(&format!("{EARLY_HINTS}{head}{long}")));
        assert_eq!(result_of("GET", response).await["body"], long);
        assert_eq!(result_of("GET", closing(at_once(&head))).await["body"], Value::Null);
    }
}

#[actix_web::test]
async fn an_error_body_without_a_length_is_in_the_message() {
    let response = "HTTP/1.1 400 Bad Request\r\n\r\nno such model";
    let (url, _seen) = start_odd_server(closing(at_once(response)));
    let call = json!({"url": format!("{url}/odd")});
    let error = fatal(run(&registry(), "http", call).await);
    assert!(error.message.ends_with(": no such model"), "{}", error.message);
}

#[actix_web::test]
async fn a_response_without_a_body_ends_with_its_head() {
    for headers in ["", "content-length: 5\r\n", "transfer-encoding: chunked\r\n"] {
        let response = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
        assert_eq!(result_of("HEAD", at_once(&response)).await["body"], Value::Null);
        let result = result_of("HEAD", at_once(&format!("{EARLY_HINTS}{response}"))).await;
        assert_eq!((&result["status"], &result["body"]), (&json!(200), &Value::Null));
        for method in ["GET", "DELETE"] {
            let response = format!("HTTP/1.1 204 No Content\r\n{headers}\r\n");
            assert_eq!(result_of(method, at_once(&response)).await["status"], 204);
        }
    }
    let reset = "HTTP/1.1 205 Reset Content\r\n\r\n";
    assert_eq!(result_of("POST", at_once(reset)).await["status"], 205);
    for length in ["", "content-length: 1000\r\n"] {
        let response = format!("HTTP/1.1 304 Not Modified\r\n{length}\r\n");
        let (url, _seen) = start_odd_server(at_once(&response));
        let (registry, started_at) = (registry(), std::time::Instant::now());
        for (path, status) in [("/odd", None), ("/a", Some("/a")), ("/odd", None)] {
            let outcome = run(&registry, "http", json!({"url": format!("{url}{path}")})).await;
            match status {
                Some(body) => assert_eq!(completed(outcome)["body"], body),
                None => assert_eq!(fatal(outcome).code, "http_status"),
            }
        }
        assert!(started_at.elapsed() < Duration::from_secs(1), "the call waited for a body");
    }
}

#[actix_web::test]
async fn bytes_after_a_response_never_reach_another_job() {
    let second = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\"unasked\"";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                   2;a=b\r\n[1\r\n3\r\n03]\r\n0\r\nx-trailer: y\r\n\r\n";
    let upgrade = "HTTP/1.1 200 OK\r\nupgrade: websocket\r\ncontent-length: 5\r\n\r\n[103]";
    let (soon, later) = (Duration::from_millis(1), Duration::from_millis(5));
    for first in [OK_RESPONSE, chunked, upgrade] {
        assert_eq!(result_of("GET", byte_by_byte(first)).await["body"], json!([103]));
        let (middle, end) = second.split_at(20);
        let whole = format!("{first}{second}");
        let split = format!("{first}{middle}");
        for response in [at_once(&whole), apart(&[&split, end], soon), apart(&[&split, end], later)]
        {
            assert_eq!(result_of("GET", response).await["body"], json!([103]));
        }
    }
}

#[actix_web::test]
async fn bytes_received_while_the_thread_was_busy_never_reach_another_job() {
    let (go, may_go) = gate();
    let (sent, has_sent) = std::sync::mpsc::channel();
    let url = listen(move |caller, _| {
        if caller.number == 0 {
            caller.send(json_response("1"));
            may_go.wait();
            caller.send(json_response("\"unasked\""));
            sent.send(()).unwrap();
        } else {
            caller.send(json_response("2"));
        }
    });
    let registry = registry();
    let call = json!({"url": url});
    assert_eq!(completed(run(&registry, "http", call.clone()).await)["body"], 1);
    drop(go);
    // This blocks the thread, so its event loop does not see the bytes that arrive.
    has_sent.recv().unwrap();
    assert_eq!(completed(run(&registry, "http", call).await)["body"], 2);
}

#[actix_web::test]
async fn a_connection_is_reused_after_any_response_with_a_known_end() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let empty = "HTTP/1.1 204 No Content\r\n\r\n";
    for response in [OK_RESPONSE, chunked, empty, &format!("{EARLY_HINTS}{OK_RESPONSE}")] {
        let (url, mut seen) = start_odd_server(byte_by_byte(response));
        let registry = registry();
        for path in ["/odd", "/a", "/odd", "/b"] {
            completed(run(&registry, "http", json!({"url": format!("{url}{path}")})).await);
            assert_eq!(soon(seen.recv()).await.unwrap().0, 0, "{response}");
        }
    }
}

#[actix_web::test]
async fn a_head_without_an_end_fails_the_call() {
    let url = listen(|caller, _| {
        caller.send("HTTP/1.1 200 OK\r\nx: ");
        while caller.send("y".repeat(1_000)) {}
    });
    let error = retryable(run(&registry(), "http", json!({"url": url})).await);
    assert_eq!(error.code, "connection");
}

#[actix_web::test]
async fn an_incomplete_head_is_retried() {
    for head in ["HTTP/1.1 200 OK\r\ncontent-le", EARLY_HINTS] {
        let (url, _seen) = start_odd_server(closing(at_once(head)));
        let call = json!({"url": format!("{url}/odd")});
        assert_eq!(retryable(run(&registry(), "http", call).await).code, "connection");
    }
}

#[actix_web::test]
async fn a_chat_response_may_have_interim_heads_or_no_length_but_must_have_content() {
    const ANSWER: &str = r#"{"choices": [1]}"#;
    let length = ANSWER.len();
    let complete = [
        closing(at_once(&format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{ANSWER}"))),
        closing(at_once(&format!("HTTP/1.1 200 OK\r\n\r\n{ANSWER}"))),
        at_once(&format!(
            "{EARLY_HINTS}HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{ANSWER}"
        )),
    ];
    for response in complete {
        assert_eq!(completed(chat_outcome(response).await), json!({"choices": [1]}));
    }
    // Without a length, the connection may have broken off.
    let broken_off = [
        closing(at_once("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")),
        closing(at_once("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"a\":")),
    ];
    for response in broken_off {
        assert_eq!(retryable(chat_outcome(response).await).code, "connection");
    }
    let null = at_once("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull");
    assert_eq!(retryable(chat_outcome(null).await).code, "bad_answer");
    let none = at_once("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(fatal(chat_outcome(none).await).code, "bad_answer");
}

async fn chat_outcome(response: SplitResponse) -> Outcome {
    let url = listen(move |caller, _| send(caller, &response));
    ask(&url).await
}
