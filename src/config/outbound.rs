//! Settings of calls to other servers.

mod host;
mod network;
mod proxy;

use std::ffi::OsStr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::config::Secret;
use crate::job::problem::Problem;
use crate::job::time::Span;

pub(super) use host::{BELOW, is_below};
pub use host::{HostPattern, InvalidHost};
pub use network::{AllowedNetwork, InvalidNetwork};
pub(crate) use proxy::EgressProxy;
use proxy::InvalidEgressProxy;

/// Settings of calls to other servers.
///
/// A call reaches public addresses only, unless `allow_networks` or `allow_hosts` names another one. No
/// setting lets a call reach an address on which this server listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of settings")]
pub struct OutboundConfig {
    /// Maximum time to establish a connection, including TLS.
    pub connect_timeout: Span,
    /// Maximum number of connections of each thread of the async lane.
    pub max_connections: usize,
    /// Maximum number of `http` jobs that call one host at once. Those that call a provider have its limits
    /// instead.
    pub max_calls_per_host: u32,
    /// Path of a PEM file with certificates to trust in addition to the public ones.
    pub ca_file: Option<PathBuf>,
    /// Networks and addresses that calls may reach in addition to the public addresses.
    pub allow_networks: Vec<AllowedNetwork>,
    /// Hosts that calls may reach whatever their addresses are.
    pub allow_hosts: Vec<HostPattern>,
    /// Hosts that calls may not reach, unless `allow_hosts` covers them too.
    pub deny_hosts: Vec<HostPattern>,
    /// URL of the HTTP proxy through which every call goes, for example `http://proxy.example:3128`.
    pub proxy: Option<String>,
    /// Name of the environment variable with the value of the `Proxy-Authorization` header, for example
    /// `Basic dXNlcjpwYXNzd29yZA==`.
    pub proxy_authorization_env: Option<String>,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self {
            connect_timeout: Span::from_secs(10),
            max_connections: 4_096,
            max_calls_per_host: 512,
            ca_file: None,
            allow_networks: Vec::new(),
            allow_hosts: Vec::new(),
            deny_hosts: Vec::new(),
            proxy: None,
            proxy_authorization_env: None,
        }
    }
}

impl OutboundConfig {
    /// Returns the problems of these values.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.connect_timeout.millis() == 0 || self.connect_timeout > Span::from_secs(300) {
            problems.push(Problem::new("/connect_timeout", "must be between 1ms and 5m"));
        }
        if !(1..=65_536).contains(&self.max_connections) {
            problems.push(Problem::new("/max_connections", "must be between 1 and 65536"));
        }
        if !(1..=65_536).contains(&self.max_calls_per_host) {
            problems.push(Problem::new("/max_calls_per_host", "must be between 1 and 65536"));
        }
        if let Some(Err(why)) = self.egress_proxy() {
            // The error of a parser would show the line, and with it a password in the URL.
            problems.push(Problem::new("/proxy", why));
        }
        if let Some(name) = &self.proxy_authorization_env {
            let pointer = "/proxy_authorization_env";
            if self.proxy.is_none() {
                problems.push(Problem::new(pointer, "has no effect without proxy; set that too"));
            }
            if let Err(why) = check_header(std::env::var_os(name).as_deref()) {
                let why = format!("names the environment variable {name}, which {why}");
                problems.push(Problem::new(pointer, why));
            }
        }
        problems
    }

    /// Returns the proxy, if one is set.
    pub(crate) fn egress_proxy(&self) -> Option<Result<EgressProxy, InvalidEgressProxy>> {
        self.proxy.as_deref().map(str::parse)
    }

    /// Reads the value of `Proxy-Authorization` from the environment. Returns `None` if
    /// `proxy_authorization_env` is absent or the variable is not set.
    pub fn proxy_authorization(&self) -> Option<Secret> {
        std::env::var(self.proxy_authorization_env.as_ref()?).ok().map(Secret::new)
    }
}

/// Checks that a text can be sent as the value of a header.
fn check_header(value: Option<&OsStr>) -> Result<(), &'static str> {
    let Some(value) = value else { return Err("is not set") };
    let Some(value) = value.to_str() else { return Err("is not UTF-8") };
    if value.is_empty() {
        return Err("is empty");
    }
    if !value.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err("contains a line break or another character that is not allowed in a header");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_a_header_is_one_line_of_printable_ascii() {
        assert_eq!(check_header(Some(OsStr::new("Basic dXNlcjpwdw=="))), Ok(()));
        assert_eq!(check_header(None), Err("is not set"));
        assert_eq!(check_header(Some(OsStr::new(""))), Err("is empty"));
        for bad in ["Basic a\n", "Basic ä", "a\0"] {
            assert!(check_header(Some(OsStr::new(bad))).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn credentials_of_a_proxy_need_a_proxy_and_a_variable() {
        let config = OutboundConfig {
            proxy_authorization_env: Some("LONGSHORE_TEST_NOT_SET".into()),
            ..OutboundConfig::default()
        };
        let details: Vec<_> = config.problems().into_iter().map(|found| found.detail).collect();
        assert_eq!(
            details,
            [
                "has no effect without proxy; set that too",
                "names the environment variable LONGSHORE_TEST_NOT_SET, which is not set",
            ]
        );
    }
}
