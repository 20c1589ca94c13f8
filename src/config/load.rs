//! Reads the configuration from its sources.

mod service_variables;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use crate::config::load::service_variables::is_of_a_service;
use crate::config::{Config, ListenAddress};
use crate::job::problem::Problem;
use crate::job::problem::adapter::object_structs;
use crate::job::problem::encoding::text_start;

/// Prefix of the environment variables that are read.
const PREFIX: &str = "LONGSHORE_";

/// Variables with the prefix that belong to the command line or to the Python client and are not settings.
const CLI_VARIABLES: [&str; 8] = [
    "LONGSHORE_BINARY",
    "LONGSHORE_URL",
    "LONGSHORE_CA",
    "LONGSHORE_KEY",
    "LONGSHORE_FIRST_KEY",
    "LONGSHORE_CONFIG",
    "LONGSHORE_LOG",
    "LONGSHORE_LOG_FORMAT",
];

/// Settings that are lists, as paths in which `*` is any name.
const LISTS: [&[&str]; 11] = [
    &["hosts"],
    &["allow_origins"],
    &["listen"],
    &["trusted_proxies"],
    &["remote_kinds"],
    &["outbound", "allow_networks"],
    &["outbound", "allow_hosts"],
    &["outbound", "deny_hosts"],
    &["secrets", "*", "hosts"],
    &["commands", "*", "argv"],
    &["commands", "*", "env_from"],
];

/// Tables of texts by name, as paths in which `*` is any name. The names keep their case, and the values are
/// always texts.
const TEXT_TABLES: [[&str; 3]; 3] =
    [["commands", "*", "env"], ["providers", "*", "query"], ["providers", "*", "headers"]];

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
    /// Values of `--listen`. If there is any, the addresses of other sources are not used.
    pub listen: Vec<ListenAddress>,
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

/// Replaces the names of Rust types in an error by descriptions.
fn plain(error: &str) -> String {
    let mut text = error.to_owned();
    for (name, words) in TYPE_NAMES {
        text = text.replace(name, words);
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
/// `LONGSHORE_LANES__ASYNC=64`. Its value is parsed as TOML, or used as a string if it is not TOML. The
/// value of a list may also be its entries with commas in between: `LONGSHORE_HOSTS=a.example,b.example`.
/// Names are converted to lowercase, except for the environment variables of a command, and the headers and
/// query parameters of a provider: `LONGSHORE_COMMANDS__BACKUP__ENV__TOKEN` sets `TOKEN` for the program.
///
/// Variables that Kubernetes sets for a Service whose name starts with `longshore` are ignored, with a
/// line in the log.
///
/// # Errors
/// Returns an error for the first source that cannot be read, or [`ConfigError::Invalid`] with all
/// values that are not allowed.
pub fn load(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
    overrides: &Overrides,
) -> Result<Config, ConfigError> {
    let mut config = decode(read(file, variables)?)?;
    if !overrides.listen.is_empty() {
        config.listen.clone_from(&overrides.listen);
    }
    if let Some(database) = &overrides.database {
        config.database = database.clone().into();
    }
    let problems = config.problems();
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
}

/// Reads the path of the database from the configuration, as [`load_unchecked`] does.
///
/// # Errors
/// The same as [`load_unchecked`].
pub fn load_database(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<PathBuf, ConfigError> {
    Ok(load_unchecked(file, variables, None)?.database.into())
}

/// Reads the configuration for a tool that only uses the database, which `database` replaces if it is given.
///
/// The other settings must be readable, but their values are not checked, so that a backup can be
/// made without the keys of the providers.
///
/// # Errors
/// Returns an error for the first source that cannot be read, or [`ConfigError::Invalid`] if the
/// path is not allowed.
pub fn load_unchecked(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
    database: Option<PathBuf>,
) -> Result<Config, ConfigError> {
    let mut config = decode(read(file, variables)?)?;
    if let Some(database) = database {
        config.database = database.into();
    }
    let mut problems = config.problems();
    problems.retain(|problem| problem.pointer == "/database");
    if problems.is_empty() { Ok(config) } else { Err(ConfigError::Invalid(problems)) }
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
    let (mut names, mut of_services) = (BTreeMap::new(), Vec::new());
    for (name, value) in variables {
        if !name.starts_with(PREFIX) || CLI_VARIABLES.contains(&name.as_str()) {
            continue;
        }
        if is_of_a_service(&name, &value) {
            of_services.push(name);
        } else {
            let path = set_variable(&mut table, &name, &value)?;
            if let Some(other) = names.insert(path, name.clone()) {
                let why = format!("sets the same value as {other}; remove one of them");
                return Err(ConfigError::BadVariable { name, why });
            }
        }
    }
    if !of_services.is_empty() {
        of_services.sort_unstable();
        let variables = of_services.join(", ");
        tracing::info!(variables, "ignored variables that Kubernetes sets for a Service");
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
    let read = |config| Config::deserialize(object_structs(config)).map_err(|error| error.0);
    config.and_then(read).map_err(bad_file)?;
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
    let (path, value) = match text_table_path(&name[PREFIX.len()..]) {
        Some((path, key)) => ([path, vec![key.to_owned()]].concat(), parse_string(text)),
        None => {
            let path = segments(&name[PREFIX.len()..]);
            let value = if is_list(&path) { parse_list(text) } else { parse_value(text) };
            (path, value)
        }
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

/// Splits `COMMANDS__NAME__ENV__VARIABLE` into the path of a table of texts and a name in it, which keeps its
/// case. Returns `None` for any other path.
fn text_table_path(path: &str) -> Option<(Vec<String>, &str)> {
    let mut parts = path.splitn(4, "__");
    let segments = segments(&[parts.next()?, parts.next()?, parts.next()?].join("__"));
    let key = parts.next()?;
    TEXT_TABLES.iter().any(|pattern| matches(pattern, &segments)).then_some((segments, key))
}

/// Returns whether a path has the form of a pattern, in which `*` is any name.
fn matches(pattern: &[&str], path: &[String]) -> bool {
    pattern.len() == path.len()
        && pattern.iter().zip(path).all(|(part, segment)| *part == "*" || part == segment)
}

/// Returns whether the setting at a path is a list.
fn is_list(path: &[String]) -> bool {
    LISTS.iter().any(|pattern| matches(pattern, path))
}

/// Parses a variable's value as a TOML array, or splits it at its commas: `a, b` is `["a", "b"]`, and
/// the empty text is the empty list.
///
/// A text that starts with a bracket and is no array is returned as it is, so that it is refused.
fn parse_list(text: &str) -> Value {
    match parse_value(text) {
        value @ (Value::Array(_) | Value::Table(_)) => value,
        _ if is_broken_list(text) => Value::String(text.into()),
        value => {
            let text = value.as_str().unwrap_or(text).trim();
            let entries = text.split(',').map(|entry| Value::String(entry.trim().into()));
            Value::Array(if text.is_empty() { Vec::new() } else { entries.collect() })
        }
    }
}

/// Returns whether a text that is no TOML starts like an array or a table, and not with an IPv6 address.
fn is_broken_list(text: &str) -> bool {
    let first = text.split(',').next().unwrap_or_default().trim();
    first.starts_with(['[', '{']) && first.parse::<SocketAddr>().is_err()
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
    serde_path_to_error::deserialize(object_structs(Value::Table(table))).map_err(|error| {
        let path = error.path().to_string();
        let name = format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase());
        ConfigError::BadVariable { name, why: plain(error.inner().0.message()) }
    })
}

#[cfg(test)]
mod tests;
