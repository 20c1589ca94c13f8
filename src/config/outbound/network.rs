//! Networks that calls may reach although their addresses are not public.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

/// Number of bits before the IPv4 address in an IPv4-mapped IPv6 address (RFC 4291, section 2.5.5.2).
const MAPPED_PREFIX_LEN: u8 = 96;

/// A network, or a single address, that calls may reach.
///
/// ```
/// use longshore::config::AllowedNetwork;
///
/// let network: AllowedNetwork = "10.0.0.0/8".parse()?;
/// assert!(network.covers([10, 1, 2, 3].into()));
/// assert!(!network.covers([11, 0, 0, 1].into()));
/// # Ok::<(), longshore::config::InvalidNetwork>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AllowedNetwork(IpNet);

/// Error for a text that is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a network such as 10.0.0.0/8 or fd00::/8, or an address such as 10.0.0.2")]
pub struct InvalidNetwork;

impl AllowedNetwork {
    /// Returns whether this network has an address. An IPv4-mapped IPv6 address is the IPv4 address.
    ///
    /// An IPv4 network does not have the IPv6 addresses in which NAT64, 6to4 or Teredo embed its addresses.
    pub fn covers(&self, ip: IpAddr) -> bool {
        self.0.contains(&ip.to_canonical())
    }
}

/// Returns the IPv4 network that an IPv4-mapped IPv6 network stands for, and any other network as it is.
fn canonical(net: IpNet) -> IpNet {
    let IpAddr::V4(ip) = net.addr().to_canonical() else { return net };
    let prefix_len = match net {
        IpNet::V4(net) => Some(net.prefix_len()),
        IpNet::V6(net) => net.prefix_len().checked_sub(MAPPED_PREFIX_LEN),
    };
    let v4 = prefix_len.and_then(|prefix_len| Ipv4Net::new(ip, prefix_len).ok());
    v4.map_or(net, IpNet::V4)
}

impl FromStr for AllowedNetwork {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let ip = text.parse::<IpAddr>().map(IpNet::from);
        let net = ip.or_else(|_error| text.parse::<IpNet>());
        net.map(|net| Self(canonical(net).trunc())).map_err(|_error| InvalidNetwork)
    }
}

impl fmt::Display for AllowedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.prefix_len() == self.0.max_prefix_len() {
            true => self.0.addr().fmt(f),
            false => self.0.fmt(f),
        }
    }
}

impl TryFrom<String> for AllowedNetwork {
    type Error = InvalidNetwork;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AllowedNetwork> for String {
    fn from(network: AllowedNetwork) -> Self {
        network.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_covers_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("10.1.2.3/8", "10.0.0.0", "9.255.255.255"),
            ("10.0.0.2", "10.0.0.2", "10.0.0.3"),
            ("10.0.0.2", "::ffff:10.0.0.2", "::ffff:10.0.0.3"),
            ("::ffff:10.0.0.0/104", "10.9.9.9", "11.0.0.0"),
            ("fd00::/8", "fd12::1", "fe80::1"),
            ("64:ff9b::/96", "64:ff9b::a00:1", "10.0.0.1"),
            ("0.0.0.0/0", "10.0.0.1", "64:ff9b::a00:1"),
            ("0.0.0.0/0", "203.0.113.9", "::1"),
            ("::/0", "::1", "10.0.0.1"),
        ] {
            let network: AllowedNetwork = network.parse().unwrap();
            assert!(network.covers(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.covers(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn a_network_is_written_in_its_short_form() {
        for (text, written) in [
            ("10.0.0.2/32", "10.0.0.2"),
            ("10.1.2.3/16", "10.1.0.0/16"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::1", "::1"),
        ] {
            assert_eq!(text.parse::<AllowedNetwork>().unwrap().to_string(), written);
        }
        for text in ["", "a.example", "10.0.0.0/33", "10.0.0.2:80", "*", "10.0.0.2-9", "10/8"] {
            assert_eq!(text.parse::<AllowedNetwork>(), Err(InvalidNetwork), "{text}");
        }
    }
}
