//! Programs, servers and handlers that never pause: a stop and other attempts of the thread come first.

use std::sync::Arc;
use std::time::{Duration, Instant};

use longshore::executor::{Context, Handler, HandlerError, StopReason};
use longshore::job::outcome::Outcome;
use serde_json::{Value, json};

use crate::command::{registry_with_command, script};
use crate::harness::*;
use crate::kit::http::Target;
use crate::server::listen;

/// Maximum time from a stop to the end of the attempt: ten times what is promised.
const MAX_STOP: Duration = Duration::from_secs(10);

/// Runs a future, and returns its result and the longest pause between two turns of another task of the
/// same thread.
async fn beside_a_neighbour<T>(work: impl Future<Output = T>) -> (T, Duration) {
    let mut last = Instant::now();
    let mut longest = Duration::ZERO;
    let neighbour = async {
        loop {
            tokio::task::yield_now().await;
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
    };
    tokio::select! {
        result = work => (result, longest),
        () = neighbour => unreachable!("the neighbour runs for ever"),
    }
}

#[actix_web::test]
async fn a_program_that_floods_its_log_is_stopped_at_its_deadline_and_delays_no_neighbour() {
    for flood in ["yes >&2", "yes", "yes '::progress 5 x' >&2", "tr '\\0' x < /dev/zero >&2"] {
        let registry = registry_with_command(script(flood));
        let timeout = Duration::from_millis(500);
        let started = Instant::now();
        let attempt = actix_rt::spawn(async move {
            run_within(&registry, "command", json!({"name": "run"}), timeout).await
        });
        let (outcome, pause) = beside_a_neighbour(attempt).await;
        let took = started.elapsed();
        assert_eq!(retryable(outcome.unwrap()).code, "timeout", "{flood}");
        assert!(took < timeout + MAX_STOP, "{flood}: stopped after {took:?}");
        assert!(pause < Duration::from_secs(2), "{flood}: the neighbour waited {pause:?}");
    }
}

#[actix_web::test]
async fn a_program_that_floods_its_log_is_cancelled() {
    let registry = registry_with_command(script("yes >&2"));
    let (attempt, control) = start(&registry, "command", json!({"name": "run"}));
    soon(control.wait_for_reports()).await;
    let cancelled_at = Instant::now();
    control.stop(StopReason::Cancelled);
    assert!(matches!(soon(attempt).await.unwrap(), Outcome::Cancelled(_)));
    assert!(cancelled_at.elapsed() < MAX_STOP, "cancelled after {:?}", cancelled_at.elapsed());
}

#[actix_web::test]
async fn a_handler_that_is_always_ready_is_stopped_at_its_deadline() {
    let semaphore = Arc::new(tokio::sync::Semaphore::new(1));
    let busy = move |_: Context, _: Value| {
        let semaphore = Arc::clone(&semaphore);
        async move {
            // Each step is ready at once, until tokio makes the task yield.
            while semaphore.acquire().await.is_ok() {}
            Ok::<(), HandlerError>(())
        }
    };
    let registry = registry_with(Handler::new(busy));
    let started = Instant::now();
    let outcome = run_within(&registry, "handler", Value::Null, Duration::from_millis(200)).await;
    assert_eq!(retryable(outcome).code, "timeout");
    assert!(started.elapsed() < MAX_STOP, "stopped after {:?}", started.elapsed());
}

/// Calls a server that sends `start` and then `piece` for ever. Returns the message of the failure.
async fn call_endless(start: &'static str, piece: &'static str) -> String {
    let url = Target::endless(start, piece).url("");
    let registry = registry();
    let call = actix_rt::spawn(async move {
        run_within(&registry, "http", json!({ "url": url }), Duration::from_secs(15)).await
    });
    let (outcome, pause) = beside_a_neighbour(call).await;
    assert!(pause < Duration::from_secs(2), "{piece:?}: the neighbour waited {pause:?}");
    let error = retryable(outcome.unwrap());
    assert_eq!(error.code, "connection", "{piece:?}: {}", error.message);
    error.message
}

#[actix_web::test]
async fn an_endless_number_of_interim_heads_is_refused() {
    for piece in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"]
    {
        let message = call_endless("", piece).await;
        assert!(message.contains("more than 100 interim (1xx) heads"), "{message}");
    }
}

#[actix_web::test]
async fn an_endless_head_is_refused() {
    let message = call_endless("HTTP/1.1 200 OK\r\n", "a: b\r\n").await;
    assert!(message.contains("not valid HTTP"), "{message}");
}

const CHUNKED: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
const AFTER_LAST_CHUNK: &str = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n";

#[actix_web::test]
async fn endless_chunk_extensions_and_trailers_are_refused() {
    for (start, piece) in [
        (CHUNKED, "1;a=b"),
        (CHUNKED, "000000"),
        (CHUNKED, "1;aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nx\r\n"),
        (AFTER_LAST_CHUNK, "name: value\r\n"),
        (AFTER_LAST_CHUNK, "name: value"),
    ] {
        call_endless(start, piece).await;
    }
}

#[actix_web::test]
async fn a_response_of_very_small_chunks_is_read_and_delays_no_neighbour() {
    let url = listen(move |caller, _| {
        let chunks = "1\r\nx\r\n".repeat(200_000);
        caller.send(format!("{CHUNKED}{chunks}0\r\n\r\n"));
    });
    let registry = registry();
    let call = actix_rt::spawn(async move { run(&registry, "http", json!({ "url": url })).await });
    let (outcome, pause) = beside_a_neighbour(call).await;
    assert_eq!(completed(outcome.unwrap())["body"].as_str().map(str::len), Some(200_000));
    assert!(pause < Duration::from_secs(2), "the neighbour waited {pause:?}");
}
