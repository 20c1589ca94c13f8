//! Logs: what the server tells its operator, on stderr.

use std::io;
use std::str::FromStr;

use tracing_subscriber::EnvFilter;

/// What is logged unless the operator says otherwise: what matters, and of the libraries only
/// warnings. What clients send that is no HTTP is an error to `actix_http` and none of ours.
pub const DEFAULT_FILTER: &str = "warn,longshore=info,actix_http=off";

/// How a log line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// A word that names no log format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a log format: text or json")]
pub struct NotAFormat;

impl FromStr for LogFormat {
    type Err = NotAFormat;

    fn from_str(word: &str) -> Result<Self, NotAFormat> {
        match word {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(NotAFormat),
        }
    }
}

/// A filter that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("not a log filter: {0}")]
pub struct NotAFilter(#[from] tracing_subscriber::filter::ParseError);

/// Begins to log to stderr. A process that logs already goes on as it did.
///
/// `filter` holds directives such as `info` or `warn,longshore=debug`; an empty one, as of a
/// variable that is set to nothing, is the default.
///
/// # Errors
/// Where `filter` cannot be read.
pub fn start(filter: &str, format: LogFormat, colour: bool) -> Result<(), NotAFilter> {
    let filter = if filter.trim().is_empty() { DEFAULT_FILTER } else { filter };
    let filter = EnvFilter::builder().parse(filter)?;
    let logs =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(colour);
    // An error says that a subscriber is set already, as in a test; it may stay.
    let _ = match format {
        LogFormat::Text => logs.try_init(),
        LogFormat::Json => logs.json().flatten_event(true).try_init(),
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_filter_is_refused() {
        assert!(start("longshore=loud", LogFormat::Text, false).is_err());
        assert_eq!("xml".parse::<LogFormat>(), Err(NotAFormat));
    }
}
