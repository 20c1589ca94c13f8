//! Outcomes of attempts that panicked.

use std::any::Any;

use crate::job::outcome::Outcome;

/// Returns the outcome of an attempt that panicked with `payload`.
pub(crate) fn outcome(payload: &(dyn Any + Send)) -> Outcome {
    Outcome::retryable("panic", format!("the handler panicked: {}", message(payload)))
}

/// Returns the message of a panic. `panic!` carries a `&str` or a `String`, `panic_any` any type.
fn message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "(no message)"
    }
}
