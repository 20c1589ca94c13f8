//! Jobs that are run by functions of the embedding application, in this process.

mod error;

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::executor::context::{Context, StopReason};
use crate::executor::panic;
use crate::job::Json;
use crate::job::outcome::{JobResult, Outcome};

pub use error::HandlerError;

/// An async handler with its types erased: it takes and returns JSON.
pub type AsyncCall =
    dyn Fn(Context, Json) -> LocalBoxFuture<'static, Result<Json, HandlerError>> + Send + Sync;

/// A blocking handler with its types erased: it takes and returns JSON.
pub type BlockingCall = dyn Fn(Context, Json) -> Result<Json, HandlerError> + Send + Sync;

/// A function of the application that runs the jobs of one kind.
#[derive(Clone)]
pub enum Handler {
    /// An async function. It shares its thread with many other jobs, so it must not block.
    Async(Arc<AsyncCall>),
    /// A blocking function, which has a thread to itself.
    Blocking(Arc<BlockingCall>),
}

impl Handler {
    /// Wraps an async function. Its future is dropped when the attempt is stopped.
    pub fn new<F, Fut, P, R>(function: F) -> Self
    where
        F: Fn(Context, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + 'static,
        P: DeserializeOwned,
        R: Serialize,
    {
        Self::Async(Arc::new(move |context, payload| match decode(&payload) {
            Ok(payload) => {
                let call = function(context, payload);
                async move { encode(&call.await?) }.boxed_local()
            }
            Err(error) => std::future::ready(Err(error)).boxed_local(),
        }))
    }

    /// Wraps a blocking function. It should check [`Context::is_stopped`] regularly.
    pub fn blocking<F, P, R>(function: F) -> Self
    where
        F: Fn(Context, P) -> Result<R, HandlerError> + Send + Sync + 'static,
        P: DeserializeOwned,
        R: Serialize,
    {
        Self::Blocking(Arc::new(move |context, payload| {
            encode(&function(context, decode(&payload)?)?)
        }))
    }
}

fn decode<P: DeserializeOwned>(payload: &Json) -> Result<P, HandlerError> {
    match payload.read() {
        Ok(payload) => Ok(payload),
        Err(problem) => Err(HandlerError::fatal(problem.to_string()).code("bad_payload")),
    }
}

fn encode<R: Serialize>(result: &R) -> Result<Json, HandlerError> {
    match Json::of(result) {
        Ok(json) => Ok(json),
        Err(error) => {
            let message = format!("the result cannot be written as JSON: {error}");
            Err(HandlerError::fatal(message).code("bad_result"))
        }
    }
}

/// Runs an async handler and catches a panic in the function or in its future.
pub(super) async fn run(call: &AsyncCall, payload: Json, context: Context) -> Outcome {
    let attempt = async { call(context, payload).await };
    match AssertUnwindSafe(attempt).catch_unwind().await {
        Ok(result) => outcome(result),
        Err(payload) => panic::outcome(&*payload),
    }
}

/// Runs a blocking handler and catches a panic in it.
pub(super) fn run_blocking(call: &BlockingCall, payload: Json, context: &Context) -> Outcome {
    if let Some(reason) = context.stop_reason() {
        return reason.outcome(context.timeout());
    }
    context.start_clock(context.timeout());
    match catch_unwind(AssertUnwindSafe(|| call(context.clone(), payload))) {
        Ok(Err(error)) => match context.stop_reason() {
            // An error that follows a stop is usually caused by it, so the stop is the reason.
            Some(reason) => outcome_after_stop(reason, context, error),
            None => error.into(),
        },
        Ok(result) => outcome(result),
        Err(payload) => panic::outcome(&*payload),
    }
}

/// Returns the outcome of a handler that returned an error after it was stopped. At a timeout, a
/// fatal error is kept, because another attempt would fail with it again.
fn outcome_after_stop(reason: StopReason, context: &Context, error: HandlerError) -> Outcome {
    if reason == StopReason::Timeout && !error.is_retryable() {
        return error.into();
    }
    reason.outcome(context.timeout())
}

fn outcome(result: Result<Json, HandlerError>) -> Outcome {
    match result {
        Ok(json) => Outcome::Completed(JobResult::whole(json)),
        Err(error) => error.into(),
    }
}
