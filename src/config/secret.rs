//! Secrets: values from the environment that are sent to other servers.

mod host;
mod private_file;

use std::ffi::OsStr;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;

pub use host::{InvalidSecretHost, SecretHost};
pub(crate) use private_file::warn_if_readable_by_others;

/// Minimum length of a value of `[secrets]`, in bytes. A shorter one also occurs in ordinary text, so it could
/// not be hidden in messages.
const MIN_VALUE_BYTES: usize = 6;

/// A secret value, whose `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// Reads the value of an environment variable. Returns `None` if it is not set or not UTF-8.
    pub(super) fn of_variable(name: &str) -> Option<Self> {
        std::env::var(name).ok().map(Self)
    }

    /// Returns the secret value.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// A secret that `http` jobs may use in headers, and the hosts to which it may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with value_env and hosts")]
pub struct SecretConfig {
    /// Name of the environment variable that holds the value.
    pub value_env: String,
    /// Hosts to which the value may be sent, at least one.
    pub hosts: Vec<SecretHost>,
}

impl SecretConfig {
    /// Returns the problems of these values.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let value = std::env::var_os(&self.value_env);
        let problem = variable_problem(&self.value_env).or_else(|| {
            let is_short = value.is_some_and(|value| value.len() < MIN_VALUE_BYTES);
            is_short.then(|| {
                let name = &self.value_env;
                format!(
                    "names the environment variable {name}, whose value is shorter than \
                     {MIN_VALUE_BYTES} bytes"
                )
            })
        });
        problems.extend(problem.map(|why| Problem::new("/value_env", why)));
        if self.hosts.is_empty() {
            problems.push(Problem::new("/hosts", "must list at least one host"));
        }
        problems
    }

    /// Reads the value from the environment. Returns `None` if the variable is not set.
    pub fn value(&self) -> Option<Secret> {
        Secret::of_variable(&self.value_env)
    }
}

/// Returns why the value of an environment variable cannot be sent as a key, with the name of the variable
/// and without its value.
pub(super) fn variable_problem(name: &str) -> Option<String> {
    let why = check_key(std::env::var_os(name).as_deref()).err()?;
    Some(format!("names the environment variable {name}, which {why}"))
}

/// Checks that a key can be sent in a header. Every printable ASCII character is allowed, which is more
/// than the grammar of bearer tokens in RFC 6750, section 2.1.
fn check_key(key: Option<&OsStr>) -> Result<(), &'static str> {
    let Some(key) = key else { return Err("is not set") };
    let Some(key) = key.to_str() else { return Err("is not UTF-8") };
    if key.is_empty() {
        return Err("is empty");
    }
    if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            "contains a line break, a space or another character that is not allowed in a key",
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_key_is_one_word_of_printable_ascii() {
        assert_eq!(check_key(Some(OsStr::new("sk-a/b+c=="))), Ok(()));
        assert_eq!(check_key(None), Err("is not set"));
        assert_eq!(check_key(Some(OsStr::new(""))), Err("is empty"));
        assert_eq!(check_key(Some(OsStr::from_bytes(b"\xff"))), Err("is not UTF-8"));
        for bad in ["sk\n", "s k", "ä", "\0"] {
            assert!(check_key(Some(OsStr::new(bad))).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_secret_needs_a_value_and_a_host() {
        let secret = SecretConfig { value_env: "LONGSHORE_TEST_NOT_SET".into(), hosts: Vec::new() };
        let problems = secret.problems();
        let pointers: Vec<_> = problems.iter().map(|problem| problem.pointer.as_str()).collect();
        assert_eq!(pointers, ["/value_env", "/hosts"]);
        let secret =
            SecretConfig { value_env: "PATH".into(), hosts: vec!["a.example".parse().unwrap()] };
        assert_eq!(secret.problems(), []);
        assert_eq!(format!("{:?}", secret.value()), "Some((secret))");
    }
}
