//! Outcomes of attempts that panicked.

use std::any::Any;
use std::backtrace::{Backtrace, BacktraceStatus};
use std::cell::RefCell;
use std::panic::PanicHookInfo;
use std::sync::Once;

use crate::job::attempt::{AttemptDetail, MAX_TEXT_BYTES, head_and_tail};
use crate::job::outcome::Outcome;

thread_local! {
    /// Place and backtrace of the latest panic of this thread.
    static LATEST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes the place of each later panic known to [`outcome`], because the payload of a panic does not
/// contain it. The hook that was installed before is called too.
pub(super) fn install_hook() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let description = describe(info);
            // Fails only while the thread ends, when no attempt runs on it.
            let _ = LATEST.try_with(|latest| latest.replace(Some(description)));
            previous(info);
        }));
    });
}

/// Returns the place of a panic, with a backtrace if `RUST_BACKTRACE` asks for one.
fn describe(info: &PanicHookInfo<'_>) -> String {
    let place = info.location().map_or_else(|| "an unknown place".into(), ToString::to_string);
    let backtrace = Backtrace::capture();
    match backtrace.status() {
        BacktraceStatus::Captured => format!("panicked at {place}\n{backtrace}"),
        _ => format!("panicked at {place}"),
    }
}

/// Returns the outcome of an attempt that panicked with `payload` on this thread.
pub(crate) fn outcome(payload: &(dyn Any + Send)) -> Outcome {
    let message = message(payload);
    let place = LATEST.try_with(RefCell::take).ok().flatten();
    let traceback = match place {
        Some(place) => format!("{message}\n{place}"),
        None => message.to_owned(),
    };
    let traceback = Some(head_and_tail(&traceback, MAX_TEXT_BYTES));
    Outcome::retryable("panic", format!("the handler panicked: {message}"))
        .with_detail(AttemptDetail { traceback, ..AttemptDetail::default() })
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
