//! The rule that decides which addresses a call may reach. It resolves no name and opens no connection.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::config::{AllowedNetwork, HostPattern, OutboundConfig};
use crate::executor::outbound::network::address::{Block, special_block};
use crate::executor::outbound::network::own_addresses::OwnAddresses;
use crate::executor::outbound::network::refusal_log::RefusalLog;
use crate::executor::outbound::target::Caller;

/// Error for a call to an address that is not allowed. Its text is the same for every reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("address not allowed; see outbound.allow_networks")]
pub(in crate::executor) struct NotAllowed;

/// Reason why a call is refused, for the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// The address is one on which this server listens.
    OwnListener,
    /// `deny_hosts` covers the host.
    DeniedHost,
    /// The address is not public, and no setting allows it.
    NotPublic(&'static Block),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OwnListener => f.write_str("this server listens on the address"),
            Self::DeniedHost => f.write_str("outbound.deny_hosts covers the host"),
            Self::NotPublic(block) => write!(f, "the address is not public: {block}"),
        }
    }
}

/// The settings that decide which addresses calls may reach.
#[derive(Debug, Clone)]
pub(in crate::executor::outbound) struct Policy {
    allow_networks: Vec<AllowedNetwork>,
    allow_hosts: Vec<HostPattern>,
    deny_hosts: Vec<HostPattern>,
    own: OwnAddresses,
    /// Whether calls go through a proxy, which resolves the names.
    has_proxy: bool,
    refusals: RefusalLog,
}

/// The addresses that a call to one host may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reach {
    /// Every address.
    All,
    /// Public addresses and those in `allow_networks`.
    Public,
}

impl Policy {
    /// Returns the policy of a configuration.
    pub(in crate::executor::outbound) fn new(config: &OutboundConfig, own: OwnAddresses) -> Self {
        Self {
            allow_networks: config.allow_networks.clone(),
            allow_hosts: config.allow_hosts.clone(),
            deny_hosts: config.deny_hosts.clone(),
            own,
            has_proxy: config.proxy.is_some(),
            refusals: RefusalLog::default(),
        }
    }

    /// Checks a call as far as that is possible without resolving its host, and logs a refusal.
    ///
    /// # Errors
    /// Returns [`NotAllowed`] if the call must not be made.
    pub(in crate::executor::outbound) fn check(
        &self,
        host: &str,
        port: u16,
        caller: Caller,
    ) -> Result<(), NotAllowed> {
        let reach = self.check_host(host, port, caller)?;
        match literal(host) {
            Some(ip) => self.check_address(host, (ip, port).into(), reach),
            None if self.has_proxy && is_localhost(host) => self.check_localhost(host, port, reach),
            None => Ok(()),
        }
    }

    /// Checks a name that a proxy would resolve to its own machine.
    fn check_localhost(&self, host: &str, port: u16, reach: Reach) -> Result<(), NotAllowed> {
        let v4 = self.judge(Ipv4Addr::LOCALHOST.into(), false, reach);
        let checked = v4.or_else(|reason| {
            self.judge(Ipv6Addr::LOCALHOST.into(), false, reach).map_err(|_same| reason)
        });
        checked.map_err(|reason| self.refuse(host, port, None, &reason))
    }

    /// Returns which addresses a call to a host may reach, and logs a refusal.
    ///
    /// # Errors
    /// Returns [`NotAllowed`] if it may reach none.
    pub(super) fn check_host(
        &self,
        host: &str,
        port: u16,
        caller: Caller,
    ) -> Result<Reach, NotAllowed> {
        self.reach(host, caller).map_err(|reason| self.refuse(host, port, None, &reason))
    }

    /// Returns which addresses a call to a host may reach.
    ///
    /// # Errors
    /// Returns the reason if it may reach none.
    fn reach(&self, host: &str, caller: Caller) -> Result<Reach, Reason> {
        let is_covered = |patterns: &[HostPattern]| patterns.iter().any(|pattern| pattern.covers(host));
        if is_covered(&self.allow_hosts) {
            return Ok(Reach::All);
        }
        match caller {
            _ if is_covered(&self.deny_hosts) => Err(Reason::DeniedHost),
            Caller::Provider => Ok(Reach::All),
            Caller::Job => Ok(Reach::Public),
        }
    }

    /// Checks one address of a host, and logs a refusal.
    ///
    /// # Errors
    /// Returns [`NotAllowed`] if it must not be dialled.
    pub(super) fn check_address(
        &self,
        host: &str,
        address: SocketAddr,
        reach: Reach,
    ) -> Result<(), NotAllowed> {
        let is_own = self.own.covers(address);
        let result = self.judge(address.ip(), is_own, reach);
        let ip = Some(address.ip());
        result.map_err(|reason| self.refuse(host, address.port(), ip, &reason))
    }

    /// Returns whether a listener of this server has this port.
    pub(super) fn is_own_port(&self, port: u16) -> bool {
        self.own.has_port(port)
    }

    /// Logs a refusal, and returns the error that is shown.
    fn refuse(&self, host: &str, port: u16, address: Option<IpAddr>, reason: &Reason) -> NotAllowed {
        self.refusals.add(host, port, address, reason);
        NotAllowed
    }

    /// Decides about an address. `is_own` states whether this server listens on it.
    fn judge(&self, ip: IpAddr, is_own: bool, reach: Reach) -> Result<(), Reason> {
        if is_own {
            return Err(Reason::OwnListener);
        }
        match special_block(ip) {
            Some(block) if reach == Reach::Public => {
                let is_allowed = self.allow_networks.iter().any(|network| network.covers(ip));
                if is_allowed { Ok(()) } else { Err(Reason::NotPublic(block)) }
            }
            _ => Ok(()),
        }
    }
}

/// Returns the address that a host is, if it is one. An IPv6 address may be in brackets.
pub(super) fn literal(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

/// Returns whether a name is always a loopback address (RFC 6761, section 6.3).
fn is_localhost(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host == "localhost" || host.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(networks: &[&str], allow: &[&str], deny: &[&str]) -> Policy {
        let hosts = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
        let config = OutboundConfig {
            allow_networks: networks.iter().map(|text| text.parse().unwrap()).collect(),
            allow_hosts: hosts(allow),
            deny_hosts: hosts(deny),
            ..OutboundConfig::default()
        };
        Policy::new(&config, OwnAddresses::default())
    }

    /// Returns whether a call to a host that has this address is allowed.
    fn is_allowed(policy: &Policy, host: &str, ip: &str, caller: Caller, is_own: bool) -> bool {
        let reach = policy.reach(host, caller);
        reach.and_then(|reach| policy.judge(ip.parse().unwrap(), is_own, reach)).is_ok()
    }

    #[test]
    fn by_default_a_job_reaches_public_addresses_and_a_provider_every_address() {
        let policy = policy(&[], &[], &[]);
        for (ip, expected) in [("8.8.8.8", true), ("10.0.0.1", false), ("127.0.0.1", false)] {
            assert_eq!(is_allowed(&policy, "a", ip, Caller::Job, false), expected, "{ip}");
            assert!(is_allowed(&policy, "a", ip, Caller::Provider, false), "{ip}");
        }
    }

    #[test]
    fn an_own_listener_is_refused_whatever_is_allowed() {
        let policy = policy(&["0.0.0.0/0", "::/0"], &["*"], &[]);
        for caller in [Caller::Job, Caller::Provider] {
            assert!(is_allowed(&policy, "a", "127.0.0.1", caller, false));
            assert!(!is_allowed(&policy, "a", "127.0.0.1", caller, true));
            assert!(!is_allowed(&policy, "a", "8.8.8.8", caller, true));
        }
    }

    #[test]
    fn an_allowed_network_opens_its_addresses_and_not_those_that_embed_them() {
        let policy = policy(&["10.0.0.0/8"], &[], &[]);
        for (ip, expected) in [
            ("10.1.2.3", true),
            ("::ffff:10.1.2.3", true),
            ("64:ff9b::a01:203", false),
            ("2002:a01:203::", false),
            ("192.168.0.1", false),
        ] {
            assert_eq!(is_allowed(&policy, "a", ip, Caller::Job, false), expected, "{ip}");
        }
        let nat64 = self::policy(&["64:ff9b::/96"], &[], &[]);
        assert!(is_allowed(&nat64, "a", "64:ff9b::a01:203", Caller::Job, false));
    }

    #[test]
    fn allowed_hosts_may_have_any_address_and_denied_hosts_none() {
        let policy = policy(&["10.0.0.0/8"], &["good.example"], &["*.evil.example", "1.1.1.1"]);
        for (host, ip, expected) in [
            ("good.example", "192.168.0.1", true),
            ("good.example.", "192.168.0.1", true),
            ("a.evil.example", "8.8.8.8", false),
            ("a.evil.example", "10.0.0.1", false),
            ("evil.example", "8.8.8.8", true),
            ("1.1.1.1", "1.1.1.1", false),
            ("one.example", "1.1.1.1", true),
        ] {
            assert_eq!(is_allowed(&policy, host, ip, Caller::Job, false), expected, "{host} {ip}");
        }
        assert!(!is_allowed(&policy, "a.evil.example", "8.8.8.8", Caller::Provider, false));
        let only_listed = self::policy(&[], &["*.good.example"], &["*"]);
        assert!(is_allowed(&only_listed, "a.good.example", "8.8.8.8", Caller::Job, false));
        assert!(!is_allowed(&only_listed, "other.example", "8.8.8.8", Caller::Job, false));
    }

    #[test]
    fn with_a_proxy_the_names_of_loopback_are_refused_like_its_addresses() {
        let proxied = |policy: Policy| Policy { has_proxy: true, ..policy };
        let strict = proxied(policy(&[], &[], &[]));
        for host in ["localhost", "localhost.", "a.localhost", "a.b.localhost."] {
            assert_eq!(strict.check(host, 80, Caller::Job), Err(NotAllowed), "{host}");
            assert_eq!(strict.check(host, 80, Caller::Provider), Ok(()), "{host}");
            for networks in ["127.0.0.0/8", "::1"] {
                let allowing = proxied(policy(&[networks], &[], &[]));
                assert_eq!(allowing.check(host, 80, Caller::Job), Ok(()), "{host} {networks}");
            }
        }
        let named = proxied(policy(&[], &["localhost"], &[]));
        assert_eq!(named.check("localhost", 80, Caller::Job), Ok(()));
        assert_eq!(strict.check("notlocalhost", 80, Caller::Job), Ok(()));
    }

    #[test]
    fn what_needs_no_resolver_is_checked_before_a_connection() {
        let policy = policy(&[], &[], &["denied.example"]);
        for host in ["127.0.0.1", "[::1]", "[::ffff:a00:1]", "denied.example"] {
            assert_eq!(policy.check(host, 80, Caller::Job), Err(NotAllowed), "{host}");
        }
        for host in ["8.8.8.8", "[2606:4700::1111]", "localhost", "example.com"] {
            assert_eq!(policy.check(host, 80, Caller::Job), Ok(()), "{host}");
        }
    }
}
