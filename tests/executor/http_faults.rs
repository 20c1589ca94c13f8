//! `http` jobs: failures of the call and of the other server.

use std::thread::sleep;
use std::time::Duration;

use longshore::executor::StopReason;
use longshore::job::outcome::Outcome;
use serde_json::json;
use tokio::sync::mpsc;

use crate::harness::*;
use crate::kit::http::{OpenReply, Request, gate, json_response, response};
use crate::server::*;

async fn outcome_of(response: Vec<u8>) -> Outcome {
    let (url, _seen) = start_server(response);
    run(&registry(), "http", json!({"url": url})).await
}

/// Returns the outcome of a call to a server that handles its requests with `serve`.
async fn outcome_with(
    serve: impl Fn(&mut OpenReply, Request) + Send + Sync + 'static,
    timeout: Duration,
) -> Outcome {
    let url = listen(serve);
    run_within(&registry(), "http", json!({"url": url}), timeout).await
}

#[actix_web::test]
async fn temporary_statuses_are_retried_and_others_are_not() {
    for status in ["408 X", "425 X", "429 X", "500 X", "502 X", "503 X", "504 X", "599 X"] {
        let error = retryable(outcome_of(response(status, "", "busy\r\n  now")).await);
        assert_eq!(error.code, "http_status");
        assert!(error.message.contains(&status[..3]), "{}", error.message);
        assert!(error.message.ends_with(": busy now"), "{}", error.message);
    }
    for status in ["300 X", "304 X", "400 X", "401 X", "403 X", "404 X", "409 X", "422 X"] {
        assert_eq!(fatal(outcome_of(response(status, "", "")).await).code, "http_status");
    }
}

#[actix_web::test]
async fn retry_after_sets_the_pause_before_the_next_attempt() {
    let busy = |header: &str| outcome_of(response("429 Too Many Requests", header, ""));
    assert_eq!(retry_in(&busy("retry-after: 7\r\n").await), Some(Duration::from_secs(7)));
    assert_eq!(retry_in(&busy("retry-after-ms: 250\r\n").await), Some(Duration::from_millis(250)));
    assert_eq!(retry_in(&busy("").await), None);
    let soon = httpdate::fmt_http_date(std::time::UNIX_EPOCH + Duration::from_secs(4_000_000_000));
    let pause = retry_in(&busy(&format!("retry-after: {soon}\r\n")).await).unwrap();
    assert!(pause > Duration::from_secs(24 * 3600), "{pause:?}");
    let refused = outcome_of(response("400 Bad Request", "retry-after: 7\r\n", "")).await;
    assert_eq!(retry_in(&refused), None);
}

#[actix_web::test]
async fn a_redirect_is_not_followed_and_the_message_names_its_target() {
    let headers = "location: http://127.0.0.1:1/elsewhere\r\n";
    let error = fatal(outcome_of(response("302 Found", headers, "")).await);
    assert!(error.message.contains("http://127.0.0.1:1/elsewhere"), "{}", error.message);
}

#[actix_web::test]
async fn a_closed_or_refused_connection_is_retried() {
    let hung_up = outcome_with(|caller, _| caller.disconnect(), TEST_TIMEOUT);
    let error = retryable(hung_up.await);
    assert_eq!(error.code, "connection");
    assert!(error.message.contains("before it answered"), "{}", error.message);

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}/?key=in-the-url");
    let error = retryable(run(&registry(), "http", json!({"url": url})).await);
    assert_eq!(error.code, "connection");
    assert!(error.message.contains("refused"), "{}", error.message);
    assert!(!error.message.contains("in-the-url"), "{}", error.message);
}

#[actix_web::test]
async fn a_response_that_is_not_http_or_has_a_too_long_head_is_retried() {
    assert_eq!(retryable(outcome_of(b"hello\r\n\r\n".to_vec()).await).code, "connection");
    let headers = "x: y\r\n".repeat(5_000);
    assert_eq!(retryable(outcome_of(response("200 OK", &headers, "")).await).code, "connection");
}

#[actix_web::test]
async fn an_incomplete_response_is_not_a_result() {
    for head in ["content-length: 10\r\n\r\n12345", "transfer-encoding: chunked\r\n\r\na\r\n12345"]
    {
        let broken_off = outcome_with(
            move |caller, _| {
                caller.send(format!("HTTP/1.1 200 OK\r\n{head}"));
                caller.disconnect();
            },
            TEST_TIMEOUT,
        );
        let error = retryable(broken_off.await);
        assert_eq!(error.code, "connection", "{head}");
        assert!(error.message.contains("is incomplete"), "{}", error.message);
    }
}

#[actix_web::test]
async fn one_deadline_covers_head_and_body() {
    let timeout = Duration::from_millis(100);
    let slow_head = |caller: &mut OpenReply, _| caller.wait_until_closed();
    assert_eq!(retryable(outcome_with(slow_head, timeout).await).code, "timeout");
    let slow_body = |caller: &mut OpenReply, _| {
        caller.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n");
        // Sends a byte every 5 ms, so that no single wait is long.
        while caller.send("x") {
            sleep(Duration::from_millis(5));
        }
    };
    assert_eq!(retryable(outcome_with(slow_body, timeout).await).code, "timeout");
}

#[actix_web::test]
async fn a_response_that_arrives_byte_by_byte_is_complete() {
    let by_bytes = |caller: &mut OpenReply, _| {
        for byte in json_response(r#"{"a": 1}"#) {
            caller.send([byte]);
            std::thread::yield_now();
        }
    };
    assert_eq!(completed(outcome_with(by_bytes, TEST_TIMEOUT).await)["body"], json!({"a": 1}));
}

#[actix_web::test]
async fn an_error_status_counts_even_if_its_body_never_ends() {
    let endless = |caller: &mut OpenReply, _| {
        caller.send("HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n");
        while caller.send("1\r\nx\r\n") {
            sleep(Duration::from_millis(5));
        }
    };
    assert_eq!(retryable(outcome_with(endless, TEST_TIMEOUT).await).code, "http_status");
}

/// Runs a call, stops it after the server has sent `head`, and waits until the server sees the end
/// of the connection.
async fn stop_a_call(head: &'static str, reason: StopReason) -> Outcome {
    let (arrived, mut has_arrived) = mpsc::unbounded_channel();
    let (closed, mut is_closed) = mpsc::unbounded_channel();
    let url = listen(move |caller, _| {
        caller.send(head);
        arrived.send(()).unwrap();
        caller.wait_until_closed();
        closed.send(()).unwrap();
    });
    let (attempt, control) = start(&registry(), "http", json!({"url": url}));
    soon(has_arrived.recv()).await.unwrap();
    control.stop(reason);
    let outcome = soon(attempt).await.unwrap();
    soon(is_closed.recv()).await.unwrap();
    outcome
}

#[actix_web::test]
async fn stopping_a_call_closes_its_connection() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345";
    assert_eq!(stop_a_call("", StopReason::Cancelled).await, Outcome::Cancelled(None));
    let cancelled = stop_a_call(half, StopReason::Cancelled).await;
    assert!(matches!(cancelled, Outcome::Cancelled(_)), "{cancelled:?}");
    assert_eq!(stop_a_call(half, StopReason::Shutdown).await, Outcome::Released);
}

#[actix_web::test]
async fn a_connection_is_reused() {
    let (url, mut seen) = start_server(response("200 OK", "", ""));
    let registry = registry();
    for _ in 0..3 {
        completed(run(&registry, "http", json!({"url": url})).await);
        assert_eq!(soon(seen.recv()).await.unwrap().0, 0);
    }
}

#[actix_web::test]
async fn an_idle_connection_closed_by_the_server_causes_no_failure() {
    let (closed, mut has_closed) = mpsc::unbounded_channel();
    let url = listen(move |caller, _| {
        // The response has no `connection: close`, but the server closes the connection.
        caller.answer("200 OK", "", "");
        caller.disconnect();
        closed.send(()).unwrap();
    });
    let registry = registry();
    for _ in 0..20 {
        completed(run(&registry, "http", json!({"url": url, "body": 1})).await);
        soon(has_closed.recv()).await.unwrap();
    }
}

#[actix_web::test]
async fn hundreds_of_calls_run_at_once_on_one_thread() {
    const CALLS: usize = 500;
    let (arrived, mut has_arrived) = mpsc::unbounded_channel();
    let (go, may_go) = gate();
    let url = listen(move |caller, _| {
        arrived.send(()).unwrap();
        may_go.wait();
        caller.answer("200 OK", "", "");
    });
    let registry = registry();
    let attempts: Vec<_> =
        (0..CALLS).map(|_| start(&registry, "http", json!({"url": url}))).collect();
    for _ in 0..CALLS {
        soon(has_arrived.recv()).await.unwrap();
    }
    drop(go);
    for (attempt, _control) in attempts {
        completed(soon(attempt).await.unwrap());
    }
}

#[actix_web::test]
async fn a_key_that_the_server_repeats_is_not_in_the_message() {
    let body = "bad key s3cr3t-k3y, cookie crumbs-of-c00kie";
    let (url, _seen) = start_server(response("401 Unauthorized", "", body));
    let headers = json!({"Authorization": "Bearer s3cr3t-k3y", "cookie": "a=crumbs-of-c00kie"});
    let error = fatal(run(&registry(), "http", json!({"url": url, "headers": headers})).await);
    assert!(error.message.contains("bad key"), "{}", error.message);
    for secret in ["s3cr3t", "crumbs"] {
        assert!(!error.message.contains(secret), "{}", error.message);
    }
}
