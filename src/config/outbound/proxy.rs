//! The HTTP proxy through which calls leave the network.

use std::str::FromStr;

use crate::config::{HttpUrl, InvalidUrl};

/// Address of an HTTP proxy: `http://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EgressProxy {
    /// Name or address of the proxy, without brackets.
    host: String,
    /// Port of the proxy.
    port: u16,
}

/// Error for a text that is no address of a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEgressProxy {
    /// The text is no URL of the form `http://host:port`.
    #[error("must be the URL of an HTTP proxy such as http://proxy.example:3128, without a path")]
    Url,
    /// The URL has a user name or a password.
    #[error("must not contain a user name or password; use proxy_authorization_env")]
    Credentials,
}

impl EgressProxy {
    /// Returns the name or the address of the proxy, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Returns the port of the proxy.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }
}

impl FromStr for EgressProxy {
    type Err = InvalidEgressProxy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let url = HttpUrl::parse_base(text).map_err(|error| match error {
            InvalidUrl::Credentials => InvalidEgressProxy::Credentials,
            _ => InvalidEgressProxy::Url,
        })?;
        if url.is_https() || url.path_and_query() != "/" {
            return Err(InvalidEgressProxy::Url);
        }
        let host = url.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { host, port: url.port() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_host_and_a_port() {
        for (text, host, port) in [
            ("http://proxy.example:3128", "proxy.example", 3128),
            ("http://10.0.0.1/", "10.0.0.1", 80),
            ("http://[::1]:8080", "::1", 8080),
        ] {
            let proxy: EgressProxy = text.parse().unwrap();
            assert_eq!((proxy.host(), proxy.port()), (host, port));
        }
        for text in ["", "proxy:3128", "https://a", "socks5://a", "http://a/b", "http://a?b"] {
            assert_eq!(text.parse::<EgressProxy>(), Err(InvalidEgressProxy::Url), "{text}");
        }
        let credentials = "http://user:pw@a".parse::<EgressProxy>();
        assert_eq!(credentials, Err(InvalidEgressProxy::Credentials));
    }
}
