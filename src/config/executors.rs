//! Settings of the model servers and programs that jobs may use.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::http_url::{HttpUrl, InvalidUrl};
use crate::job::problem::Problem;
use crate::job::submission::MAX_TIMEOUT;
use crate::job::time::Span;

/// A secret value, whose `Debug` output hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
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

/// A model server with an OpenAI-style chat-completions API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with base_url")]
pub struct ProviderConfig {
    /// Base URL of the API, without `/chat/completions`, for example `https://api.openai.com/v1`.
    pub base_url: String,
    /// Name of the environment variable that holds the API key, which is sent as a bearer token.
    #[serde(default)]
    pub api_key_env: Option<String>,
    /// Maximum number of calls that run at once.
    #[serde(default)]
    pub max_running: Option<u32>,
    /// Maximum number of calls that start in any minute.
    #[serde(default)]
    pub requests_per_minute: Option<u32>,
}

impl ProviderConfig {
    /// Returns the problems of these values.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(why) = HttpUrl::parse_base(&self.base_url) {
            let why = match why {
                InvalidUrl::Credentials => {
                    "must not contain a user name or password; use api_key_env for the API key"
                        .into()
                }
                why => why.to_string(),
            };
            problems.push(Problem::new("/base_url", why));
        }
        if let Some(name) = &self.api_key_env
            && let Err(why) = check_key(std::env::var_os(name).as_deref())
        {
            let why = format!("names the environment variable {name}, which {why}");
            problems.push(Problem::new("/api_key_env", why));
        }
        if self.max_running == Some(0) {
            problems.push(Problem::new("/max_running", "must be at least 1"));
        }
        if self.requests_per_minute == Some(0) {
            problems.push(Problem::new("/requests_per_minute", "must be at least 1"));
        }
        problems
    }

    /// Reads the API key from the environment. Returns `None` if `api_key_env` is absent or the
    /// variable is not set.
    pub fn api_key(&self) -> Option<Secret> {
        std::env::var(self.api_key_env.as_ref()?).ok().map(Secret::new)
    }
}

/// Checks that a key can be sent as a bearer token. Every printable ASCII character is allowed,
/// which is more than the grammar of RFC 6750, section 2.1.
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

/// A program that `command` jobs may run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with argv")]
pub struct CommandConfig {
    /// Program and its first arguments. The arguments of the job are appended.
    pub argv: Vec<String>,
    /// Working directory of the program; that of the server if omitted.
    #[serde(default)]
    pub cwd: Option<PathBuf>,
    /// Environment variables of the program, by name.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Names of variables of the server's environment that the program sees too.
    #[serde(default)]
    pub env_from: Vec<String>,
    /// Maximum duration of the program. It applies if it is shorter than the timeout of the job.
    #[serde(default)]
    pub timeout: Option<Span>,
}

impl CommandConfig {
    /// Returns the problems of these values.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.argv.first().is_none_or(String::is_empty) {
            problems.push(Problem::new("/argv", "must name the program to run"));
        }
        if self.argv.iter().any(|arg| arg.contains('\0')) {
            problems.push(Problem::new("/argv", "must not contain a NUL character"));
        }
        if let Some(cwd) = &self.cwd
            && !cwd.is_dir()
        {
            problems.push(Problem::new("/cwd", format!("{} is not a directory", cwd.display())));
        }
        let is_invalid = |name: &String| name.is_empty() || name.contains(['=', '\0']);
        if self.env.keys().any(is_invalid) || self.env.values().any(|value| value.contains('\0')) {
            let why =
                "names must not be empty or contain '=', and names and values must not contain NUL";
            problems.push(Problem::new("/env", why));
        }
        for (index, name) in self.env_from.iter().enumerate() {
            if is_invalid(name) || std::env::var_os(name).is_none() {
                let why = format!("names the environment variable {name}, which is not set");
                problems.push(Problem::new(format!("/env_from/{index}"), why));
            }
        }
        if self.timeout.is_some_and(|timeout| timeout.millis() == 0 || timeout > MAX_TIMEOUT) {
            problems
                .push(Problem::new("/timeout", format!("must be between 1ms and {MAX_TIMEOUT}")));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    #[test]
    fn only_a_base_url_with_a_host_and_a_valid_port_is_accepted() {
        let provider = |base_url: &str| ProviderConfig {
            base_url: base_url.into(),
            api_key_env: None,
            max_running: None,
            requests_per_minute: None,
        };
        for good in [
            "http://a",
            "https://a.example:8443/v1/",
            "http://[::1]:80",
            "http://[::1]/v1",
            "http://ä",
            "http://a/b c",
        ] {
            assert_eq!(provider(good).problems(), [], "{good}");
        }
        for bad in [
            "",
            "a",
            "ftp://a",
            "http://",
            "http:///v1",
            "http://a b",
            "http://a\n",
            "http://:80",
            "http://a:",
            "http://a:0",
            "http://a:99999",
            "http://a:b",
            "http://user@a",
            "http://a/v1?x=1",
        ] {
            assert_eq!(provider(bad).problems()[0].pointer, "/base_url", "{bad}");
        }
    }

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
}
