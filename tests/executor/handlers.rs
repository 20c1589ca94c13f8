//! Handlers: functions of the application that run jobs.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use longshore::executor::{Context, Executor, Handler, HandlerError, StopReason};
use longshore::job::Json;
use longshore::job::outcome::Outcome;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::harness::*;

#[derive(Deserialize)]
struct Sum {
    terms: Vec<i64>,
}

#[derive(Serialize)]
struct Total {
    total: i64,
    attempt: u32,
}

async fn add(context: Context, sum: Sum) -> Result<Total, HandlerError> {
    // `Rc` makes the future `!Send`, which is allowed, because a handler stays on its thread.
    let terms = Rc::new(sum.terms);
    tokio::task::yield_now().await;
    Ok(Total { total: terms.iter().sum(), attempt: context.attempt() })
}

#[actix_web::test]
async fn an_async_handler_takes_and_returns_its_own_types() {
    let registry = registry_with(Handler::new(add));
    let outcome = run(&registry, "handler", json!({"terms": [1, 2, 39]})).await;
    assert_eq!(completed(outcome), json!({"total": 42, "attempt": 2}));
}

#[test]
fn a_blocking_handler_takes_and_returns_its_own_types() {
    let registry = registry_with(Handler::blocking(|context: Context, sum: Sum| {
        assert_eq!((context.job().0, context.max_attempts()), (7, 5));
        Ok(sum.terms.len())
    }));
    let (outcome, _) = run_blocking(&registry, json!({"terms": [1, 2]}), TEST_TIMEOUT);
    assert_eq!(completed(outcome), json!(2));
}

#[actix_web::test]
async fn a_payload_of_the_wrong_type_fails_at_once_with_a_pointer() {
    let registry = registry_with(Handler::new(add));
    let error = fatal(run(&registry, "handler", json!({"terms": [1, "x"]})).await);
    assert_eq!(error.code, "bad_payload");
    assert!(error.message.starts_with("/terms/1: invalid type"), "{}", error.message);
}

#[actix_web::test]
async fn a_result_that_is_not_json_fails_at_once() {
    let registry = registry_with(Handler::new(async |_, (): ()| {
        Ok::<_, HandlerError>(HashMap::from([((1, 2), 3)]))
    }));
    assert_eq!(fatal(run(&registry, "handler", json!(null)).await).code, "bad_result");
}

#[actix_web::test]
async fn any_error_converts_with_the_question_mark_operator() {
    let registry = registry_with(Handler::new(async |_, path: String| {
        Ok::<_, HandlerError>(std::fs::read_to_string(path)?)
    }));
    let error = retryable(run(&registry, "handler", json!("/nowhere/at/all")).await);
    assert_eq!(error.code, HandlerError::CODE);
    assert!(error.message.contains("No such file"), "{}", error.message);
}

#[actix_web::test]
async fn a_handler_decides_whether_and_when_to_retry() {
    let registry = registry_with(Handler::new(async |_, is_retryable: bool| {
        let error = if is_retryable {
            HandlerError::retryable("busy").retry_in(Duration::from_secs(9))
        } else {
            HandlerError::fatal("no such user")
        };
        Err::<(), _>(error.code("users"))
    }));
    let busy = run(&registry, "handler", json!(true)).await;
    assert_eq!(retry_in(&busy), Some(Duration::from_secs(9)));
    assert_eq!(retryable(busy).code, "users");
    let fatal_error = fatal(run(&registry, "handler", json!(false)).await);
    assert_eq!(
        (fatal_error.code.as_str(), fatal_error.message.as_str()),
        ("users", "no such user")
    );
}

#[actix_web::test]
async fn an_attempt_that_does_not_count_is_deferred_unless_its_failure_is_fatal() {
    let registry = registry_with(Handler::new(async |_, case: u8| {
        let busy = HandlerError::retryable("the printer is full").code("printer").not_counted();
        Err::<(), _>(match case {
            0 => busy,
            1 => busy.retry_in(Duration::from_secs(9)),
            _ => HandlerError::fatal("no such printer").not_counted(),
        })
    }));
    for (case, pause) in [(0, 1), (1, 9)] {
        match run(&registry, "handler", json!(case)).await {
            Outcome::Deferred(deferral) => {
                assert_eq!(deferral.retry_in.duration(), Duration::from_secs(pause));
                assert_eq!(deferral.error.code, "printer");
                assert!(!deferral.is_of_provider);
            }
            other => panic!("not deferred: {other:?}"),
        }
    }
    fatal(run(&registry, "handler", json!(2)).await);
}

fn explode(early: bool) -> impl Future<Output = Result<(), HandlerError>> {
    assert!(!early, "in the function");
    async { panic!("in the {}", "future") }
}

#[actix_web::test]
async fn a_panic_fails_the_attempt_and_nothing_else() {
    let registry = registry_with(Handler::new(|_, early: bool| explode(early)));
    for (early, message) in [(true, "in the function"), (false, "in the future")] {
        let error = retryable(run(&registry, "handler", json!(early)).await);
        assert_eq!(error.code, "panic");
        assert!(error.message.ends_with(message), "{}", error.message);
    }
    let blocking = registry_with(Handler::blocking(|_, (): ()| -> Result<(), HandlerError> {
        std::panic::panic_any(5)
    }));
    let (outcome, _) = run_blocking(&blocking, json!(null), TEST_TIMEOUT);
    assert_eq!(retryable(outcome).code, "panic");
}

/// Sets its flag when it is dropped.
struct DropFlag(Arc<AtomicBool>);

impl Drop for DropFlag {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[actix_web::test]
async fn a_stopped_async_handler_is_dropped() {
    let dropped = Arc::new(AtomicBool::new(false));
    let (started, has_started) = tokio::sync::watch::channel(false);
    let flag = Arc::clone(&dropped);
    let registry = registry_with(Handler::new(move |_, (): ()| {
        let drop_flag = DropFlag(Arc::clone(&flag));
        let started = started.clone();
        async move {
            started.send_replace(true);
            std::future::pending::<()>().await;
            drop(drop_flag);
            Ok(())
        }
    }));
    let (attempt, control) = start(&registry, "handler", json!(null));
    soon(has_started.clone().wait_for(|started| *started)).await.unwrap();
    control.stop(StopReason::Cancelled);
    assert_eq!(soon(attempt).await.unwrap(), Outcome::Cancelled(None));
    assert!(dropped.load(Ordering::SeqCst));
}

/// Starts a blocking handler on a thread and stops it after it has started.
fn stop_blocking(handler: Handler, started: &mpsc::Receiver<()>, reason: StopReason) -> Outcome {
    let registry = registry_with(handler);
    let (context, control) = registry.new_context(&leased("handler", &json!(null), TEST_TIMEOUT));
    let executor = registry.executor("handler").unwrap();
    let thread = std::thread::spawn(move || executor.run_blocking(Json::null(), &context));
    started.recv().unwrap();
    control.stop(reason);
    thread.join().unwrap()
}

/// Returns a handler that runs until it is stopped, and a channel that reports its start.
fn until_stopped(result: Result<u8, HandlerError>) -> (Handler, mpsc::Receiver<()>) {
    let (started, has_started) = mpsc::channel();
    let handler = Handler::blocking(move |context: Context, (): ()| {
        started.send(()).unwrap();
        while !context.is_stopped() {
            std::thread::yield_now();
        }
        result.clone()
    });
    (handler, has_started)
}

#[test]
fn an_error_of_a_blocking_handler_after_a_stop_counts_as_the_stop() {
    let (handler, started) = until_stopped(Err(HandlerError::retryable("stopped halfway")));
    assert_eq!(
        stop_blocking(handler.clone(), &started, StopReason::Cancelled),
        Outcome::Cancelled(None)
    );
    assert_eq!(stop_blocking(handler, &started, StopReason::Shutdown), Outcome::Released);
}

#[test]
fn a_result_of_a_blocking_handler_after_a_stop_counts() {
    let (handler, started) = until_stopped(Ok(3));
    assert_eq!(completed(stop_blocking(handler, &started, StopReason::Shutdown)), json!(3));
}

#[test]
fn a_blocking_handler_that_stops_at_its_deadline_has_timed_out() {
    let (handler, _started) = until_stopped(Err(HandlerError::retryable("late")));
    let registry = registry_with(handler);
    let (outcome, _) = run_blocking(&registry, json!(null), Duration::from_millis(20));
    assert_eq!(retryable(outcome).code, "timeout");
}

#[actix_web::test]
async fn an_executor_refuses_to_run_in_the_wrong_lane() {
    let registry = registry_with(Handler::blocking(|_, (): ()| Ok(())));
    assert_eq!(fatal(run(&registry, "handler", json!(null)).await).code, "wrong_lane");
    let (context, _control) = context(TEST_TIMEOUT);
    assert_eq!(fatal(Executor::Echo.run_blocking(Json::null(), &context)).code, "wrong_lane");
}
