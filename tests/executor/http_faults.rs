//! `http` jobs: failures of the call and of the other server.

use std::cell::RefCell;
use std::time::Duration;

use longshore::executor::StopReason;
use longshore::job::outcome::Outcome;
use serde_json::json;
use tokio::sync::{mpsc, oneshot};

use crate::kit::*;
use crate::server::*;

async fn outcome_of(response: Vec<u8>) -> Outcome {
    let (url, _seen) = start_server(response).await;
    run(&registry(), "http", json!({"url": url})).await
}

/// Returns the outcome of a call to a server that handles its connections with `serve`.
async fn outcome_with<Fut>(
    serve: impl Fn(Connection) -> Fut + 'static,
    timeout: Duration,
) -> Outcome
where
    Fut: Future<Output = ()> + 'static,
{
    let url = listen(serve).await;
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
    let hung_up = outcome_with(
        |mut connection| async move {
            connection.request().await;
        },
        TEST_TIMEOUT,
    );
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
            move |mut connection| async move {
                connection.request().await;
                connection.send(format!("HTTP/1.1 200 OK\r\n{head}")).await;
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
    let slow_head =
        |mut connection: Connection| async move { connection.wait_until_closed().await };
    assert_eq!(retryable(outcome_with(slow_head, timeout).await).code, "timeout");
    let slow_body = |mut connection: Connection| async move {
        connection.request().await;
        connection.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await;
        // Sends a byte every 5 ms, so that no single wait is long.
        while connection.send("x").await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert_eq!(retryable(outcome_with(slow_body, timeout).await).code, "timeout");
}

#[actix_web::test]
async fn a_response_that_arrives_byte_by_byte_is_complete() {
    let by_bytes = |mut connection: Connection| async move {
        connection.request().await;
        for byte in json_response(r#"{"a": 1}"#) {
            connection.send([byte]).await;
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(completed(outcome_with(by_bytes, TEST_TIMEOUT).await)["body"], json!({"a": 1}));
}

#[actix_web::test]
async fn an_error_status_counts_even_if_its_body_never_ends() {
    let endless = |mut connection: Connection| async move {
        connection.request().await;
        connection.send("HTTP/1.1 503 Busy\r\ntransfer-encoding: chunked\r\n\r\n").await;
        while connection.send("1\r\nx\r\n").await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert_eq!(retryable(outcome_with(endless, TEST_TIMEOUT).await).code, "http_status");
}

/// Runs a call, stops it after the server has sent `head`, and waits until the server sees the end
/// of the connection.
async fn stop_a_call(head: &'static str, reason: StopReason) -> Outcome {
    let (arrived, mut has_arrived) = mpsc::unbounded_channel();
    let (closed, is_closed) = oneshot::channel();
    let closed = RefCell::new(Some(closed));
    let url = listen(move |mut connection| {
        let (arrived, closed) = (arrived.clone(), closed.borrow_mut().take());
        async move {
            connection.request().await;
            connection.send(head).await;
            arrived.send(()).unwrap();
            connection.wait_until_closed().await;
            closed.unwrap().send(()).unwrap();
        }
    })
    .await;
    let (attempt, control) = start(&registry(), "http", json!({"url": url}));
    soon(has_arrived.recv()).await.unwrap();
    control.stop(reason);
    let outcome = soon(attempt).await.unwrap();
    soon(is_closed).await.unwrap();
    outcome
}

#[actix_web::test]
async fn stopping_a_call_closes_its_connection() {
    let half = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n12345";
    assert_eq!(stop_a_call("", StopReason::Cancelled).await, Outcome::Cancelled);
    assert_eq!(stop_a_call(half, StopReason::Cancelled).await, Outcome::Cancelled);
    assert_eq!(stop_a_call(half, StopReason::Shutdown).await, Outcome::Released);
}

#[actix_web::test]
async fn a_connection_is_reused() {
    let (url, mut seen) = start_server(response("200 OK", "", "")).await;
    let registry = registry();
    for _ in 0..3 {
        completed(run(&registry, "http", json!({"url": url})).await);
        assert_eq!(soon(seen.recv()).await.unwrap().0, 0);
    }
}

#[actix_web::test]
async fn an_idle_connection_closed_by_the_server_causes_no_failure() {
    let (closed, mut has_closed) = mpsc::unbounded_channel();
    let url = listen(move |mut connection| {
        let closed = closed.clone();
        async move {
            connection.request().await;
            // The response has no `connection: close`, but the server closes the connection.
            connection.send(response("200 OK", "", "")).await;
            drop(connection);
            closed.send(()).unwrap();
        }
    })
    .await;
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
    let (go, may_go) = tokio::sync::watch::channel(false);
    let url = listen(move |mut connection| {
        let (arrived, mut may_go) = (arrived.clone(), may_go.clone());
        async move {
            connection.request().await;
            arrived.send(()).unwrap();
            may_go.wait_for(|go| *go).await.unwrap();
            connection.send(response("200 OK", "", "")).await;
        }
    })
    .await;
    let registry = registry();
    let attempts: Vec<_> =
        (0..CALLS).map(|_| start(&registry, "http", json!({"url": url}))).collect();
    for _ in 0..CALLS {
        soon(has_arrived.recv()).await.unwrap();
    }
    go.send_replace(true);
    for (attempt, _control) in attempts {
        completed(soon(attempt).await.unwrap());
    }
}

#[actix_web::test]
async fn a_key_that_the_server_repeats_is_not_in_the_message() {
    let body = "bad key s3cr3t-k3y, cookie crumbs-of-c00kie";
    let (url, _seen) = start_server(response("401 Unauthorized", "", body)).await;
    let headers = json!({"Authorization": "Bearer s3cr3t-k3y", "cookie": "a=crumbs-of-c00kie"});
    let error = fatal(run(&registry(), "http", json!({"url": url, "headers": headers})).await);
    assert!(error.message.contains("bad key"), "{}", error.message);
    for secret in ["s3cr3t", "crumbs"] {
        assert!(!error.message.contains(secret), "{}", error.message);
    }
}
