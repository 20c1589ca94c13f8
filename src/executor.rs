//! How a kind of job runs.
//!
//! A [`Registry`] holds every kind that this server runs, and checks payloads at submission. A
//! worker takes the [`Executor`] of its job, makes a [`Context`] and the [`Control`] over it, and
//! runs the attempt to its [`Outcome`]; there is no other way out: an error, a panic, a stop and a
//! passed deadline are outcomes as well.
//!
//! One deadline covers the whole attempt. It begins when the work begins, which for `chat` is after
//! the wait for the provider's limits. A stopped call is dropped, which closes its connection; a
//! stopped command is ended with its process group.
//!
//! Nothing here knows of actors, leases or the database.

pub mod chat;
pub mod command;
pub mod context;
pub mod handler;
pub mod http;
pub mod outbound;
pub mod registry;

mod encoded;
mod panic;
mod secrets;
mod sleep;

use std::future::Future;
use std::sync::Arc;

use crate::executor::chat::Chat;
use crate::executor::command::Command;
use crate::executor::handler::{AsyncCall, BlockingCall};
use crate::executor::http::Http;
use crate::job::outcome::{JobResult, Outcome};
use crate::job::problem::Problem;
use crate::job::{Json, Lane};

pub use context::{Context, Control, StopReason};
pub use handler::{Handler, HandlerError};
pub(crate) use panic::outcome as panic_outcome;
pub use registry::{Registry, RegistryError};

/// Runs the jobs of one kind.
#[derive(Clone)]
pub enum Executor {
    /// Calls another server.
    Http(Arc<Http>),
    /// Calls a model server.
    Chat(Arc<Chat>),
    /// Runs a program.
    Command(Arc<Command>),
    /// Waits.
    Sleep,
    /// Gives its payload back.
    Echo,
    /// Calls an async function of the application.
    Handler(Arc<AsyncCall>),
    /// Calls a blocking function of the application.
    Blocking(Arc<BlockingCall>),
}

impl Executor {
    /// The pool that runs it.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Http(_) | Self::Chat(_) | Self::Sleep | Self::Echo | Self::Handler(_) => {
                Lane::Async
            }
            Self::Blocking(_) => Lane::Thread,
            Self::Command(_) => Lane::Process,
        }
    }

    /// Runs one attempt to its outcome.
    ///
    /// The future is not `Send`, and needs a thread of an actix system. Dropping it closes the
    /// connection or kills the process group. A stopped command takes up to 2 s more to end.
    pub async fn run(&self, payload: Json, context: Context) -> Outcome {
        let max_bytes = context.max_result_bytes();
        let outcome = match self {
            Self::Echo => Outcome::Completed(JobResult::whole(payload)),
            Self::Sleep => until_stopped(&context, sleep::run(&payload, &context)).await,
            Self::Http(http) => Box::pin(http.run(&payload, &context)).await,
            Self::Chat(chat) => Box::pin(chat.run(&payload, &context)).await,
            Self::Command(command) => Box::pin(command.run(&payload, &context)).await,
            Self::Handler(call) => {
                until_stopped(&context, handler::run(&**call, payload, context.clone())).await
            }
            Self::Blocking(_) => Outcome::fatal("wrong_lane", "a blocking handler needs a thread"),
        };
        capped(outcome, max_bytes)
    }

    /// Runs one attempt of a blocking handler on the calling thread, and catches its panic.
    ///
    /// A thread cannot be stopped from outside: the handler is expected to look at
    /// [`Context::is_stopped`]. An error after the stop is put down to the stop.
    pub fn run_blocking(&self, payload: Json, context: &Context) -> Outcome {
        let Self::Blocking(call) = self else {
            return Outcome::fatal("wrong_lane", "only a blocking handler runs on a thread");
        };
        let outcome = handler::run_blocking(&**call, payload, context);
        capped(outcome, context.max_result_bytes())
    }
}

/// Runs `work` under the deadline, which begins now. If the stop comes first, `work` is dropped.
async fn until_stopped(context: &Context, work: impl Future<Output = Outcome>) -> Outcome {
    context.start_clock(context.timeout());
    tokio::select! {
        biased;
        outcome = work => outcome,
        reason = context.stopped() => reason.outcome(context.timeout()),
    }
}

/// The outcome of a payload that cannot be run, such as one whose command is no longer configured.
fn bad_payload(problems: &[Problem]) -> Outcome {
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    Outcome::fatal("bad_payload", texts.join("; "))
}

/// The one place where results are held to their bound.
fn capped(outcome: Outcome, max_bytes: usize) -> Outcome {
    match outcome {
        Outcome::Completed(result) => Outcome::Completed(result.capped(max_bytes)),
        other => other,
    }
}
