//! What a panic said.

use std::any::Any;

use crate::job::outcome::Outcome;

/// The outcome of an attempt that panicked with `payload`.
pub(crate) fn outcome(payload: &(dyn Any + Send)) -> Outcome {
    Outcome::retryable("panic", format!("the handler panicked: {}", message(payload)))
}

/// The message of a panic: `panic!` gives a `&str` or a `String`, `panic_any` whatever it likes.
fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(no message)"
    }
}
