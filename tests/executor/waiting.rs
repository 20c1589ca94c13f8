//! `sleep`, `echo`, and what every attempt can be told and asked.

use std::time::Duration;

use longshore::config::Config;
use longshore::executor::StopReason;
use longshore::job::outcome::Outcome;
use serde_json::{Value, json};

use crate::kit::*;

#[actix_web::test]
async fn echo_gives_its_payload_back() {
    let payload = json!({"a": [1, 2.5, null, "ä"]});
    assert_eq!(completed(run(&registry(), "echo", payload.clone()).await), payload);
}

#[actix_web::test]
async fn a_result_is_cut_and_flagged_at_its_bound() {
    let mut config = Config::default();
    config.limits.max_result_bytes = 10;
    let outcome = run(&registry_of(&config), "echo", json!("0123456789")).await;
    let result = whole(outcome);
    assert!(result.truncated);
    assert_eq!(result.json.as_str(), r#""\"012345678""#);
}

#[actix_web::test]
async fn sleep_waits_and_gives_null() {
    assert_eq!(completed(run(&registry(), "sleep", json!({"duration": "5ms"})).await), Value::Null);
}

#[actix_web::test]
async fn a_longer_sleep_tells_how_far_it_is() {
    let (attempt, control) = start(&registry(), "sleep", json!({"duration": "20s"}));
    tokio::select! {
        _ = attempt => panic!("it told nothing"),
        () = soon(control.wait_for_reports()) => {}
    }
    let latest = control.take_reports().0.unwrap();
    assert!(latest.percent > 0.0 && latest.percent < 50.0, "{latest:?}");
    assert!(latest.message.unwrap().ends_with("s of 20s"));
}

#[actix_web::test]
async fn a_payload_that_sleep_cannot_read_is_told_at_submission() {
    let registry = registry();
    assert_eq!(places(&registry, "sleep", &json!({"duration": "5"})), ["/duration"]);
    assert_eq!(places(&registry, "sleep", &json!({"duration": "5s"})), [""; 0]);
    assert_eq!(places(&registry, "sleep", &json!({"duration": "5s", "x": 1})).len(), 1);
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
async fn a_cancelled_attempt_is_cancelled_and_one_at_shutdown_released() {
    let registry = registry();
    for (reason, expected) in
        [(StopReason::Cancelled, Outcome::Cancelled), (StopReason::Shutdown, Outcome::Released)]
    {
        let (attempt, control) = start(&registry, "sleep", json!({"duration": "1h"}));
        control.stop(reason);
        assert_eq!(soon(attempt).await.unwrap(), expected);
    }
}

#[actix_web::test]
async fn the_first_reason_to_stop_stays() {
    let (context, control) = context(LONG);
    assert!(!context.is_stopped());
    control.stop(StopReason::Shutdown);
    control.stop(StopReason::Cancelled);
    assert!(context.is_stopped());
    assert_eq!(soon(context.stopped()).await, StopReason::Shutdown);
}

#[actix_web::test]
async fn progress_is_held_to_a_percentage_and_only_the_latest_is_kept() {
    let (context, control) = context(LONG);
    assert_eq!(control.take_reports().0, None);
    context.progress(f64::NAN, "");
    context.progress(250.0, "nearly there");
    soon(control.wait_for_reports()).await;
    let latest = control.take_reports().0.unwrap();
    assert_eq!((latest.percent, latest.message.as_deref()), (100.0, Some("nearly there")));
    assert_eq!(control.take_reports().0, None);
}

#[actix_web::test]
async fn what_is_logged_are_lines_and_a_later_attempt_says_that_it_is_one() {
    // The context of these tests is that of a second attempt.
    let (context, control) = context(LONG);
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
    let (context, control) = context(LONG);
    shareable(&context);
    shareable(&control);
    shareable(&registry());
}
