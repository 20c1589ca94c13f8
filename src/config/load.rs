//! Reads the configuration from its sources.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use crate::config::Config;
use crate::job::encoding::text_start;
use crate::job::object_structs::ObjectStructs;
use crate::job::problem::Problem;

/// Prefix of the environment variables that are read.
const PREFIX: &str = "LONGSHORE_";

/// Variables with the prefix that belong to the command line and are not settings.
const CLI_VARIABLES: [&str; 4] =
    ["LONGSHORE_URL", "LONGSHORE_CONFIG", "LONGSHORE_LOG", "LONGSHORE_LOG_FORMAT"];

/// Rust types in the messages of serde, and the descriptions that replace them.
const TYPE_NAMES: [(&str, &str); 4] = [
    ("expected u32", "expected a whole number from 0 to 4294967295"),
    ("expected u64", "expected a whole number of 0 or more"),
    ("expected usize", "expected a whole number of 0 or more"),
    ("expected f64", "expected a number"),
];

/// Settings from command-line flags, which override every other source.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// Value of `--listen`.
    pub listen: Option<SocketAddr>,
    /// Value of `--database`.
    pub database: Option<PathBuf>,
}

/// Error when the configuration is read or checked.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read; check its path and permissions.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// The file is not TOML, has an unknown field, or a field has the wrong type.
    #[error("in {}: {}", path.display(), plain(error.to_string().trim_end()))]
    BadFile {
        /// Path of the file.
        path: PathBuf,
        /// Error of the TOML parser, with the line.
        error: toml::de::Error,
    },
    /// An environment variable names an unknown field or has a value of the wrong type.
    #[error("in the environment variables, at {name}: {why}")]
    BadVariable {
        /// Name of the variable.
        name: String,
        /// Description of the problem.
        why: String,
    },
    /// Some values are not allowed. Lists all of them.
    #[error("the configuration has {} problem(s):\n{}", .0.len(), list(.0))]
    Invalid(Vec<Problem>),
}

/// Replaces the names of Rust types in an error by descriptions, and appends an example to the
/// standard library's error for an invalid address.
fn plain(error: &str) -> String {
    let mut text = error.to_owned();
    for (name, words) in TYPE_NAMES {
        text = text.replace(name, words);
    }
    if text.ends_with("invalid socket address syntax") {
        text.push_str("; write it like 127.0.0.1:7373");
    }
    text
}

/// Formats problems as indented lines, with the path of the setting in TOML form.
fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let path = problem.pointer.trim_start_matches('/').replace('/', ".");
            format!("  {path}: {}", problem.detail)
        })
        .collect();
    lines.join("\n")
}

/// Reads the configuration from `file` (if given), `variables` and `overrides`, and checks it.
///
/// The name of a variable is the path of a setting with `__` between its segments, for example
/// `LONGSHORE_LANES__ASYNC=64`. Its value is parsed as TOML, or used as a string if it is not TOML.
/// Names are converted to lowercase, except for the environment variables of a command:
/// `LONGSHORE_COMMANDS__BACKUP__ENV__TOKEN` sets `TOKEN` for the program.
///
/// # Errors
/// Returns an error for the first source that cannot be read, or [`ConfigError::Invalid`] with all
/// values that are not allowed.
pub fn load(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
    overrides: &Overrides,
) -> Result<Config, ConfigError> {
    let mut table = read(file, variables)?;
    if let Some(listen) = overrides.listen {
        table.insert("listen".into(), Value::String(listen.to_string()));
    }
    let mut config = decode(table)?;
    if let Some(database) = &overrides.database {
        config.database.clone_from(database);
    }
    let problems = config.problems();
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
}

/// Reads the path of the database from the configuration.
///
/// The other settings must be readable, but their values are not checked, so that a backup can be
/// made without the server's API keys.
///
/// # Errors
/// Returns an error for the first source that cannot be read, or [`ConfigError::Invalid`] if the
/// path is not allowed.
pub fn load_database(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<PathBuf, ConfigError> {
    let config = decode(read(file, variables)?)?;
    let mut problems = config.problems();
    problems.retain(|problem| problem.pointer == "/database");
    if problems.is_empty() { Ok(config.database) } else { Err(ConfigError::Invalid(problems)) }
}

/// Reads the file and sets the values of the variables in it.
fn read(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Table, ConfigError> {
    let mut table = match file {
        Some(path) => read_file(path)?,
        None => Table::new(),
    };
    let mut names = BTreeMap::new();
    for (name, value) in variables {
        if name.starts_with(PREFIX) && !CLI_VARIABLES.contains(&name.as_str()) {
            let path = set_variable(&mut table, &name, &value)?;
            if let Some(other) = names.insert(path, name.clone()) {
                let why = format!("sets the same value as {other}; remove one of them");
                return Err(ConfigError::BadVariable { name, why });
            }
        }
    }
    Ok(table)
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text =
        read_text(path).map_err(|error| ConfigError::Unreadable { path: path.into(), error })?;
    let bad_file = |error| ConfigError::BadFile { path: path.into(), error };
    // The file is parsed twice: as a `Config`, so that errors show the line, and as a table, in
    // which the other sources are set.
    let config = toml::Deserializer::parse(&text);
    config.and_then(|config| Config::deserialize(ObjectStructs(config))).map_err(bad_file)?;
    toml::from_str::<Table>(&text).map_err(bad_file)
}

/// Reads a file in UTF-8, without its byte order mark.
fn read_text(path: &Path) -> Result<String, io::Error> {
    let mut bytes = std::fs::read(path)?;
    let start = text_start(&bytes).map_err(io::Error::other)?;
    bytes.drain(..start);
    String::from_utf8(bytes).map_err(io::Error::other)
}

/// Stores the value of a variable in the table, at the path that the name of the variable
/// describes. Returns the path.
fn set_variable(table: &mut Table, name: &str, text: &str) -> Result<Vec<String>, ConfigError> {
    let (path, value) = match command_env_path(&name[PREFIX.len()..]) {
        Some((path, env_name)) => ([path, vec![env_name.to_owned()]].concat(), parse_string(text)),
        None => (segments(&name[PREFIX.len()..]), parse_value(text)),
    };
    let Some((last, parents)) = path.split_last() else { return Ok(path) };
    let mut parent = table;
    for segment in parents {
        let inner = parent.entry(segment.as_str()).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = inner else {
            let why = format!("{segment} is a single value and has no fields");
            return Err(ConfigError::BadVariable { name: name.into(), why });
        };
        parent = inner;
    }
    parent.insert(last.clone(), value);
    Ok(path)
}

/// Splits the name of a variable without its prefix into the segments of a path, in lowercase.
fn segments(path: &str) -> Vec<String> {
    path.to_ascii_lowercase().split("__").map(str::to_owned).collect()
}

/// Splits `COMMANDS__NAME__ENV__VARIABLE` into the path of the command's `env` table and the name
/// of the variable, which keeps its case. Returns `None` for any other path.
fn command_env_path(path: &str) -> Option<(Vec<String>, &str)> {
    let mut parts = path.splitn(4, "__");
    let segments = segments(&[parts.next()?, parts.next()?, parts.next()?].join("__"));
    let env_name = parts.next()?;
    (segments[0] == "commands" && segments[2] == "env").then_some((segments, env_name))
}

/// Parses a variable's value as TOML, or returns it as a string if it is not TOML.
fn parse_value(text: &str) -> Value {
    let table = format!("value = {text}").parse::<Table>().ok();
    let value = table.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.into()))
}

/// Returns a variable's value as a string, without the quotes if it is a TOML string. A value such
/// as `8080` stays a string.
fn parse_string(text: &str) -> Value {
    match parse_value(text) {
        Value::String(text) => Value::String(text),
        _ => Value::String(text.into()),
    }
}

/// Converts the merged table to a [`Config`]. The file was checked before, so an error is in a
/// variable.
fn decode(table: Table) -> Result<Config, ConfigError> {
    serde_path_to_error::deserialize(ObjectStructs(Value::Table(table))).map_err(|error| {
        let path = error.path().to_string();
        let name = format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase());
        ConfigError::BadVariable { name, why: plain(error.inner().message()) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Span;

    fn load_with(variables: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let owned = variables.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        load(None, owned, &Overrides::default())
    }

    fn load_file(text: &str) -> Result<Config, ConfigError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let variables = [("LONGSHORE_LANES__THREAD".to_string(), "3".to_string())];
        let listen = Some(SocketAddr::from(([127, 0, 0, 1], 9)));
        load(Some(file.path()), variables, &Overrides { listen, database: None })
    }

    #[test]
    fn a_later_source_overrides_an_earlier_one() {
        let text = "listen = '127.0.0.1:8'\nlanes = { async = 7, thread = 2 }\n\
                    [queues.mail]\nmax_running = 5\n\
                    [commands.hello]\nargv = ['echo']\nenv = { LANG = 'C' }";
        let config = load_file(text).unwrap();
        assert_eq!((config.lanes.async_, config.lanes.thread), (7, 3));
        assert_eq!(config.listen.port(), 9);
        assert_eq!(config.queues["mail"].max_running, Some(5));
        assert_eq!(config.commands["hello"].env["LANG"], "C");
    }

    #[test]
    fn variables_are_toml_or_strings() {
        let config = load_with(&[
            ("LONGSHORE_LEASE", "10m"),
            ("LONGSHORE_LANES__ASYNC", "64"),
            ("LONGSHORE_PROVIDERS__LOCAL__BASE_URL", "http://127.0.0.1:1/v1"),
            ("LONGSHORE_PROVIDERS__LOCAL__MAX_RUNNING", "4"),
            ("LONGSHORE_URL", "http://127.0.0.1:7373"),
            ("PATH", "/bin"),
        ])
        .unwrap();
        assert_eq!(config.lease, Span::from_secs(600));
        assert_eq!(config.lanes.async_, 64);
        assert_eq!(config.providers["local"].max_running, Some(4));
    }

    #[test]
    fn variables_set_the_defaults_of_a_kind() {
        let config = load_with(&[
            ("LONGSHORE_KINDS__CHAT__QUEUE", "models"),
            ("LONGSHORE_KINDS__CHAT__TIMEOUT", "2m"),
            ("LONGSHORE_KINDS__CHAT__BACKOFF__INITIAL", "5s"),
        ])
        .unwrap();
        let chat = &config.kinds["chat"];
        assert_eq!(chat.queue.as_ref().map(|queue| queue.as_str()), Some("models"));
        assert_eq!((chat.timeout, chat.max_attempts), (Some(Span::from_secs(120)), None));
        assert_eq!(chat.backoff.unwrap().initial, Some(Span::from_secs(5)));
    }

    #[test]
    fn the_env_variables_of_a_command_keep_their_names_and_are_strings() {
        let config = load_with(&[
            ("LONGSHORE_COMMANDS__E__ARGV", "['/usr/bin/env']"),
            ("LONGSHORE_COMMANDS__E__ENV__TOKEN", "x"),
            ("LONGSHORE_COMMANDS__E__ENV__Two__Parts", "8080"),
            ("LONGSHORE_COMMANDS__E__ENV__QUOTED", "'a b'"),
        ])
        .unwrap();
        let expected = [("QUOTED", "a b"), ("TOKEN", "x"), ("Two__Parts", "8080")];
        let env: Vec<(&str, &str)> =
            config.commands["e"].env.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(env, expected);
    }

    #[test]
    fn errors_name_the_line_or_the_variable() {
        let error = load_file("listen = '127.0.0.1:8'\nleese = '5m'").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("leese"), "{error}");
        let error = load_with(&[("LONGSHORE_LANES__ASYNC", "many")]).unwrap_err().to_string();
        assert!(error.contains("LONGSHORE_LANES__ASYNC"), "{error}");
        assert!(error.contains("expected a whole number"), "{error}");
        for error in [
            load_with(&[("LONGSHORE_LISTEN", "localhost:80")]).unwrap_err(),
            load_file("listen = 'localhost:80'").unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.ends_with("write it like 127.0.0.1:7373"), "{error}");
        }
        let error = load_file("[kinds.chat]\nqueue = 'No'").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("must be 1 to 64 of"), "{error}");
        let error = load_with(&[("LONGSHORE_LEESE", "5m")]).unwrap_err().to_string();
        assert!(error.contains("unknown field `leese`"), "{error}");
    }

    #[test]
    fn all_problems_are_reported_at_once() {
        let text = "lease = '1s'\n[lanes]\nasync = 0\n[queues.mail]\nmax_running = 0\n\
                    [jobs]\ntimeout = '0s'\n[kinds.chat]\nmax_attempts = 0";
        let error = load_file(text).unwrap_err().to_string();
        for part in [
            "5 problem(s)",
            "lease:",
            "lanes.async:",
            "queues.mail.max_running:",
            "jobs.timeout:",
            "kinds.chat.max_attempts:",
        ] {
            assert!(error.contains(part), "{part} is missing in {error}");
        }
    }
}
