//! Logs, written to stderr.

use std::io;
use std::str::FromStr;

use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Default log filter: this crate's messages from level `info`, warnings of all libraries.
///
/// `actix_http` is off because it logs an error for every client that sends malformed HTTP.
pub(crate) const DEFAULT_FILTER: &str = "warn,longshore=info,actix_http=off";

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

/// Error for a log filter that cannot be parsed.
#[derive(Debug, thiserror::Error)]
#[error("invalid log filter: {0}")]
pub(crate) struct InvalidLogFilter(#[from] tracing_subscriber::filter::ParseError);

/// Starts logging to stderr. Has no effect if the process has already set up logging.
///
/// `filter` consists of directives that are separated by commas: a level for all modules (`info`), or
/// a level for the modules below a path (`longshore::store=debug`). An empty filter, for example from
/// an environment variable that is set to the empty string, means [`DEFAULT_FILTER`].
///
/// # Errors
/// Returns [`InvalidLogFilter`] if `filter` cannot be parsed.
pub(crate) fn start(filter: &str, format: LogFormat, colour: bool) -> Result<(), InvalidLogFilter> {
    let filter = if filter.trim().is_empty() { DEFAULT_FILTER } else { filter };
    // `Targets` and not `EnvFilter`, which would add a regular expression engine to the build.
    let filter: Targets = filter.parse()?;
    let logs = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_writer(io::stderr).with_ansi(colour);
    // The error means that a `tracing` subscriber is already set, as in a test; it stays in place.
    let _ = match format {
        LogFormat::Text => logs.with(lines).try_init(),
        LogFormat::Json => logs.with(lines.json().flatten_event(true)).try_init(),
    };
    Ok(())
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
