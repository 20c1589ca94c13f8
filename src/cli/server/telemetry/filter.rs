//! The log filter: which lines are written.

use tracing_subscriber::filter::{LevelFilter, ParseError, Targets};

/// Default log filter: this crate's messages from level `info`, warnings of all libraries.
///
/// `actix_http` is off because it logs an error for every client that sends malformed HTTP.
pub(crate) const DEFAULT_FILTER: &str = "warn,longshore=info,actix_http=off";

/// Error for a log filter that cannot be parsed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidLogFilter {
    /// A directive has no valid level. The parser of `Targets` takes a single word that is no level as
    /// the name of a module, which silences all other modules.
    #[error(
        "{0:?} is not a level; use off, error, warn, info, debug or trace, or a level of a module such as longshore=debug"
    )]
    UnknownLevel(String),
    /// The name of a module has a character that no name has, such as a space or a semicolon between
    /// two directives.
    #[error("{0:?} is not the name of a module; separate directives by commas")]
    BadModule(String),
    /// The filter would silence the server, most likely because a name is misspelt.
    #[error(
        "the filter selects no line of longshore; add a level for all modules, such as warn, or one for longshore, such as longshore=off"
    )]
    Silent,
    /// A directive is malformed.
    #[error("invalid log filter: {0}")]
    Malformed(#[from] ParseError),
}

/// Parses directives that are separated by commas: a level for all modules (`info`), or a level for the
/// modules below a path (`longshore::store=debug`). An empty filter, for example from an environment
/// variable that is set to the empty string, means [`DEFAULT_FILTER`].
pub(super) fn parse(filter: &str) -> Result<Targets, InvalidLogFilter> {
    let filter = if filter.trim().is_empty() { DEFAULT_FILTER } else { filter };
    let directives: Vec<&str> =
        filter.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    let mut is_silent = true;
    for directive in &directives {
        let (module, level) = directive.rsplit_once('=').unwrap_or(("", directive));
        // An empty level would be parsed as `error`.
        if level.is_empty() || level.parse::<LevelFilter>().is_err() {
            return Err(InvalidLogFilter::UnknownLevel(level.to_owned()));
        }
        if !module.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-')) {
            return Err(InvalidLogFilter::BadModule(module.to_owned()));
        }
        is_silent &= !(module.is_empty() || module.split("::").next() == Some("longshore"));
    }
    if is_silent {
        return Err(InvalidLogFilter::Silent);
    }
    // `Targets` and not `EnvFilter`, which would add a regular expression engine to the build.
    Ok(directives.join(",").parse()?)
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::filter::LevelFilter;

    use super::*;

    #[test]
    fn levels_and_levels_of_modules_are_accepted() {
        for good in ["info", "WARN", "off", "longshore=debug", "warn, longshore::store=trace", "warn,"]
        {
            assert!(parse(good).is_ok(), "{good}");
        }
        for empty in ["", "  "] {
            assert_eq!(parse(empty).unwrap(), DEFAULT_FILTER.parse().unwrap());
        }
        assert_eq!(parse("warn").unwrap().default_level(), Some(LevelFilter::WARN));
    }

    #[test]
    fn a_misspelt_level_is_refused_with_the_list_of_levels() {
        for (bad, level) in [
            ("inof", "inof"),
            ("warn,inof", "inof"),
            ("longshore=loud", "loud"),
            ("longshore=", ""),
            ("longshore", "longshore"),
            ("warning", "warning"),
        ] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{level:?} is not a level")), "{bad}: {error}");
            assert!(error.contains("off, error, warn, info, debug or trace"), "{bad}: {error}");
        }
    }

    #[test]
    fn a_filter_that_would_silence_the_server_is_refused_unless_it_says_so() {
        for bad in ["longshor=debug", "actix_web=info", "actix_web=info,longshorestore=debug"] {
            assert!(matches!(parse(bad), Err(InvalidLogFilter::Silent)), "{bad}");
        }
        for bad in ["info;longshore=debug", "info longshore=debug", "info,long shore=debug"] {
            assert!(matches!(parse(bad), Err(InvalidLogFilter::BadModule(_))), "{bad}");
        }
        assert!(parse("longshore=off").is_ok() && parse("off").is_ok());
    }
}
