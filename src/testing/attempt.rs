//! One attempt of a handler without a server.

use std::future::Future;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::executor::{AppState, Context, Control, Executor, Handler, HandlerError};
use crate::job::lease::{Lease, LeaseToken, LeasedJob};
use crate::job::outcome::Outcome;
use crate::job::{JobError, JobId, Json, Lane, Progress, QueueName, Span, Timestamp};

/// Kind of the job that the attempt belongs to.
const KIND: &str = "test";

/// An attempt of a job that is in no database, to test a handler with.
///
/// It runs as in a server: the payload and the result pass through JSON, and a panic or a missed
/// deadline is an outcome. It needs no server, and only an async handler needs an actix system.
///
/// ```
/// use longshore::executor::{Context, HandlerError};
/// use longshore::testing::TestAttempt;
///
/// fn double(context: Context, number: u32) -> Result<u32, HandlerError> {
///     context.log(format!("attempt {}", context.attempt()));
///     Ok(2 * number)
/// }
///
/// let ended = TestAttempt::new().attempt(2).run_blocking(double, &21);
/// assert_eq!(ended.output(), Some(42));
/// assert!(ended.log.contains("attempt 2"));
/// ```
#[derive(Debug, Clone)]
pub struct TestAttempt {
    job: LeasedJob,
    max_result_bytes: usize,
    app_state: AppState,
}

/// An attempt that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct EndedAttempt {
    /// How the attempt ended.
    pub outcome: Outcome,
    /// Last progress that the handler reported.
    pub progress: Option<Progress>,
    /// Lines that the handler logged.
    pub log: String,
}

impl Default for TestAttempt {
    fn default() -> Self {
        Self::new()
    }
}

impl TestAttempt {
    /// Returns the first of five attempts of job 1, with a timeout of one minute.
    pub fn new() -> Self {
        let job = LeasedJob {
            lease: Lease { job: JobId(1), token: LeaseToken(1) },
            lease_expires_at: Timestamp::from_millis(0),
            started_at: Timestamp::from_millis(0),
            kind: KIND.into(),
            queue: QueueName::default(),
            lane: Lane::Async,
            attempt: 1,
            max_attempts: 5,
            timeout: Span::from_secs(60),
            batch: None,
            provider: None,
            key: None,
            tags: Vec::new(),
            metadata: None,
            payload: Json::null(),
        };
        Self { job, max_result_bytes: 1 << 20, app_state: AppState::default() }
    }

    /// Provides a value to the handler, as [`Builder::state`](crate::server::Builder::state) does.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.app_state.insert(value);
        self
    }

    /// Sets the number of the attempt, counted from 1.
    #[must_use]
    pub fn attempt(mut self, attempt: u32) -> Self {
        self.job.attempt = attempt;
        self
    }

    /// Sets the maximum number of attempts.
    #[must_use]
    pub fn max_attempts(mut self, max_attempts: u32) -> Self {
        self.job.max_attempts = max_attempts;
        self
    }

    /// Sets the maximum duration of the attempt.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.job.timeout = Span::new(timeout);
        self
    }

    /// Runs an async handler to its end. Must be called inside an actix system, as in a test with
    /// `#[actix_web::test]`.
    ///
    /// The payload may have another type than the one that the handler takes, to test how an invalid
    /// payload is refused.
    pub async fn run<P, R, F, Fut, I>(self, function: F, payload: &I) -> EndedAttempt
    where
        P: DeserializeOwned,
        R: Serialize,
        F: Fn(Context, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + 'static,
        I: Serialize + ?Sized,
    {
        let (context, control) = self.context();
        let outcome = match (Executor::from(Handler::new(function)), Json::of(payload)) {
            (executor, Ok(payload)) => executor.run(payload, context).await,
            (_, Err(error)) => Outcome::fatal("bad_payload", error),
        };
        EndedAttempt::new(outcome, &control)
    }

    /// Runs a blocking handler to its end, on the calling thread.
    pub fn run_blocking<P, R, F, I>(self, function: F, payload: &I) -> EndedAttempt
    where
        P: DeserializeOwned,
        R: Serialize,
        F: Fn(Context, P) -> Result<R, HandlerError> + Send + Sync + 'static,
        I: Serialize + ?Sized,
    {
        let (context, control) = self.context();
        let outcome = match (Executor::from(Handler::blocking(function)), Json::of(payload)) {
            (executor, Ok(payload)) => executor.run_blocking(payload, &context),
            (_, Err(error)) => Outcome::fatal("bad_payload", error),
        };
        EndedAttempt::new(outcome, &control)
    }

    fn context(self) -> (Context, Control) {
        Context::new(&self.job, self.max_result_bytes, self.app_state)
    }
}

impl EndedAttempt {
    fn new(outcome: Outcome, control: &Control) -> Self {
        let (progress, log) = control.take_reports();
        Self { outcome, progress, log: log.text }
    }

    /// Returns the result, or `None` if the attempt did not complete or its result is not an `R`.
    pub fn output<R: DeserializeOwned>(&self) -> Option<R> {
        match &self.outcome {
            Outcome::Completed(result) => result.json.read().ok(),
            _ => None,
        }
    }

    /// Returns the error, or `None` if the attempt did not fail.
    pub fn error(&self) -> Option<&JobError> {
        match &self.outcome {
            Outcome::Failed { error, .. } => Some(error),
            _ => None,
        }
    }

    /// Returns the code of the error, or `None` if the attempt did not fail.
    pub fn error_code(&self) -> Option<&str> {
        self.error().map(|error| error.code.as_str())
    }

    /// Returns whether the attempt failed and another one may succeed.
    pub fn is_retryable(&self) -> bool {
        matches!(self.outcome, Outcome::Failed { retryable: true, .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Greeting(&'static str);

    async fn greet(context: Context, name: String) -> Result<String, HandlerError> {
        context.progress(50.0, "half");
        Ok(format!("{} {name}", context.state::<Greeting>()?.0))
    }

    #[actix_web::test]
    async fn a_handler_gets_its_payload_and_the_state_and_returns_its_result() {
        let ended = TestAttempt::new().state(Greeting("Hello")).run(greet, "world").await;
        assert_eq!(ended.output::<String>().as_deref(), Some("Hello world"));
        assert_eq!(ended.progress, Some(Progress::new(50.0, "half")));
        assert_eq!((ended.error(), ended.output::<u32>()), (None, None));
    }

    #[actix_web::test]
    async fn a_missing_value_is_an_error_that_names_its_type() {
        let ended = TestAttempt::new().run(greet, "world").await;
        assert_eq!(ended.error_code(), Some("missing_state"));
        let message = &ended.error().unwrap().message;
        assert!(message.contains("testing::attempt::tests::Greeting"), "{message}");
        assert!(ended.is_retryable());
    }

    #[actix_web::test]
    async fn an_invalid_payload_a_panic_and_a_missed_deadline_are_outcomes() {
        let ended = TestAttempt::new().run(greet, &7).await;
        assert_eq!((ended.error_code(), ended.is_retryable()), (Some("bad_payload"), false));
        let panics = |_: Context, (): ()| -> Result<(), HandlerError> { panic!("no") };
        assert_eq!(TestAttempt::new().run_blocking(panics, &()).error_code(), Some("panic"));
        let waits = |_: Context, (): ()| std::future::pending::<Result<(), HandlerError>>();
        let ended = TestAttempt::new().timeout(Duration::from_millis(1)).run(waits, &()).await;
        assert_eq!(ended.error_code(), Some("timeout"));
    }
}
