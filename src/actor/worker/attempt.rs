//! An attempt that is ready to run.

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

use crate::actor::worker::attempt_end::AttemptEnd;
use crate::actor::worker::blocking::Blocking;
use crate::executor::{Context, Executor};
use crate::job::Json;

/// An attempt that is ready to run.
pub(super) struct Attempt {
    pub(super) executor: Executor,
    pub(super) payload: Json,
    pub(super) context: Context,
    /// Thread that runs the executor, if it is a blocking handler.
    pub(super) thread: Option<Blocking>,
}

impl Attempt {
    /// Runs the attempt until it ends. The executor starts the clock of the deadline, and ends when
    /// the deadline passes or the attempt is stopped. A panic ends this attempt and nothing else.
    pub(super) async fn run_under_deadline(self) -> AttemptEnd {
        let Self { executor, payload, context, thread } = self;
        if let Some(thread) = thread {
            return thread.run(executor, payload, context).await;
        }
        match AssertUnwindSafe(executor.run(payload, context)).catch_unwind().await {
            Ok(outcome) => AttemptEnd::Returned(outcome),
            Err(panic) => AttemptEnd::Panicked(panic),
        }
    }
}
