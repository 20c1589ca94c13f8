//! The proxies whose word about the client is believed.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Word for the clients of Unix sockets.
const UNIX: &str = "unix";

/// A proxy, or a network of proxies, whose `X-Forwarded-...` headers are believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TrustedProxy {
    /// The addresses of a network, which may be a single one.
    Net(IpNet),
    /// Every client of a Unix socket.
    Unix,
}

/// Error for a text that names no proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an address such as 10.0.0.2, a network such as 10.1.0.0/16, or \"unix\"")]
pub struct InvalidProxy;

impl TrustedProxy {
    /// Returns whether this entry covers an address.
    pub fn covers(&self, ip: IpAddr) -> bool {
        match self {
            Self::Net(net) => net.contains(&ip.to_canonical()),
            Self::Unix => false,
        }
    }
}

impl FromStr for TrustedProxy {
    type Err = InvalidProxy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == UNIX {
            return Ok(Self::Unix);
        }
        let ip = text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()));
        let net = ip.or_else(|_error| text.parse::<IpNet>().map(|net| net.trunc()));
        net.map(Self::Net).map_err(|_error| InvalidProxy)
    }
}

impl fmt::Display for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(net) if net.prefix_len() == net.max_prefix_len() => net.addr().fmt(f),
            Self::Net(net) => net.fmt(f),
            Self::Unix => f.write_str(UNIX),
        }
    }
}

impl TryFrom<String> for TrustedProxy {
    type Error = InvalidProxy;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<TrustedProxy> for String {
    fn from(proxy: TrustedProxy) -> Self {
        proxy.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_covers_its_addresses_and_no_others() {
        for (entry, inside, outside) in [
            ("10.0.0.2", "10.0.0.2", "10.0.0.3"),
            ("10.0.0.2", "::ffff:10.0.0.2", "::ffff:10.0.0.3"),
            ("::ffff:10.0.0.2", "10.0.0.2", "10.0.0.3"),
            ("10.1.0.0/16", "10.1.255.255", "10.2.0.0"),
            ("10.1.2.3/16", "10.1.0.0", "10.0.255.255"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
        ] {
            let proxy: TrustedProxy = entry.parse().unwrap();
            assert!(proxy.covers(inside.parse().unwrap()), "{entry} {inside}");
            assert!(!proxy.covers(outside.parse().unwrap()), "{entry} {outside}");
        }
        assert!(!TrustedProxy::Unix.covers([127, 0, 0, 1].into()));
    }

    #[test]
    fn an_entry_is_written_in_its_short_form() {
        for (text, written) in [
            ("10.0.0.2/32", "10.0.0.2"),
            ("10.1.2.3/16", "10.1.0.0/16"),
            ("::1", "::1"),
            ("unix", "unix"),
        ] {
            assert_eq!(text.parse::<TrustedProxy>().unwrap().to_string(), written);
        }
        for text in ["", "proxy.example", "10.0.0.0/33", "10.0.0.2:80", "*", "10.0.0.2-9", "UNIX"] {
            assert_eq!(text.parse::<TrustedProxy>(), Err(InvalidProxy), "{text}");
        }
    }
}
