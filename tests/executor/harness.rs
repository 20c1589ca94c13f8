//! Helpers that the tests of the executors share.

use std::time::Duration;

use longshore::config::{Config, ProviderConfig};
use longshore::executor::{Context, Control, Handler, Registry};
use longshore::job::Pause;
use longshore::job::lease::{Lease, LeaseToken, LeasedJob};
use longshore::job::outcome::{JobError, JobResult, Outcome};
use longshore::job::{JobId, Json, Lane, Span, Timestamp};
use serde_json::{Value, json};

use crate::kit::embedded::loopback;

/// Returns a registry with the built-in kinds.
pub(crate) fn registry() -> Registry {
    registry_of(&config())
}

/// Returns the default configuration, with which jobs may also call servers of this machine.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.outbound.allow_networks = loopback();
    config
}

/// Returns a configuration with one provider, which needs no key.
pub(crate) fn config_of_model(base_url: &str) -> Config {
    let provider = ProviderConfig::new(base_url);
    Config { providers: [("model".to_owned(), provider)].into(), ..config() }
}

/// Returns the payload of a `chat` job.
pub(crate) fn chat_question() -> Value {
    json!({"messages": [{"role": "user", "content": "x"}]})
}

/// Returns the outcome of a `chat` job that is sent to this provider.
pub(crate) async fn ask(base_url: &str) -> Outcome {
    run(&registry_of(&config_of_model(base_url)), "chat", chat_question()).await
}

/// Returns a registry with this configuration.
pub(crate) fn registry_of(config: &Config) -> Registry {
    Registry::new(config).unwrap()
}

/// Returns a registry with an additional kind `handler` that `handler` runs.
pub(crate) fn registry_with(handler: Handler) -> Registry {
    let mut registry = registry();
    registry.add_handler("handler", handler).unwrap();
    registry
}

/// Returns the lease of the second attempt of job 7, with this timeout.
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
        provider: None,
        key: None,
        tags: Vec::new(),
        metadata: None,
        payload: Json::of(payload).unwrap(),
    }
}

/// A timeout that no test reaches.
pub(crate) const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Runs an attempt with a timeout that it does not reach.
pub(crate) async fn run(registry: &Registry, kind: &str, payload: Value) -> Outcome {
    run_within(registry, kind, payload, TEST_TIMEOUT).await
}

/// Runs an attempt with this timeout.
pub(crate) async fn run_within(
    registry: &Registry,
    kind: &str,
    payload: Value,
    timeout: Duration,
) -> Outcome {
    let job = leased(kind, &payload, timeout);
    let (context, _control) = registry.new_context(&job);
    let executor = registry.executor(kind).unwrap();
    soon(executor.run(job.payload, context)).await
}

/// Starts an attempt on this thread, concurrently with the test. Returns its handle and its control.
pub(crate) fn start(
    registry: &Registry,
    kind: &str,
    payload: Value,
) -> (tokio::task::JoinHandle<Outcome>, Control) {
    let job = leased(kind, &payload, TEST_TIMEOUT);
    let (context, control) = registry.new_context(&job);
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
    let (context, control) = registry.new_context(&job);
    let executor = registry.executor("handler").unwrap();
    (executor.run_blocking(job.payload, &context), control)
}

/// Waits for a future that must complete, and fails the test after 20 s.
pub(crate) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("this takes far too long")
}

/// Returns the result value of an attempt that must have completed.
pub(crate) fn completed(outcome: Outcome) -> Value {
    serde_json::from_str(job_result(outcome).json.as_str()).unwrap()
}

/// Returns the result of an attempt that must have completed.
pub(crate) fn job_result(outcome: Outcome) -> JobResult {
    match outcome {
        Outcome::Completed(result) => result,
        other => panic!("not completed: {other:?}"),
    }
}

/// Returns the error of an attempt that must have failed as retryable.
pub(crate) fn retryable(outcome: Outcome) -> JobError {
    match outcome {
        Outcome::Failed { error, retryable: true, .. } => error,
        other => panic!("not a retryable failure: {other:?}"),
    }
}

/// Returns the error of an attempt that must have failed as not retryable.
pub(crate) fn fatal(outcome: Outcome) -> JobError {
    match outcome {
        Outcome::Failed { error, retryable: false, .. } => error,
        other => panic!("not a fatal failure: {other:?}"),
    }
}

/// Returns the pause before the next attempt, if the failure sets one.
pub(crate) fn retry_in(outcome: &Outcome) -> Option<Duration> {
    match outcome {
        Outcome::Failed { retry_in, .. } => retry_in.map(|pause| match pause {
            Pause::Exactly(span) | Pause::AtLeast(span) => span.duration(),
        }),
        other => panic!("not a failure: {other:?}"),
    }
}

/// Returns the error and the pause of an attempt that must have been refused by its provider.
pub(crate) fn deferred(outcome: Outcome) -> (JobError, Duration) {
    match outcome {
        Outcome::Deferred(deferral) if deferral.is_of_provider => {
            (deferral.error, deferral.retry_in.duration())
        }
        other => panic!("not deferred by its provider: {other:?}"),
    }
}

/// Returns the JSON pointers of the problems of a payload.
pub(crate) fn problem_pointers(registry: &Registry, kind: &str, payload: &Value) -> Vec<String> {
    let problems = registry.check(kind, &Json::of(payload).unwrap()).err().unwrap_or_default();
    problems.into_iter().map(|problem| problem.pointer).collect()
}

/// Returns the context and the control of an attempt that no executor runs.
pub(crate) fn context(timeout: Duration) -> (Context, Control) {
    registry().new_context(&leased("echo", &Value::Null, timeout))
}
