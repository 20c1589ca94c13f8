//! The addresses on which this server listens, which no call may reach.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};

use crate::executor::outbound::network::address::embedded;

/// The addresses on which this server listens. Clones share them.
///
/// They are known only after the server has bound its listeners, because a port may be chosen by the system.
#[derive(Debug, Clone, Default)]
pub(in crate::executor) struct OwnAddresses(Arc<Mutex<Vec<SocketAddr>>>);

impl OwnAddresses {
    /// Adds an address. `0.0.0.0` and `[::]` are every address of this machine.
    pub(in crate::executor) fn add(&self, address: SocketAddr) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        // A poisoned lock is safe to use: adding an address has no intermediate state.
        let mut addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }

    /// Returns whether a listener of this server has this port.
    pub(super) fn has_port(&self, port: u16) -> bool {
        let addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.iter().any(|own| own.port() == port)
    }

    /// Returns whether a connection to an address would reach a listener of this server.
    pub(super) fn covers(&self, address: SocketAddr) -> bool {
        let addresses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = addresses.iter().filter(|own| own.port() == address.port());
        let is_local = |ip| is_local(ip, scope(address));
        own.map(SocketAddr::ip).any(|own| is_covered(own, address.ip(), &is_local))
    }
}

/// Returns whether a listener on `own` accepts connections to `ip`, on the same port. `is_local` returns
/// whether an address belongs to this machine.
fn is_covered(own: IpAddr, ip: IpAddr, is_local: &dyn Fn(IpAddr) -> bool) -> bool {
    let ip = destination(ip);
    let embedded = match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => embedded(ip).map(IpAddr::V4),
    };
    [Some(ip), embedded].into_iter().flatten().any(|ip| {
        // A listener on `[::]` accepts IPv4 connections too.
        if own.is_unspecified() { is_local(ip) } else { own == ip }
    })
}

/// Returns the address to which the system connects for a destination: `0.0.0.0` and `::` are loopback.
fn destination(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// Returns the interface of a link-local IPv6 address, or zero.
fn scope(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    }
}

/// Returns whether an address belongs to this machine: a socket can be bound to it. It sends nothing.
fn is_local(ip: IpAddr, scope: u32) -> bool {
    let any_port = match ip {
        IpAddr::V4(ip) => SocketAddr::from((ip, 0)),
        // Without its interface a link-local address cannot be bound.
        IpAddr::V6(ip) => SocketAddrV6::new(ip, 0, 0, scope).into(),
    };
    ip.is_loopback() || UdpSocket::bind(any_port).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(listeners: &[&str]) -> OwnAddresses {
        let own = OwnAddresses::default();
        listeners.iter().for_each(|listener| own.add(listener.parse().unwrap()));
        own
    }

    #[test]
    fn a_listener_covers_its_address_in_every_form() {
        let own = own(&["127.0.0.1:7373", "[::1]:7373", "10.0.0.5:80"]);
        for address in [
            "127.0.0.1:7373",
            "[::ffff:127.0.0.1]:7373",
            "0.0.0.0:7373",
            "[::1]:7373",
            "[::]:7373",
            "10.0.0.5:80",
            "[64:ff9b::10.0.0.5]:80",
            "[2002:a00:5::]:80",
        ] {
            assert!(own.covers(address.parse().unwrap()), "{address}");
        }
        for address in ["127.0.0.1:7374", "127.0.0.2:7373", "10.0.0.5:7373", "10.0.0.6:80"] {
            assert!(!own.covers(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_listener_without_an_address_covers_those_of_the_machine() {
        for listener in ["0.0.0.0:7373", "[::]:7373"] {
            let own = own(&[listener]);
            for address in ["127.0.0.1:7373", "127.9.9.9:7373", "[::1]:7373", "0.0.0.0:7373"] {
                assert!(own.covers(address.parse().unwrap()), "{listener} {address}");
            }
            for address in ["127.0.0.1:80", "192.0.2.1:7373", "[2001:db8::1]:7373"] {
                assert!(!own.covers(address.parse().unwrap()), "{listener} {address}");
            }
        }
        let is_local = |ip: IpAddr| ip == IpAddr::from([10, 0, 0, 5]);
        assert!(is_covered(Ipv4Addr::UNSPECIFIED.into(), [10, 0, 0, 5].into(), &is_local));
        assert!(!is_covered(Ipv4Addr::UNSPECIFIED.into(), [10, 0, 0, 6].into(), &is_local));
    }
}
