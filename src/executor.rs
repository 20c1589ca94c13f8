//! Runs the attempts of jobs, by kind.
//!
//! A `Registry` holds every kind that this server runs, and checks payloads at submission. A
//! worker takes the [`Executor`] of its job from the registry, creates a [`Context`] and its
//! `Control`, and runs the attempt. Every attempt ends with an `Outcome`: errors, panics, stops
//! and missed deadlines are outcomes too.
//!
//! One deadline covers the whole attempt. Its clock starts when the work starts; for `chat` this is
//! after the wait for the provider's limits. A stopped call is dropped, which closes its
//! connection. The process group of a stopped command is terminated.
//!
//! This module does not depend on actors, leases or the database.

internal_modules!(app_state, chat, command, handler, http, outbound, registry);

mod attempt;
pub mod context;

mod encoded;
mod panic;
mod provider;
mod secrets;
mod sleep;

use std::sync::Arc;

use crate::executor::attempt::until_stopped;
use crate::executor::chat::Chat;
use crate::executor::command::Command;
use crate::executor::handler::{AsyncCall, BlockingCall};
use crate::executor::http::CallbackExecutor;
use crate::executor::http::Http;
use crate::job::outcome::{JobResult, Outcome};
use crate::job::{Json, Lane};

#[cfg(feature = "cli")]
pub(crate) use command::guard::Guard;
pub use context::{Context, StopReason};
pub use handler::HandlerError;
#[cfg(feature = "cli")]
pub(crate) use outbound::tls_connector;
pub(crate) use panic::outcome as panic_outcome;
pub use provider::ProviderError;
pub use registry::RegistryError;

#[cfg(feature = "testing")]
pub use {app_state::AppState, context::Control, handler::Handler, registry::Registry};
#[cfg(not(feature = "testing"))]
pub(crate) use {app_state::AppState, context::Control, handler::Handler, registry::Registry};

/// Runs the jobs of one kind.
#[derive(Clone)]
pub enum Executor {
    /// Makes an HTTP call to another server.
    Http(Arc<Http>),
    /// Makes a chat-completions call to a model server.
    Chat(Arc<Chat>),
    /// Delivers a webhook.
    Callback(Arc<CallbackExecutor>),
    /// Runs a configured program in a child process.
    Command(Arc<Command>),
    /// Waits for the duration in the payload.
    Sleep,
    /// Returns its payload as the result.
    Echo,
    /// Calls an async function of the application.
    Handler(Arc<AsyncCall>),
    /// Calls a blocking function of the application.
    Blocking(Arc<BlockingCall>),
}

impl From<Handler> for Executor {
    fn from(handler: Handler) -> Self {
        match handler {
            Handler::Async(call) => Self::Handler(call),
            Handler::Blocking(call) => Self::Blocking(call),
        }
    }
}

impl Executor {
    /// Returns the lane whose workers run this kind.
    pub fn lane(&self) -> Lane {
        match self {
            Self::Http(_)
            | Self::Chat(_)
            | Self::Callback(_)
            | Self::Sleep
            | Self::Echo
            | Self::Handler(_) => Lane::Async,
            Self::Blocking(_) => Lane::Thread,
            Self::Command(_) => Lane::Process,
        }
    }

    /// Runs one attempt to its outcome.
    ///
    /// The future is not `Send`, and must run on a thread of an actix system. Dropping it closes the
    /// connection or kills the process group. After a stop, a command may take up to 2 s to end.
    pub async fn run(&self, payload: Json, context: Context) -> Outcome {
        let max_bytes = context.max_result_bytes();
        let outcome = match self {
            Self::Echo => Outcome::Completed(JobResult::whole(payload)),
            Self::Sleep => until_stopped(&context, sleep::run(&payload, &context)).await,
            Self::Http(http) => Box::pin(http.run(&payload, &context)).await,
            Self::Chat(chat) => Box::pin(chat.run(&payload, &context)).await,
            Self::Callback(callback) => Box::pin(callback.run(&payload, &context)).await,
            Self::Command(command) => Box::pin(command.run(&payload, &context)).await,
            Self::Handler(call) => {
                until_stopped(&context, handler::run(&**call, payload, context.clone())).await
            }
            Self::Blocking(_) => {
                Outcome::fatal("wrong_lane", "a blocking handler must run in the thread lane")
            }
        };
        capped(outcome, max_bytes)
    }

    /// Runs one attempt of a blocking handler on the calling thread, and catches its panic.
    ///
    /// A thread cannot be stopped from outside, so the handler should check
    /// [`Context::is_stopped`]. If it returns an error after a stop, the outcome is usually that of
    /// the stop.
    pub fn run_blocking(&self, payload: Json, context: &Context) -> Outcome {
        let Self::Blocking(call) = self else {
            return Outcome::fatal(
                "wrong_lane",
                "only a blocking handler can run in the thread lane",
            );
        };
        let outcome = handler::run_blocking(&**call, payload, context);
        capped(outcome, context.max_result_bytes())
    }
}

/// Truncates a result to `max_bytes`. Every executor's outcome passes through here.
fn capped(outcome: Outcome, max_bytes: usize) -> Outcome {
    match outcome {
        Outcome::Completed(result) => Outcome::Completed(result.capped(max_bytes)),
        other => other,
    }
}
