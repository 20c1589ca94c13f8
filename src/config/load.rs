//! Reading the configuration from its sources.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::Config;
use crate::job::problem::Problem;

/// What begins the name of every variable that is read.
const PREFIX: &str = "LONGSHORE_";

/// Variables with the prefix that are the command line's own.
const NOT_CONFIG: [&str; 4] =
    ["LONGSHORE_URL", "LONGSHORE_CONFIG", "LONGSHORE_LOG", "LONGSHORE_LOG_FORMAT"];

/// What the command line sets; it wins over every other source.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--listen`.
    pub listen: Option<SocketAddr>,
    /// `--database`.
    pub database: Option<PathBuf>,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// The file is not TOML, or a field of it has the wrong form.
    #[error("in {}: {}", path.display(), with_form(error.to_string().trim_end()))]
    BadFile {
        /// Which file.
        path: PathBuf,
        /// What, with the line.
        error: toml::de::Error,
    },
    /// A variable names no field or has the wrong form.
    #[error("in the environment variables, at {name}: {why}")]
    BadVariable {
        /// Which variable.
        name: String,
        /// What.
        why: String,
    },
    /// Values that may not be, all of them.
    #[error("the configuration has {} problem(s):\n{}", .0.len(), list(.0))]
    Invalid(Vec<Problem>),
}

/// What the standard library says of an address, with the form that it wants.
fn with_form(why: &str) -> String {
    let is_of_address = why.ends_with("invalid socket address syntax");
    let form = if is_of_address { "; write it like 127.0.0.1:7373" } else { "" };
    format!("{why}{form}")
}

fn list(problems: &[Problem]) -> String {
    let lines: Vec<String> = problems
        .iter()
        .map(|problem| {
            let place = problem.pointer.trim_start_matches('/').replace('/', ".");
            format!("  {place}: {}", problem.detail)
        })
        .collect();
    lines.join("\n")
}

/// Reads the configuration: `file` if given, then `variables`, then `overrides`; checks it whole.
///
/// A variable's name is a path with `__` between its steps (`LONGSHORE_LANES__ASYNC=64`); its value
/// is read as TOML, and as text where it is none. Capitals mean small letters, but for the name of
/// a program's own variable: `LONGSHORE_COMMANDS__BACKUP__ENV__TOKEN` is `TOKEN` to the program.
///
/// # Errors
/// The first source that cannot be read, or else every value that may not be.
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

/// Which database the configuration names. The rest of it has to be readable and need not be right:
/// a copy can be made where the keys of the server are not at hand.
///
/// # Errors
/// The first source that cannot be read, or a database that may not be.
pub fn load_database(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<PathBuf, ConfigError> {
    let config = decode(read(file, variables)?)?;
    let mut problems = config.problems();
    problems.retain(|problem| problem.pointer == "/database");
    if problems.is_empty() { Ok(config.database) } else { Err(ConfigError::Invalid(problems)) }
}

/// The file, and the variables laid over it.
fn read(
    file: Option<&Path>,
    variables: impl IntoIterator<Item = (String, String)>,
) -> Result<Table, ConfigError> {
    let mut table = match file {
        Some(path) => read_file(path)?,
        None => Table::new(),
    };
    for (name, value) in variables {
        if name.starts_with(PREFIX) && !NOT_CONFIG.contains(&name.as_str()) {
            set_variable(&mut table, &name, &value)?;
        }
    }
    Ok(table)
}

fn read_file(path: &Path) -> Result<Table, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::Unreadable { path: path.into(), error })?;
    let bad = |error| ConfigError::BadFile { path: path.into(), error };
    // Once as what it must become, for then an error shows its line; once as what others overlay.
    toml::from_str::<Config>(&text).map_err(bad)?;
    toml::from_str::<Table>(&text).map_err(bad)
}

fn set_variable(table: &mut Table, name: &str, text: &str) -> Result<(), ConfigError> {
    let (path, value) = match of_a_program(&name[PREFIX.len()..]) {
        Some((path, own)) => ([path, vec![own.to_owned()]].concat(), text_of(text)),
        None => (steps(&name[PREFIX.len()..]), value_of(text)),
    };
    let Some((last, steps)) = path.split_last() else { return Ok(()) };
    let mut place = table;
    for step in steps {
        let inner = place.entry(step.as_str()).or_insert_with(|| Value::Table(Table::new()));
        let Value::Table(inner) = inner else {
            let why = format!("{step} is a value and has no fields");
            return Err(ConfigError::BadVariable { name: name.into(), why });
        };
        place = inner;
    }
    place.insert(last.clone(), value);
    Ok(())
}

fn steps(path: &str) -> Vec<String> {
    path.to_ascii_lowercase().split("__").map(str::to_owned).collect()
}

/// The path to a program's environment and the name of the variable that it sees, which is its own
/// to the letter; none where this is no such path.
fn of_a_program(path: &str) -> Option<(Vec<String>, &str)> {
    let mut parts = path.splitn(4, "__");
    let steps = steps(&[parts.next()?, parts.next()?, parts.next()?].join("__"));
    let own = parts.next()?;
    (steps[0] == "commands" && steps[2] == "env").then_some((steps, own))
}

/// A variable's text as TOML, or as a string where it is none.
fn value_of(text: &str) -> Value {
    let table = format!("value = {text}").parse::<Table>().ok();
    let value = table.filter(|table| table.len() == 1).and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.into()))
}

/// A variable's text as a string, whatever it looks like. One in quotes is read as TOML.
fn text_of(text: &str) -> Value {
    match value_of(text) {
        Value::String(text) => Value::String(text),
        _ => Value::String(text.into()),
    }
}

fn decode(table: Table) -> Result<Config, ConfigError> {
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let path = error.path().to_string();
        let name = format!("{PREFIX}{}", path.replace('.', "__").to_ascii_uppercase());
        ConfigError::BadVariable { name, why: with_form(error.inner().message()) }
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
    fn the_later_source_wins() {
        let text = "listen = '127.0.0.1:8'\nlanes = { async = 7, thread = 2 }\n[queues.mail]\nmax_running = 5\n\
                    [commands.hello]\nargv = ['echo']\nenv = { LANG = 'C' }";
        let config = load_file(text).unwrap();
        assert_eq!((config.lanes.async_, config.lanes.thread), (7, 3));
        assert_eq!(config.listen.port(), 9);
        assert_eq!(config.queues["mail"].max_running, Some(5));
        assert_eq!(config.commands["hello"].env["LANG"], "C");
    }

    #[test]
    fn variables_are_toml_or_text() {
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
    fn the_variables_of_a_program_keep_their_names_and_are_text() {
        let config = load_with(&[
            ("LONGSHORE_COMMANDS__E__ARGV", "['/usr/bin/env']"),
            ("LONGSHORE_COMMANDS__E__ENV__TOKEN", "x"),
            ("LONGSHORE_COMMANDS__E__ENV__Two__Parts", "8080"),
            ("LONGSHORE_COMMANDS__E__ENV__QUOTED", "'a b'"),
        ])
        .unwrap();
        let seen = [("QUOTED", "a b"), ("TOKEN", "x"), ("Two__Parts", "8080")];
        let env: Vec<(&str, &str)> =
            config.commands["e"].env.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(env, seen);
    }

    #[test]
    fn errors_name_the_line_or_the_variable() {
        let error = load_file("listen = '127.0.0.1:8'\nleese = '5m'").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("leese"), "{error}");
        let error = load_with(&[("LONGSHORE_LANES__ASYNC", "many")]).unwrap_err().to_string();
        assert!(error.contains("LONGSHORE_LANES__ASYNC"), "{error}");
        for error in [
            load_with(&[("LONGSHORE_LISTEN", "localhost:80")]).unwrap_err(),
            load_file("listen = 'localhost:80'").unwrap_err(),
        ] {
            let error = error.to_string();
            assert!(error.ends_with("write it like 127.0.0.1:7373"), "{error}");
        }
        let error = load_with(&[("LONGSHORE_LEESE", "5m")]).unwrap_err().to_string();
        assert!(error.contains("unknown field `leese`"), "{error}");
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let error = load_file("lease = '1s'\n[lanes]\nasync = 0\n[queues.mail]\nmax_running = 0")
            .unwrap_err()
            .to_string();
        for place in ["3 problem(s)", "lease:", "lanes.async:", "queues.mail.max_running:"] {
            assert!(error.contains(place), "{place} is missing in {error}");
        }
    }
}
