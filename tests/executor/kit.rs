//! What the tests of the executors share.

use std::time::Duration;

use longshore::config::Config;
use longshore::executor::{Context, Control, Handler, Registry};
use longshore::job::lease::{Lease, LeaseToken, LeasedJob};
use longshore::job::outcome::{JobError, JobResult, Outcome};
use longshore::job::{JobId, Json, Lane, Span, Timestamp};
use serde_json::Value;

/// A registry with the built-in kinds.
pub(crate) fn registry() -> Registry {
    registry_of(&Config::default())
}

/// A registry of what `config` allows.
pub(crate) fn registry_of(config: &Config) -> Registry {
    Registry::new(config).unwrap()
}

/// A registry whose kind `handler` is run by `handler`.
pub(crate) fn registry_with(handler: Handler) -> Registry {
    let mut registry = registry();
    registry.add_handler("handler", handler).unwrap();
    registry
}

/// The second attempt of job 7, with `timeout`.
pub(crate) fn leased(kind: &str, payload: &Value, timeout: Duration) -> LeasedJob {
    LeasedJob {
        lease: Lease { job: JobId(7), token: LeaseToken(1) },
        lease_expires_at: Timestamp::from_millis(0),
        started_at: Timestamp::from_millis(0),
        kind: kind.into(),
        queue: "default".parse().unwrap(),
        lane: Lane::Async,
        attempt: 2,
        max_attempts: 5,
        timeout: Span::new(timeout),
        batch: None,
        payload: Json::of(payload).unwrap(),
    }
}

/// A time that no test takes.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// Runs an attempt with plenty of time.
pub(crate) async fn run(registry: &Registry, kind: &str, payload: Value) -> Outcome {
    run_within(registry, kind, payload, LONG).await
}

/// Runs an attempt with `timeout`.
pub(crate) async fn run_within(
    registry: &Registry,
    kind: &str,
    payload: Value,
    timeout: Duration,
) -> Outcome {
    let job = leased(kind, &payload, timeout);
    let (context, _control) = registry.begin(&job);
    let executor = registry.executor(kind).unwrap();
    soon(executor.run(job.payload, context)).await
}

/// An attempt that runs on this thread beside the test, and the control over it.
pub(crate) fn start(
    registry: &Registry,
    kind: &str,
    payload: Value,
) -> (tokio::task::JoinHandle<Outcome>, Control) {
    let job = leased(kind, &payload, LONG);
    let (context, control) = registry.begin(&job);
    let executor = registry.executor(kind).unwrap();
    (actix_rt::spawn(async move { executor.run(job.payload, context).await }), control)
}

/// Runs a blocking handler on this thread.
pub(crate) fn run_blocking(
    registry: &Registry,
    payload: Value,
    timeout: Duration,
) -> (Outcome, Control) {
    let job = leased("handler", &payload, timeout);
    let (context, control) = registry.begin(&job);
    let executor = registry.executor("handler").unwrap();
    (executor.run_blocking(job.payload, &context), control)
}

/// Waits for what must come, and fails where it does not.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("this takes far too long")
}

/// The result of a job that must have completed.
pub(crate) fn completed(outcome: Outcome) -> Value {
    serde_json::from_str(whole(outcome).json.as_str()).unwrap()
}

/// The result of a job that must have completed, with its flag.
pub(crate) fn whole(outcome: Outcome) -> JobResult {
    match outcome {
        Outcome::Completed(result) => result,
        other => panic!("not completed: {other:?}"),
    }
}

/// The error of a job that must have failed for another attempt.
pub(crate) fn retryable(outcome: Outcome) -> JobError {
    match outcome {
        Outcome::Failed { error, retryable: true, .. } => error,
        other => panic!("no retryable failure: {other:?}"),
    }
}

/// The error of a job that must have failed for good.
pub(crate) fn fatal(outcome: Outcome) -> JobError {
    match outcome {
        Outcome::Failed { error, retryable: false, .. } => error,
        other => panic!("no fatal failure: {other:?}"),
    }
}

/// When the next attempt is to begin, where the failure says so.
pub(crate) fn retry_in(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::Failed { retry_in, .. } => retry_in.map(Span::duration),
        other => panic!("no failure: {other:?}"),
    }
}

/// The places that a payload's check names.
pub(crate) fn places(registry: &Registry, kind: &str, payload: &Value) -> Vec<String> {
    let problems = registry.check(kind, &Json::of(payload).unwrap());
    problems.into_iter().map(|problem| problem.pointer).collect()
}

/// A context that a test keeps, to look at it from outside.
pub(crate) fn context(timeout: Duration) -> (Context, Control) {
    registry().begin(&leased("echo", &Value::Null, timeout))
}
