//! Settings of the providers: servers that jobs call by name.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::header::{self, IDEMPOTENCY_KEY};
use crate::config::http_url::{HttpUrl, InvalidUrl};
use crate::config::secret::{Secret, variable_problem};
use crate::job::problem::{Problem, Quoted, escape};

/// Start of a reference to a secret, which only headers of jobs may have.
const REFERENCE: &str = "${secret:";

/// A server that jobs call by name: a model server with an OpenAI-style chat-completions API, or any other
/// HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with base_url")]
pub struct ProviderConfig {
    /// Base URL of the API, for example `https://api.openai.com/v1`. `chat` jobs call
    /// `/chat/completions` below it, `http` jobs a path of their own.
    pub base_url: String,
    /// Name of the environment variable that holds the API key, which is sent as a bearer token. This is the
    /// short form of `auth` with the header `authorization` and the prefix `"Bearer "`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key_env: Option<String>,
    /// Header that authenticates each call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth: Option<ProviderAuth>,
    /// Query parameters that are added to each call.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub query: BTreeMap<String, String>,
    /// Headers that are added to each call. An `http` job may set them to another value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// Maximum number of calls that run at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_running: Option<u32>,
    /// Maximum number of calls that start in any minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requests_per_minute: Option<u32>,
}

/// A header that authenticates the calls of a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table with header and value_env")]
pub struct ProviderAuth {
    /// Name of the header, for example `api-key`.
    pub header: String,
    /// Text before the value, for example `"Bearer "`.
    #[serde(default)]
    pub prefix: String,
    /// Name of the environment variable that holds the value.
    pub value_env: String,
}

impl ProviderConfig {
    /// Returns the settings of a provider that needs no key and has no limits.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key_env: None,
            auth: None,
            query: BTreeMap::new(),
            headers: BTreeMap::new(),
            max_running: None,
            requests_per_minute: None,
        }
    }

    /// Returns the header that authenticates each call, from `auth` or `api_key_env`.
    pub fn authentication(&self) -> Option<ProviderAuth> {
        let bearer = |name: &String| ProviderAuth {
            header: "authorization".into(),
            prefix: "Bearer ".into(),
            value_env: name.clone(),
        };
        self.auth.clone().or_else(|| self.api_key_env.as_ref().map(bearer))
    }

    /// Reads the API key from the environment. Returns `None` if `api_key_env` is absent or the
    /// variable is not set.
    pub fn api_key(&self) -> Option<Secret> {
        Secret::of_variable(self.api_key_env.as_ref()?)
    }

    /// Returns the problems of these values.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(why) = HttpUrl::parse_base(&self.base_url) {
            let why = match why {
                InvalidUrl::Credentials => {
                    "must not contain a user name or password; use api_key_env or auth".into()
                }
                why => why.to_string(),
            };
            problems.push(Problem::new("/base_url", why));
        }
        let key_problem = self.api_key_env.as_deref().and_then(variable_problem);
        problems.extend(key_problem.map(|why| Problem::new("/api_key_env", why)));
        if let Some(auth) = &self.auth {
            if self.api_key_env.is_some() {
                problems.push(Problem::new("/auth", "cannot be combined with api_key_env"));
            }
            problems.extend(auth.problems().into_iter().map(|problem| problem.under("/auth")));
        }
        if self.query.contains_key("") {
            problems.push(Problem::new("/query/", "must have a name"));
        }
        problems.extend(self.header_problems());
        if self.max_running == Some(0) {
            problems.push(Problem::new("/max_running", "must be at least 1"));
        }
        if self.requests_per_minute == Some(0) {
            problems.push(Problem::new("/requests_per_minute", "must be at least 1"));
        }
        problems
    }

    fn header_problems(&self) -> Vec<Problem> {
        let auth = self.authentication().map(|auth| auth.header.to_ascii_lowercase());
        let mut names = Vec::new();
        let mut problems = Vec::new();
        for (name, value) in &self.headers {
            let lower = name.to_ascii_lowercase();
            let why = if names.contains(&lower) {
                Some("is listed more than once, in another case".to_owned())
            } else if auth.as_ref() == Some(&lower) {
                Some("is the header that authenticates the calls".to_owned())
            } else if !header::is_value(value) {
                Some("must be printable ASCII without spaces at the start or the end".to_owned())
            } else if value.contains(REFERENCE) {
                Some(format!("must not contain {REFERENCE}...}}; use auth for a secret"))
            } else {
                name_problem(name)
            };
            problems.extend(why.map(|why| Problem::new(format!("/headers/{}", escape(name)), why)));
            names.push(lower);
        }
        problems
    }
}

impl ProviderAuth {
    /// Returns the problems of these values.
    pub fn problems(&self) -> Vec<Problem> {
        let name = name_problem(&self.header).map(|why| Problem::new("/header", why));
        let prefix = (!header::is_value(self.prefix.trim_end_matches(' '))).then(|| {
            Problem::new("/prefix", "must be printable ASCII without a space at the start")
        });
        let variable = variable_problem(&self.value_env).map(|why| Problem::new("/value_env", why));
        name.into_iter().chain(prefix).chain(variable).collect()
    }

    /// Reads the value from the environment, without the prefix. Returns `None` if the variable is not set.
    pub fn value(&self) -> Option<Secret> {
        Secret::of_variable(&self.value_env)
    }
}

/// Returns why the configuration of a provider cannot set a header.
fn name_problem(name: &str) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if !header::is_name(name) {
        return Some(format!("{} is not a valid header name", Quoted(name)));
    }
    if lower == IDEMPOTENCY_KEY {
        return Some("must not be idempotency-key, which differs for each job".into());
    }
    let reserved = header::reserved_for(&lower);
    reserved.map(|who| format!("must not be {lower}, which is set by {who}"))
}

#[cfg(test)]
mod tests;
