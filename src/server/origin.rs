//! Where a request comes from, as far as it can be believed.

use std::net::{IpAddr, SocketAddr};

use crate::config::TrustedProxy;

/// What connects a client, or its proxy, to this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// TCP without TLS.
    Tcp,
    /// TLS.
    Tls,
    /// A Unix socket.
    Unix,
}

/// The other end of a connection: a client or its proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    pub(crate) transport: Transport,
    /// Address, unless the connection is a Unix socket.
    pub(crate) ip: Option<IpAddr>,
}

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// `http` or `https`, as the client sees it.
    pub(crate) scheme: &'static str,
    /// Name or address of the server with its port, as the client sees it; empty if it sent none.
    pub(crate) host: String,
    /// Address of the client; `None` for a program of this machine that uses a Unix socket.
    pub(crate) client_ip: Option<IpAddr>,
    /// Whether the request has a header of a proxy, believed or not.
    pub(crate) came_through_proxy: bool,
}

impl Peer {
    /// Returns the peer of a connection that another server than ours has accepted.
    pub(crate) fn of_other_server(has_tls: bool, addr: Option<SocketAddr>) -> Self {
        let transport = if has_tls { Transport::Tls } else { Transport::Tcp };
        Self { transport, ip: addr.map(|addr| addr.ip()) }
    }

    /// Returns whether this is one of the trusted proxies.
    pub(crate) fn is_trusted(&self, trusted: &[TrustedProxy]) -> bool {
        match self.transport {
            Transport::Unix => trusted.contains(&TrustedProxy::Unix),
            Transport::Tcp | Transport::Tls => {
                self.ip.is_some_and(|ip| trusted.iter().any(|proxy| proxy.covers(ip)))
            }
        }
    }
}

impl Origin {
    /// Returns the origin of a request with these headers, whose names are in lowercase.
    ///
    /// If the peer is a trusted proxy, `X-Forwarded-Proto`, `X-Forwarded-Host` and `X-Forwarded-For` are
    /// believed. Of a list, the last entry is the one that this proxy has added. Addresses are read from the
    /// end as long as they are those of trusted proxies: with `X-Forwarded-For: 192.0.2.9, 203.0.113.7, 10.0.0.3`
    /// and the trusted network 10.0.0.0/8 the client is 203.0.113.7, which may have made up 192.0.2.9.
    pub(crate) fn of<'a>(
        peer: Peer,
        trusted: &[TrustedProxy],
        headers: impl Iterator<Item = (&'a str, &'a [u8])>,
    ) -> Self {
        let forwarded = Forwarded::read(headers);
        let mut origin = Self {
            scheme: if peer.transport == Transport::Tls { "https" } else { "http" },
            host: String::from_utf8_lossy(forwarded.host_header.unwrap_or_default()).into_owned(),
            client_ip: peer.ip.map(|ip| ip.to_canonical()),
            came_through_proxy: forwarded.is_present,
        };
        if forwarded.is_present && peer.is_trusted(trusted) {
            origin.believe(&forwarded, trusted);
        }
        origin
    }

    /// Takes over what the headers of a trusted proxy say. Values that make no sense are ignored.
    fn believe(&mut self, forwarded: &Forwarded<'_>, trusted: &[TrustedProxy]) {
        if let Some(scheme) = forwarded.proto.last().and_then(|text| scheme_of(text)) {
            self.scheme = scheme;
        }
        if let Some(host) = forwarded.host.last().filter(|host| is_host(host)) {
            self.host = (*host).to_owned();
        }
        for entry in forwarded.addresses.iter().rev() {
            let Some(ip) = ip_of(entry) else { break };
            self.client_ip = Some(ip);
            if !trusted.iter().any(|proxy| proxy.covers(ip)) {
                break;
            }
        }
    }

    /// Returns the origin in the form of the `Origin` header, such as `https://jobs.example`.
    #[cfg_attr(not(feature = "pages"), allow(dead_code, reason = "only pages show it"))]
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.host)
    }
}

/// The headers that say where a request comes from. Lists are in the order of their entries.
#[derive(Default)]
struct Forwarded<'a> {
    host_header: Option<&'a [u8]>,
    proto: Vec<&'a str>,
    host: Vec<&'a str>,
    addresses: Vec<&'a str>,
    /// Whether there is any header in which proxies report about the client.
    is_present: bool,
}

impl<'a> Forwarded<'a> {
    fn read(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Self {
        let mut forwarded = Self::default();
        for (name, value) in headers {
            let list = match name {
                "host" => {
                    forwarded.host_header.get_or_insert(value);
                    continue;
                }
                "x-forwarded-proto" => Some(&mut forwarded.proto),
                "x-forwarded-host" => Some(&mut forwarded.host),
                "x-forwarded-for" => Some(&mut forwarded.addresses),
                name if is_sign_of_proxy(name) => None,
                _ => continue,
            };
            forwarded.is_present = true;
            let text = std::str::from_utf8(value).unwrap_or_default();
            if let Some(list) = list {
                list.extend(text.split(',').map(str::trim));
            }
        }
        forwarded
    }
}

/// Returns whether a header, with its name in lowercase, shows that a request was passed on for somebody else: by a
/// proxy, or as a call of a job.
pub(crate) fn is_sign_of_proxy(name: &str) -> bool {
    const NAMES: [&str; 7] = [
        "cf-connecting-ip",
        "forwarded",
        "longshore-job",
        "true-client-ip",
        "via",
        "x-client-ip",
        "x-real-ip",
    ];
    NAMES.contains(&name) || name.starts_with("x-forwarded-")
}

fn scheme_of(text: &str) -> Option<&'static str> {
    ["http", "https"].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme))
}

/// Returns whether a text may be a host name or an address with a port.
fn is_host(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

/// Parses an address, which may be in brackets and have a port.
fn ip_of(text: &str) -> Option<IpAddr> {
    let ip = text.parse().or_else(|_error| text.parse().map(|addr: SocketAddr| addr.ip())).ok();
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    ip.or_else(bracketed).map(|ip: IpAddr| ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROXY: &str = "10.0.0.2";

    fn origin(peer: Peer, trusted: &str, headers: &[(&str, &str)]) -> Origin {
        let trusted: Vec<TrustedProxy> =
            trusted.split_whitespace().map(|entry| entry.parse().unwrap()).collect();
        let headers = headers.iter().map(|(name, value)| (*name, value.as_bytes()));
        Origin::of(peer, &trusted, headers)
    }

    fn tcp(ip: &str) -> Peer {
        Peer { transport: Transport::Tcp, ip: Some(ip.parse().unwrap()) }
    }

    const HEADERS: [(&str, &str); 4] = [
        ("host", "127.0.0.1:7373"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "jobs.example"),
        ("x-forwarded-for", "203.0.113.7"),
    ];

    #[test]
    fn a_trusted_proxy_is_believed() {
        let found = origin(tcp(PROXY), PROXY, &HEADERS);
        assert_eq!(found.url(), "https://jobs.example");
        assert_eq!(found.client_ip, Some([203, 0, 113, 7].into()));
        assert!(found.came_through_proxy);
        let unix = Peer { transport: Transport::Unix, ip: None };
        assert_eq!(origin(unix, "unix", &HEADERS), found);
    }

    #[test]
    fn another_peer_is_not_believed() {
        let unix = Peer { transport: Transport::Unix, ip: None };
        for (peer, trusted) in [(tcp("10.0.0.3"), PROXY), (tcp(PROXY), ""), (unix, PROXY)] {
            let found = origin(peer, trusted, &HEADERS);
            assert_eq!(found.url(), "http://127.0.0.1:7373", "{peer:?}");
            assert_eq!((found.client_ip, found.came_through_proxy), (peer.ip, true));
        }
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_trusted_proxy() {
        for (forwarded, client) in [
            ("192.0.2.9, 203.0.113.7, 10.0.0.3", "203.0.113.7"),
            ("10.0.0.4,10.0.0.3", "10.0.0.4"),
            ("203.0.113.7:4711", "203.0.113.7"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("203.0.113.7, unknown, 10.0.0.3", "10.0.0.3"),
            ("", PROXY),
            ("::ffff:203.0.113.7", "203.0.113.7"),
        ] {
            let found = origin(tcp(PROXY), "10.0.0.0/8", &[("x-forwarded-for", forwarded)]);
            assert_eq!(found.client_ip, Some(client.parse().unwrap()), "{forwarded}");
        }
        let lines = [("x-forwarded-for", "192.0.2.9"), ("x-forwarded-for", "203.0.113.7")];
        let found = origin(tcp(PROXY), PROXY, &lines);
        assert_eq!(found.client_ip, Some([203, 0, 113, 7].into()));
    }

    #[test]
    fn values_that_make_no_sense_are_ignored() {
        for (name, value) in [
            ("x-forwarded-proto", "gopher"),
            ("x-forwarded-proto", "https, javascript"),
            ("x-forwarded-host", "a b"),
            ("x-forwarded-host", "evil/path"),
            ("x-forwarded-host", "good.example, "),
            ("x-forwarded-host", "\u{fc}.example"),
        ] {
            let found = origin(tcp(PROXY), PROXY, &[("host", "a.example"), (name, value)]);
            assert_eq!(found.url(), "http://a.example", "{name}: {value}");
        }
    }

    #[test]
    fn a_proxy_is_noticed_by_any_of_its_headers() {
        for name in ["forwarded", "x-real-ip", "x-forwarded-for", "x-forwarded-anything"] {
            assert!(origin(tcp(PROXY), "", &[(name, "x")]).came_through_proxy, "{name}");
        }
        assert!(!origin(tcp(PROXY), PROXY, &[("host", "a")]).came_through_proxy);
    }
}
