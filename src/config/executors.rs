//! What jobs may reach: model servers, programs, other servers.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;
use crate::job::submission::MAX_TIMEOUT;
use crate::job::time::Span;

/// A value that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Keeps `value` from being printed.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself, for the one call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// How calls to other servers are made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OutboundConfig {
    /// How long a connection may take to be made, with TLS where it is used.
    pub connect_timeout: Span,
    /// How many connections each of the lane's threads may hold.
    pub max_connections: usize,
    /// Certificates in PEM form to trust besides the public ones.
    pub ca_file: Option<PathBuf>,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self { connect_timeout: Span::from_secs(10), max_connections: 4_096, ca_file: None }
    }
}

impl OutboundConfig {
    /// What is wrong with these values.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.connect_timeout.millis() == 0 || self.connect_timeout > Span::from_secs(300) {
            problems.push(Problem::new("/connect_timeout", "lies between 1ms and 5m"));
        }
        if !(1..=65_536).contains(&self.max_connections) {
            problems.push(Problem::new("/max_connections", "lies between 1 and 65536"));
        }
        problems
    }
}

/// A model server that speaks the OpenAI chat-completions form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProviderConfig {
    /// Where it is, up to and without `/chat/completions`, for example `https://api.openai.com/v1`.
    pub base_url: String,
    /// The environment variable that holds its key, sent as a bearer token.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// How many calls to it run at once.
    #[serde(default)]
    pub max_running: Option<u32>,
    /// How many calls to it start in a minute.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
}

impl ProviderConfig {
    /// What is wrong with these values.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(why) = check_base_url(&self.base_url) {
            problems.push(Problem::new("/base_url", why));
        }
        if let Some(name) = &self.api_key_env
            && let Err(why) = check_key(std::env::var_os(name).as_deref())
        {
            let why = format!("names the environment variable {name}, which {why}");
            problems.push(Problem::new("/api_key_env", why));
        }
        if self.max_running == Some(0) {
            problems.push(Problem::new("/max_running", "is at least 1"));
        }
        if self.requests_per_minute == Some(0) {
            problems.push(Problem::new("/requests_per_minute", "is at least 1"));
        }
        problems
    }

    /// The key, from the environment.
    pub fn api_key(&self) -> Option<Secret> {
        std::env::var(self.api_key_env.as_ref()?).ok().map(Secret::new)
    }
}

/// Checks what the address of a model server begins with, for paths are set behind it.
fn check_base_url(url: &str) -> Result<(), &'static str> {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let Some(rest) = rest else { return Err("begins with http:// or https://") };
    if !rest.bytes().all(|letter| letter.is_ascii_graphic()) {
        return Err("holds a space or another letter that no URL has; write it percent-encoded");
    }
    if rest.contains(['?', '#']) {
        return Err("ends with its path; a query cannot stand before /chat/completions");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return Err("holds a user or password; name a key with api_key_env");
    }
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    };
    if host.is_empty() {
        return Err("names no host");
    }
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    if port.is_none_or(is_port) { Ok(()) } else { Err("names a port that is not one") }
}

/// Checks that a key can be sent: a bearer token is one word of ASCII (RFC 6750).
fn check_key(key: Option<&OsStr>) -> Result<(), &'static str> {
    let Some(key) = key else { return Err("is not set") };
    let Some(key) = key.to_str() else { return Err("is not UTF-8") };
    if key.is_empty() {
        return Err("is empty");
    }
    if !key.bytes().all(|letter| letter.is_ascii_graphic()) {
        return Err("holds a line break, a space or another letter that no key has");
    }
    Ok(())
}

/// A program that `command` jobs may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandConfig {
    /// The program and its first arguments; those of the job come behind.
    pub argv: Vec<String>,
    /// The directory in which it runs; that of the server if left out.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// The environment it sees: names and values.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Variables of the server's own environment that it sees as well, by name.
    #[serde(default)]
    pub env_from: Vec<String>,
    /// How long it may run, if that is shorter than the job's own limit.
    #[serde(default)]
    pub timeout: Option<Span>,
}

impl CommandConfig {
    /// What is wrong with these values.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.argv.first().is_none_or(String::is_empty) {
            problems.push(Problem::new("/argv", "names the program to run"));
        }
        if self.argv.iter().any(|arg| arg.contains('\0')) {
            problems.push(Problem::new("/argv", "holds a NUL character"));
        }
        if let Some(cwd) = &self.cwd
            && !cwd.is_dir()
        {
            problems.push(Problem::new("/cwd", format!("{} is no directory", cwd.display())));
        }
        let is_bad = |name: &String| name.is_empty() || name.contains(['=', '\0']);
        if self.env.keys().any(is_bad) || self.env.values().any(|value| value.contains('\0')) {
            let why = "a name is not empty and has no '='; neither it nor a value has a NUL";
            problems.push(Problem::new("/env", why));
        }
        for (index, name) in self.env_from.iter().enumerate() {
            if is_bad(name) || std::env::var_os(name).is_none() {
                let why = format!("names the environment variable {name}, which is not set");
                problems.push(Problem::new(format!("/env_from/{index}"), why));
            }
        }
        if self.timeout.is_some_and(|timeout| timeout.millis() == 0 || timeout > MAX_TIMEOUT) {
            problems.push(Problem::new("/timeout", format!("lies between 1ms and {MAX_TIMEOUT}")));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn a_base_url_leads_to_a_host() {
        for good in ["http://a", "https://a.example:8443/v1/", "http://[::1]:80", "http://[::1]/v1"]
        {
            assert_eq!(check_base_url(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a",
            "ftp://a",
            "http://",
            "http:///v1",
            "http://a b",
            "http://a\n",
            "http://ä",
            "http://:80",
            "http://a:",
            "http://a:0",
            "http://a:99999",
            "http://a:b",
            "http://user@a",
            "http://a/v1?x=1",
        ] {
            assert!(check_base_url(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_one_word() {
        assert_eq!(check_key(Some(OsStr::new("sk-a/b+c=="))), Ok(()));
        assert_eq!(check_key(None), Err("is not set"));
        assert_eq!(check_key(Some(OsStr::new(""))), Err("is empty"));
        assert_eq!(check_key(Some(OsStr::from_bytes(b"\xff"))), Err("is not UTF-8"));
        for bad in ["sk\n", "s k", "ä", "\0"] {
            assert!(check_key(Some(OsStr::new(bad))).is_err(), "{bad:?}");
        }
    }
}
