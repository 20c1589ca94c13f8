//! Functions of the application that run jobs in this process.

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

/// An async handler behind its types: takes and gives JSON.
pub type AsyncCall =
    dyn Fn(Context, Json) -> LocalBoxFuture<'static, Result<Json, HandlerError>> + Send + Sync;

/// A blocking handler behind its types: takes and gives JSON.
pub type BlockingCall = dyn Fn(Context, Json) -> Result<Json, HandlerError> + Send + Sync;

/// A function of the application that runs the jobs of one kind.
#[derive(Clone)]
pub enum Handler {
    /// Runs among many on a few threads, so it must not block.
    Async(Arc<AsyncCall>),
    /// Runs on a thread of its own, so it may.
    Blocking(Arc<BlockingCall>),
}

impl Handler {
    /// An async handler. Its future is dropped when the attempt is stopped.
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

    /// A blocking handler. It should look at [`Context::is_stopped`] now and then.
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
            let message = format!("the result has no JSON form: {error}");
            Err(HandlerError::fatal(message).code("bad_result"))
        }
    }
}

/// Runs an async handler and catches its panic, be it in the function or in its future.
pub(super) async fn run(call: &AsyncCall, payload: Json, context: Context) -> Outcome {
    let attempt = async { call(context, payload).await };
    match AssertUnwindSafe(attempt).catch_unwind().await {
        Ok(result) => outcome(result),
        Err(payload) => panic::outcome(&*payload),
    }
}

/// Runs a blocking handler and catches its panic.
pub(super) fn run_blocking(call: &BlockingCall, payload: Json, context: &Context) -> Outcome {
    if let Some(reason) = context.stop_reason() {
        return reason.outcome(context.timeout());
    }
    context.start_clock(context.timeout());
    match catch_unwind(AssertUnwindSafe(|| call(context.clone(), payload))) {
        Ok(Err(error)) => match context.stop_reason() {
            // What a handler says on its way out of a stop is not why it failed.
            Some(reason) => stopped(reason, context, error),
            None => error.into(),
        },
        Ok(result) => outcome(result),
        Err(payload) => panic::outcome(&*payload),
    }
}

/// The outcome of a handler that gave an error after its stop. A fatal one is kept at a timeout:
/// another attempt would meet it again.
fn stopped(reason: StopReason, context: &Context, error: HandlerError) -> Outcome {
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
