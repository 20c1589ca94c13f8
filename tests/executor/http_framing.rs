//! Where an answer begins and ends: no bytes of one answer may be taken for another.

use std::io::{Read, Write};
use std::time::Duration;

use longshore::config::{Config, ProviderConfig};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::kit::*;
use crate::server::*;

/// The pieces in which an answer is sent, and the pause before each but the first.
#[derive(Clone)]
struct Pieces {
    pieces: Vec<Vec<u8>>,
    pause: Duration,
    closes: bool,
}

fn at_once(answer: &str) -> Pieces {
    Pieces { pieces: vec![answer.into()], pause: Duration::ZERO, closes: false }
}

fn apart(pieces: &[&str], pause: Duration) -> Pieces {
    let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
    Pieces { pieces, pause, closes: false }
}

fn byte_by_byte(answer: &str) -> Pieces {
    let pieces = answer.bytes().map(|byte| vec![byte]).collect();
    Pieces { pieces, pause: Duration::from_millis(1), closes: false }
}

/// The same, and then the server closes the connection.
fn closing(pieces: Pieces) -> Pieces {
    Pieces { closes: true, ..pieces }
}

async fn send(connection: &mut Connection, answer: &Pieces) {
    for (place, piece) in answer.pieces.iter().enumerate() {
        if place > 0 {
            tokio::time::sleep(answer.pause).await;
        }
        connection.send(piece).await;
    }
}

/// A server that answers a request for `/odd` with `odd`, and any other with its own path.
async fn odd_server(odd: Pieces) -> (String, Seen) {
    let (seen, requests) = mpsc::unbounded_channel();
    let url = listen(move |mut connection| {
        let (seen, odd) = (seen.clone(), odd.clone());
        async move {
            while let Some(request) = connection.request().await {
                let path = request.line.split(' ').nth(1).unwrap().to_owned();
                let _ = seen.send((connection.number, request));
                if path == "/odd" {
                    send(&mut connection, &odd).await;
                    if odd.closes {
                        return;
                    }
                } else {
                    connection.send(json_answer(&format!("{path:?}"))).await;
                }
            }
        }
    })
    .await;
    (url, requests)
}

/// The result of a call with `method` that is answered with `odd`. The calls after it on the same
/// host must get the answers to what they asked.
async fn result_of(method: &str, odd: Pieces) -> Value {
    let (url, _seen) = odd_server(odd).await;
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

const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n";
const FOUND: &str = "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n[103]";

#[actix_web::test]
async fn an_interim_head_is_not_the_answer() {
    let both = format!("{HINTS}{FOUND}");
    let late = Duration::from_millis(250);
    for answer in [at_once(&both), apart(&[HINTS, FOUND], late), byte_by_byte(&both)] {
        let result = result_of("GET", answer).await;
        assert_eq!((&result["status"], &result["body"]), (&json!(200), &json!([103])));
        assert_eq!(result["headers"].get("link"), None);
    }
}

#[actix_web::test]
async fn many_interim_heads_are_not_the_answer() {
    let processing = "HTTP/1.1 102 Processing\r\n\r\n";
    let go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    let pause = Duration::from_millis(5);
    for before in [&[HINTS, HINTS][..], &[go_on], &[processing, go_on, HINTS, processing]] {
        let pieces = [before, &[FOUND]].concat();
        for answer in [at_once(&pieces.concat()), apart(&pieces, pause)] {
            assert_eq!(result_of("POST", answer).await["body"], json!([103]));
        }
    }
}

#[actix_web::test]
async fn a_refusal_after_an_interim_head_is_a_refusal() {
    let busy = "HTTP/1.1 503 Busy\r\ncontent-length: 4\r\n\r\nbusy";
    let (url, _seen) = odd_server(at_once(&format!("{HINTS}{busy}"))).await;
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
        for answer in
            [at_once(&whole), apart(&[&head, "all", " of it"], pause), byte_by_byte(&whole)]
        {
            let result = result_of("GET", closing(answer)).await;
            assert_eq!(result["body"], "all of it", "{headers}");
            assert_eq!(result.get("truncated"), None);
        }
        let answer = closing(at_once(&format!("{HINTS}{head}{long}")));
        assert_eq!(result_of("GET", answer).await["body"], long);
        assert_eq!(result_of("GET", closing(at_once(&head))).await["body"], Value::Null);
    }
}

#[actix_web::test]
async fn a_refusal_without_a_length_says_why() {
    let answer = "HTTP/1.1 400 Bad Request\r\n\r\nno such model";
    let (url, _seen) = odd_server(closing(at_once(answer))).await;
    let call = json!({"url": format!("{url}/odd")});
    let error = fatal(run(&registry(), "http", call).await);
    assert!(error.message.ends_with(": no such model"), "{}", error.message);
}

#[actix_web::test]
async fn an_answer_without_a_body_needs_no_end() {
    for headers in ["", "content-length: 5\r\n", "transfer-encoding: chunked\r\n"] {
        let answer = format!("HTTP/1.1 200 OK\r\n{headers}\r\n");
        assert_eq!(result_of("HEAD", at_once(&answer)).await["body"], Value::Null);
        let result = result_of("HEAD", at_once(&format!("{HINTS}{answer}"))).await;
        assert_eq!((&result["status"], &result["body"]), (&json!(200), &Value::Null));
        for method in ["GET", "DELETE"] {
            let answer = format!("HTTP/1.1 204 No Content\r\n{headers}\r\n");
            assert_eq!(result_of(method, at_once(&answer)).await["status"], 204);
        }
    }
    let reset = "HTTP/1.1 205 Reset Content\r\n\r\n";
    assert_eq!(result_of("POST", at_once(reset)).await["status"], 205);
    for length in ["", "content-length: 1000\r\n"] {
        let answer = format!("HTTP/1.1 304 Not Modified\r\n{length}\r\n");
        let (url, _seen) = odd_server(at_once(&answer)).await;
        let (registry, began) = (registry(), std::time::Instant::now());
        for (path, status) in [("/odd", None), ("/a", Some("/a")), ("/odd", None)] {
            let outcome = run(&registry, "http", json!({"url": format!("{url}{path}")})).await;
            match status {
                Some(body) => assert_eq!(completed(outcome)["body"], body),
                None => assert_eq!(fatal(outcome).code, "http_status"),
            }
        }
        assert!(began.elapsed() < Duration::from_secs(1), "it waited for a body");
    }
}

#[actix_web::test]
async fn what_follows_an_answer_unasked_reaches_no_other_job() {
    let second = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n\"unasked\"";
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                   2;a=b\r\n[1\r\n3\r\n03]\r\n0\r\nx-trailer: y\r\n\r\n";
    let upgrade = "HTTP/1.1 200 OK\r\nupgrade: websocket\r\ncontent-length: 5\r\n\r\n[103]";
    let (soon, later) = (Duration::from_millis(1), Duration::from_millis(5));
    for first in [FOUND, chunked, upgrade] {
        assert_eq!(result_of("GET", byte_by_byte(first)).await["body"], json!([103]));
        let (middle, end) = second.split_at(20);
        let whole = format!("{first}{second}");
        let split = format!("{first}{middle}");
        for answer in [at_once(&whole), apart(&[&split, end], soon), apart(&[&split, end], later)] {
            assert_eq!(result_of("GET", answer).await["body"], json!([103]));
        }
    }
}

#[actix_web::test]
async fn what_came_while_the_thread_was_busy_reaches_no_other_job() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (go, may_go) = std::sync::mpsc::channel();
    let (sent, has_sent) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let (mut first, _) = listener.accept().unwrap();
        assert!(first.read(&mut [0; 4096]).unwrap() > 0);
        first.write_all(&json_answer("1")).unwrap();
        may_go.recv().unwrap();
        first.write_all(&json_answer("\"unasked\"")).unwrap();
        sent.send(()).unwrap();
        let (mut second, _) = listener.accept().unwrap();
        assert!(second.read(&mut [0; 4096]).unwrap() > 0);
        second.write_all(&json_answer("2")).unwrap();
    });
    let registry = registry();
    let call = json!({"url": url});
    assert_eq!(completed(run(&registry, "http", call.clone()).await)["body"], 1);
    go.send(()).unwrap();
    // This thread looks for no events meanwhile.
    has_sent.recv().unwrap();
    assert_eq!(completed(run(&registry, "http", call).await)["body"], 2);
}

#[actix_web::test]
async fn a_connection_is_used_again_after_any_answer_with_an_end() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n";
    let empty = "HTTP/1.1 204 No Content\r\n\r\n";
    for answer in [FOUND, chunked, empty, &format!("{HINTS}{FOUND}")] {
        let (url, mut seen) = odd_server(byte_by_byte(answer)).await;
        let registry = registry();
        for path in ["/odd", "/a", "/odd", "/b"] {
            completed(run(&registry, "http", json!({"url": format!("{url}{path}")})).await);
            assert_eq!(soon(seen.recv()).await.unwrap().0, 0, "{answer}");
        }
    }
}

#[actix_web::test]
async fn a_head_without_end_is_given_up() {
    let url = listen(|mut connection| async move {
        connection.request().await;
        connection.send("HTTP/1.1 200 OK\r\nx: ").await;
        while connection.send("y".repeat(1_000)).await {}
    })
    .await;
    let error = retryable(run(&registry(), "http", json!({"url": url})).await);
    assert_eq!(error.code, "connection");
}

#[actix_web::test]
async fn a_head_that_breaks_off_is_tried_again() {
    for head in ["HTTP/1.1 200 OK\r\ncontent-le", HINTS] {
        let (url, _seen) = odd_server(closing(at_once(head))).await;
        let call = json!({"url": format!("{url}/odd")});
        assert_eq!(retryable(run(&registry(), "http", call).await).code, "connection");
    }
}

#[actix_web::test]
async fn a_model_server_may_send_hints_and_end_with_the_connection_but_must_say_something() {
    let answers = [
        (closing(at_once("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"a\": 1}")), true),
        (closing(at_once("HTTP/1.1 200 OK\r\n\r\n{\"a\": 1}")), true),
        (
            at_once(&format!("{HINTS}HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\n{{\"a\": 1}}")),
            true,
        ),
        (closing(at_once("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")), false),
        (closing(at_once("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"a\":")), false),
        (at_once("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull"), false),
        (at_once("HTTP/1.1 204 No Content\r\n\r\n"), false),
    ];
    for (answer, is_whole) in answers {
        let url = listen(move |mut connection| {
            let answer = answer.clone();
            async move {
                connection.request().await;
                send(&mut connection, &answer).await;
                if !answer.closes {
                    connection.closed().await;
                }
            }
        })
        .await;
        let provider = ProviderConfig {
            base_url: url,
            api_key_env: None,
            max_running: None,
            requests_per_minute: None,
        };
        let providers = [("model".to_owned(), provider)].into();
        let registry = registry_of(&Config { providers, ..Config::default() });
        let question = json!({"messages": [{"role": "user", "content": "x"}]});
        let outcome = run(&registry, "chat", question).await;
        if is_whole {
            assert_eq!(completed(outcome), json!({"a": 1}));
        } else {
            assert_eq!(retryable(outcome).code, "bad_answer");
        }
    }
}
