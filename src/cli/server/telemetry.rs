//! Logs, written to stderr.

mod filter;
mod queue;
mod repeats;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io;
use std::panic::PanicHookInfo;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use filter::InvalidLogFilter;
use queue::LogQueue;
use repeats::{Decision, Repeats};

pub(crate) use filter::DEFAULT_FILTER;

/// Maximum time for which the end of the process waits for its last log lines.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Format of a log line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// Error for a text that is not the name of a log format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown log format; must be text or json")]
pub(crate) struct InvalidLogFormat;

impl FromStr for LogFormat {
    type Err = InvalidLogFormat;

    fn from_str(word: &str) -> Result<Self, InvalidLogFormat> {
        match word {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(InvalidLogFormat),
        }
    }
}

/// Error when logging cannot be started.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    /// The filter cannot be parsed; correct it.
    #[error(transparent)]
    Filter(#[from] InvalidLogFilter),
    /// The thread that writes the lines cannot be started.
    #[error("cannot start a thread for the log: {0}")]
    Thread(#[from] io::Error),
}

/// The queue of the process's log, once logging has started.
static QUEUE: OnceLock<LogQueue> = OnceLock::new();

/// Starts logging to stderr. Has no effect if the process has already set up logging.
///
/// The lines are written by a thread of their own, see [`queue`]. Panics are logged as well. The end of
/// the process must call [`flush`].
///
/// # Errors
/// Returns [`LogError`] if `filter` cannot be parsed, or the thread cannot be started.
pub(crate) fn start(filter: &str, format: LogFormat, colour: bool) -> Result<(), LogError> {
    let filter = filter::parse(filter)?;
    let repeats = Arc::<Repeats>::default();
    let queue = LogQueue::start(io::stderr(), Arc::clone(&repeats))?;
    let limit = RepeatLimit { repeats, queue: queue.clone() };
    let logs = tracing_subscriber::registry().with(filter).with(limit);
    let lines = fmt::layer().with_writer(queue.clone()).with_ansi(colour);
    let started = match format {
        LogFormat::Text => logs.with(lines).try_init(),
        LogFormat::Json => logs.with(lines.json().flatten_event(true)).try_init(),
    };
    // The error means that a `tracing` subscriber is already set, as in a test; it stays in place.
    if started.is_ok() && QUEUE.set(queue).is_ok() {
        std::panic::set_hook(Box::new(log_panic));
    }
    Ok(())
}

/// Waits until all log lines are written, at most for [`FLUSH_TIMEOUT`]. Returns whether stderr can be
/// written; otherwise a write may wait forever, for example for the reader of a pipe.
pub(crate) fn flush() -> bool {
    QUEUE.get().is_none_or(|queue| queue.flush(FLUSH_TIMEOUT))
}

/// Logs a panic. The default hook writes to stderr directly, and would wait for its reader.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("unnamed");
    let location = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("(no message)");
    let backtrace = Backtrace::capture();
    if backtrace.status() == BacktraceStatus::Captured {
        tracing::error!(thread, location, %backtrace, "panicked: {message}");
    } else {
        tracing::error!(thread, location, "panicked: {message}");
    }
}

/// Leaves out repeated lines, see [`repeats`].
struct RepeatLimit {
    repeats: Arc<Repeats>,
    queue: LogQueue,
}

impl<S: Subscriber> Layer<S> for RepeatLimit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        match self.repeats.decide(event, Instant::now()) {
            Decision::Log => true,
            Decision::LeaveOut { is_first } => {
                if is_first {
                    self.queue.note_repeated();
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invalid_filter_and_an_unknown_format_are_refused() {
        assert!(start("longshore=loud", LogFormat::Text, false).is_err());
        assert_eq!("xml".parse::<LogFormat>(), Err(InvalidLogFormat));
    }
}
