//! `sleep`, `echo`, and the context and control of an attempt.

mod floods;

use std::time::Duration;

use longshore::executor::StopReason;
use longshore::job::Progress;
use longshore::job::outcome::Outcome;
use serde_json::{Value, json};

use crate::harness::*;

#[actix_web::test]
async fn echo_returns_its_payload() {
    let payload = json!({"a": [1, 2.5, null, "ä"]});
    assert_eq!(completed(run(&registry(), "echo", payload.clone()).await), payload);
}

#[actix_web::test]
async fn a_result_over_the_limit_is_truncated_and_flagged() {
    let mut config = config();
    config.limits.max_result_bytes = 10;
    let outcome = run(&registry_of(&config), "echo", json!("0123456789")).await;
    let result = job_result(outcome);
    assert!(result.truncated);
    assert_eq!(result.json.as_str(), r#""\"012345678""#);
}

#[actix_web::test]
async fn sleep_waits_and_returns_null() {
    assert_eq!(completed(run(&registry(), "sleep", json!({"duration": "5ms"})).await), Value::Null);
}

#[actix_web::test]
async fn a_longer_sleep_reports_its_progress() {
    let (attempt, control) = start(&registry(), "sleep", json!({"duration": "20s"}));
    tokio::select! {
        _ = attempt => panic!("the sleep reported no progress"),
        () = soon(control.wait_for_reports()) => {}
    }
    let latest = control.take_reports().0.unwrap();
    assert!(latest.percent > 0.0 && latest.percent < 50.0, "{latest:?}");
    assert!(latest.message.unwrap().ends_with("s of 20s"));
}

#[actix_web::test]
async fn a_longer_sleep_ends_at_100_percent() {
    let (attempt, control) = start(&registry(), "sleep", json!({"duration": "1001ms"}));
    attempt.await.unwrap();
    assert_eq!(control.take_reports().0, Some(Progress::new(100.0, "1s of 1s 1ms")));
}

#[actix_web::test]
async fn an_invalid_sleep_payload_is_reported_at_submission() {
    let registry = registry();
    assert_eq!(problem_pointers(&registry, "sleep", &json!({"duration": "soon"})), ["/duration"]);
    assert_eq!(problem_pointers(&registry, "sleep", &json!({"duration": 5})), [""; 0]);
    assert_eq!(problem_pointers(&registry, "sleep", &json!({"duration": "5s"})), [""; 0]);
    assert_eq!(problem_pointers(&registry, "sleep", &json!({"duration": "5s", "x": 1})).len(), 1);
    assert_eq!(fatal(run(&registry, "sleep", Value::Null).await).code, "bad_payload");
}

#[actix_web::test]
async fn an_attempt_ends_at_its_deadline() {
    let payload = json!({"duration": "1h"});
    let outcome = run_within(&registry(), "sleep", payload, Duration::from_millis(20)).await;
    let error = retryable(outcome);
    assert_eq!(error.code, "timeout");
    assert!(error.message.contains("20ms"), "{}", error.message);
}

#[actix_web::test]
async fn a_stop_ends_an_attempt_as_cancelled_or_at_shutdown_as_released() {
    let registry = registry();
    for (reason, expected) in [
        (StopReason::Cancelled, Outcome::Cancelled(None)),
        (StopReason::Shutdown, Outcome::Released),
    ] {
        let (attempt, control) = start(&registry, "sleep", json!({"duration": "1h"}));
        control.stop(reason);
        assert_eq!(soon(attempt).await.unwrap(), expected);
    }
}

#[actix_web::test]
async fn a_second_stop_does_not_change_the_reason() {
    let (context, control) = context(TEST_TIMEOUT);
    assert!(!context.is_stopped());
    control.stop(StopReason::Shutdown);
    control.stop(StopReason::Cancelled);
    assert!(context.is_stopped());
    assert_eq!(soon(context.stopped()).await, StopReason::Shutdown);
}

#[actix_web::test]
async fn progress_is_clamped_and_only_the_latest_report_is_kept() {
    let (context, control) = context(TEST_TIMEOUT);
    assert_eq!(control.take_reports().0, None);
    context.progress(f64::NAN, "");
    context.progress(250.0, "almost done");
    soon(control.wait_for_reports()).await;
    let latest = control.take_reports().0.unwrap();
    assert_eq!((latest.percent, latest.message.as_deref()), (100.0, Some("almost done")));
    assert_eq!(control.take_reports().0, None);
}

#[actix_web::test]
async fn log_texts_become_lines_and_later_attempts_are_marked() {
    // The context of these tests is that of a second attempt.
    let (context, control) = context(TEST_TIMEOUT);
    context.log("one");
    soon(control.wait_for_reports()).await;
    assert_eq!(control.take_reports().1.text, "--- attempt 2 ---\none\n");
    context.log("two\nthree\n");
    context.log("a\0b");
    assert_eq!(control.take_reports().1.text, "two\nthree\na\u{fffd}b\n");
    for number in 0..20_000 {
        context.log(format!("line {number}"));
    }
    let log = control.take_reports().1;
    assert!(log.from > 0 && log.text.len() <= 64 << 10, "{} bytes", log.text.len());
    assert!(log.text.ends_with("line 19999\n"));
}

#[test]
fn a_context_can_be_shared_between_threads() {
    fn shareable<T: Send + Sync>(_: &T) {}
    let (context, control) = context(TEST_TIMEOUT);
    shareable(&context);
    shareable(&control);
    shareable(&registry());
}
