//! Handlers that panic or never return (L5): their attempts fail, and other jobs still run.

use std::sync::Arc;

use longshore::executor::{Context, HandlerError};
use longshore::job::{State, Submission};
use serde_json::json;

use crate::fault_row::FaultRow;
use crate::kit::embedded::{builder, code, run, single_attempt};
use crate::kit::http::gate;

async fn sum(_: Context, numbers: Vec<i64>) -> Result<i64, HandlerError> {
    Ok(numbers.iter().sum())
}

#[actix_web::test]
async fn a_panic_fails_its_attempt_and_nothing_else() {
    let Some(mut row) = FaultRow::start("L5", "handlers that panic", (5, 500, "panics")) else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    async fn panics(_: Context, text: String) -> Result<(), HandlerError> {
        panic!("async {text}")
    }
    let blocking =
        |_: Context, text: String| -> Result<(), HandlerError> { panic!("blocking {text}") };
    let server = builder(&directory)
        .handler("async", panics)
        .blocking_handler("blocking", blocking)
        .handler("sum", sum)
        .start()
        .unwrap();
    let handle = server.handle();
    // More panics than there are threads.
    let kinds = ["async", "blocking", "async", "blocking", "blocking"].into_iter().cycle();
    for kind in kinds.take(row.times.max(5) as usize) {
        let job = run(&handle, single_attempt(kind, &json!("oh"))).await;
        assert_eq!((job.state, code(&job)), (State::Failed, "panic"), "{job:?}");
        assert!(job.error.unwrap().message.contains(&format!("{kind} oh")));
    }
    let job = run(&handle, single_attempt("sum", &json!([1]))).await;
    assert_eq!(job.state, State::Completed);
    server.shutdown().await;
    row.count("others that failed", 0);
    row.held();
}

#[actix_web::test]
async fn a_blocking_handler_that_ignores_its_timeout_does_not_hold_up_its_lane() {
    let Some(row) = FaultRow::start("L5", "a handler that never returns", (1, 1, "handlers"))
    else {
        return;
    };
    let directory = tempfile::tempdir().unwrap();
    let (release, released) = gate();
    let released = Arc::new(released);
    let stubborn = move |_: Context, (): ()| -> Result<(), HandlerError> {
        released.wait();
        Ok(())
    };
    let quick = |_: Context, number: i64| -> Result<i64, HandlerError> { Ok(number + 1) };
    let server = builder(&directory)
        .blocking_handler("stubborn", stubborn)
        .blocking_handler("quick", quick)
        .start()
        .unwrap();
    let handle = server.handle();
    let timeout = Some("200ms".parse().unwrap());
    let job =
        run(&handle, Submission { timeout, ..single_attempt("stubborn", &json!(null)) }).await;
    assert_eq!((job.state, code(&job)), (State::Failed, "timeout"));
    let job = run(&handle, single_attempt("quick", &json!(1))).await;
    assert_eq!(job.result_json().unwrap().as_str(), "2");
    drop(release);
    server.shutdown().await;
    row.held();
}
