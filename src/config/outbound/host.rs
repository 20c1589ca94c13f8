//! Patterns of hosts that calls may or may not reach.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::config::HttpUrl;

/// Beginning of a pattern for the names below a domain.
pub(in crate::config) const BELOW: &str = "*.";

/// A pattern of hosts: a name, `*.example.com`, `*`, or an address.
///
/// It is compared with the host of a URL in its normal form, so `Bücher.example` covers
/// `http://xn--bcher-kva.example./`. An address covers only URLs that have this address as their host, and
/// no name that resolves to it.
///
/// ```
/// use longshore::config::HostPattern;
///
/// let below: HostPattern = "*.example.com".parse()?;
/// assert!(below.covers("a.b.example.com") && !below.covers("example.com"));
/// # Ok::<(), longshore::config::InvalidHost>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostPattern(Pattern);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    /// Every host.
    Any,
    /// The names below a domain, at any depth.
    Below(String),
    /// One name.
    Name(String),
    /// One address.
    Address(IpAddr),
}

/// Error for a text that is no pattern of hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a host name without scheme and port, a pattern such as *.example.com, an address, or *"
)]
pub struct InvalidHost;

impl HostPattern {
    /// Returns whether this pattern covers the host of a URL in its normal form. An IPv6 address may be in
    /// brackets.
    pub fn covers(&self, host: &str) -> bool {
        let host = without_dot(host);
        match &self.0 {
            Pattern::Any => true,
            Pattern::Address(ip) => address(host).is_some_and(|other| other == *ip),
            Pattern::Name(name) => host == name,
            Pattern::Below(domain) => is_below(host, domain),
        }
    }
}

/// Returns whether a host is a name below a domain, at any depth: `b.a.example` is below `a.example`.
pub(in crate::config) fn is_below(host: &str, domain: &str) -> bool {
    let before = host.strip_suffix(domain);
    before.is_some_and(|before| before.len() > 1 && before.ends_with('.'))
}

/// Returns a host without the dot that may end a name. `example.com.` and `example.com` are one name.
fn without_dot(host: &str) -> &str {
    host.strip_suffix('.').unwrap_or(host)
}

/// Returns the address that a host is, if it is one.
fn address(host: &str) -> Option<IpAddr> {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host).parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

/// Brings a host into the normal form of the URL standard.
fn normal(text: &str) -> Option<String> {
    let host = match text.parse::<Ipv6Addr>() {
        Ok(ip) => format!("[{ip}]"),
        Err(_) if text.starts_with('[') && text.ends_with(']') => text.to_owned(),
        Err(_) if text.contains([':', '/', '\\', '?', '#', '@', '*']) => return None,
        Err(_) => text.to_owned(),
    };
    let url = HttpUrl::parse(&format!("http://{host}/")).ok()?;
    // A port, a path and anything else would be a part of the URL beside the host.
    (url.as_str() == format!("http://{}/", url.host()))
        .then(|| without_dot(url.host()).to_owned())
        .filter(|host| !host.is_empty())
}

impl FromStr for HostPattern {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self(Pattern::Any));
        }
        if let Some(domain) = text.strip_prefix(BELOW) {
            let domain = normal(domain).filter(|domain| address(domain).is_none());
            return domain.map(|domain| Self(Pattern::Below(domain))).ok_or(InvalidHost);
        }
        let host = normal(text).ok_or(InvalidHost)?;
        Ok(Self(address(&host).map_or(Pattern::Name(host), Pattern::Address)))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Pattern::Any => f.write_str("*"),
            Pattern::Below(domain) => write!(f, "{BELOW}{domain}"),
            Pattern::Name(name) => f.write_str(name),
            Pattern::Address(ip) => ip.fmt(f),
        }
    }
}

impl TryFrom<String> for HostPattern {
    type Error = InvalidHost;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<HostPattern> for String {
    fn from(pattern: HostPattern) -> Self {
        pattern.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_hosts_in_their_normal_form() {
        for (pattern, inside, outside) in [
            ("example.com", "example.com", "a.example.com"),
            ("example.com", "example.com.", "example.com.evil.example"),
            ("EXAMPLE.com.", "example.com", "xexample.com"),
            ("*.example.com", "a.example.com", "example.com"),
            ("*.example.com", "a.b.example.com.", "aexample.com"),
            ("Bücher.example", "xn--bcher-kva.example", "bcher.example"),
            ("127.1", "127.0.0.1", "localhost"),
            ("::1", "[::1]", "[::2]"),
            ("[0::1]", "[::1]", "::2"),
            ("10.0.0.1", "[::ffff:a00:1]", "[::ffff:a00:2]"),
        ] {
            let pattern: HostPattern = pattern.parse().unwrap();
            assert!(pattern.covers(inside), "{pattern} {inside}");
            assert!(!pattern.covers(outside), "{pattern} {outside}");
        }
        let any: HostPattern = "*".parse().unwrap();
        assert!(any.covers("example.com") && any.covers("[::1]"));
    }

    #[test]
    fn a_pattern_is_written_in_its_normal_form() {
        for (text, written) in [
            ("*", "*"),
            ("*.Example.com.", "*.example.com"),
            ("[::1]", "::1"),
            ("0x7f.1", "127.0.0.1"),
        ] {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), written);
        }
        for text in [
            "",
            ".",
            "*.",
            "a:80",
            "http://a",
            "a/b",
            "a.*",
            "**",
            "*a",
            "*.127.0.0.1",
            "a@b",
            "a b",
            "[::1]:80",
        ] {
            assert_eq!(text.parse::<HostPattern>(), Err(InvalidHost), "{text}");
        }
    }
}
