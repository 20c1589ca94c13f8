//! Classification of addresses by the special-purpose registries of IANA.

mod ipv4;
mod ipv6;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

/// A row of a registry: a block of addresses with one purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// Addresses of the block.
    net: IpNet,
    /// Name of the block in the registry.
    name: &'static str,
    /// Document that defines the block.
    source: &'static str,
    /// Whether calls may reach its addresses.
    is_public: bool,
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}, {})", self.net, self.name, self.source)
    }
}

/// Returns the block that makes an address a special one, or `None` for a public address.
///
/// An IPv4-mapped IPv6 address is the IPv4 address. An IPv6 address that embeds an IPv4 address is public
/// only if both are.
pub(super) fn special_block(ip: IpAddr) -> Option<&'static Block> {
    match ip.to_canonical() {
        ip @ IpAddr::V4(_) => smallest(&ipv4::BLOCKS, ip).filter(|block| !block.is_public),
        IpAddr::V6(ip) => smallest(&ipv6::BLOCKS, ip.into())
            .filter(|block| !block.is_public)
            .or_else(|| special_block(embedded(ip)?.into())),
    }
}

/// Returns the smallest block that has an address.
fn smallest(blocks: &'static [Block], ip: IpAddr) -> Option<&'static Block> {
    let matching = blocks.iter().filter(|block| block.net.contains(&ip));
    matching.max_by_key(|block| block.net.prefix_len())
}

/// Returns the IPv4 address to which a packet for an IPv6 address is finally delivered, if the address
/// embeds one.
///
/// | form | section |
/// | --- | --- |
/// | `64:ff9b::a.b.c.d`, NAT64 | RFC 6052, 2.1 |
/// | `2002:aabb:ccdd::`, 6to4 | RFC 3056, 2 |
/// | `2001:0:...`, Teredo, with the last 32 bits inverted | RFC 4380, 4 |
/// | `...:0:5efe:a.b.c.d` and `...:200:5efe:a.b.c.d`, ISATAP | RFC 5214, 6.1 |
/// | `::a.b.c.d`, IPv4-compatible | RFC 4291, 2.5.5.1 |
pub(super) fn embedded(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let v4 = |high: u16, low: u16| {
        let [a, b] = high.to_be_bytes();
        let [c, d] = low.to_be_bytes();
        Ipv4Addr::new(a, b, c, d)
    };
    match ip.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(v4(high, low)),
        [0x2002, high, low, ..] => Some(v4(high, low)),
        [0x2001, 0, .., high, low] => Some(v4(!high, !low)),
        [_, _, _, _, 0 | 0x200, 0x5efe, high, low] => Some(v4(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] if ip != Ipv6Addr::UNSPECIFIED && ip != Ipv6Addr::LOCALHOST => {
            Some(v4(high, low))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_public(ip: &str) -> bool {
        special_block(ip.parse().unwrap()).is_none()
    }

    /// Returns the neighbours of a block: the addresses before its first and after its last one.
    fn neighbours(net: IpNet) -> Vec<IpAddr> {
        let of_bits = |first: u128, last: u128, max: u128| {
            let before = first.checked_sub(1);
            before.into_iter().chain(last.checked_add(1).filter(|after| *after <= max))
        };
        match net {
            IpNet::V4(net) => {
                let bits = |ip: Ipv4Addr| u128::from(ip.to_bits());
                of_bits(bits(net.network()), bits(net.broadcast()), u128::from(u32::MAX))
                    .map(|bits| Ipv4Addr::from_bits(u32::try_from(bits).unwrap()).into())
                    .collect()
            }
            IpNet::V6(net) => {
                of_bits(net.network().to_bits(), net.broadcast().to_bits(), u128::MAX)
                    .map(|bits| Ipv6Addr::from_bits(bits).into())
                    .collect()
            }
        }
    }

    fn block_of(ip: IpAddr) -> Option<&'static Block> {
        match ip {
            IpAddr::V4(_) => smallest(&ipv4::BLOCKS, ip),
            IpAddr::V6(_) => smallest(&ipv6::BLOCKS, ip),
        }
    }

    fn blocks() -> impl Iterator<Item = &'static Block> {
        ipv4::BLOCKS.iter().chain(&ipv6::BLOCKS)
    }

    #[test]
    fn the_first_and_the_last_address_of_each_block_are_in_it_or_in_a_smaller_one() {
        for block in blocks() {
            for ip in [block.net.network(), block.net.broadcast()] {
                let found = block_of(ip).unwrap_or_else(|| panic!("{ip} is in no block"));
                let is_inside = block.net.contains(&found.net);
                assert!(found == block || is_inside, "{ip} is in {found} and not in {block}");
                // The mapped addresses are not judged as IPv6 addresses.
                let is_mapped = ip.to_canonical() != ip;
                if found == block && !block.is_public && !is_mapped {
                    assert!(special_block(ip).is_some(), "{ip} of {block} is public");
                }
            }
        }
    }

    #[test]
    fn the_addresses_beside_a_block_are_not_in_it() {
        for block in blocks() {
            for ip in neighbours(block.net) {
                assert_ne!(block_of(ip), Some(block), "{ip}");
            }
        }
    }

    #[test]
    fn no_block_is_listed_twice() {
        for block in blocks() {
            let count = blocks().filter(|other| other.net == block.net).count();
            assert_eq!(count, 1, "{block}");
            assert_eq!(block.net, block.net.trunc(), "{block} has bits after its prefix");
        }
    }

    #[test]
    fn the_neighbours_of_private_networks_are_public() {
        for ip in [
            "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
            "128.0.0.0", "168.63.129.15", "168.63.129.17", "169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0",
            "191.255.255.255", "192.0.1.0", "192.0.3.0", "192.88.98.255", "192.88.100.0",
            "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255",
            "198.51.101.0", "203.0.112.255", "203.0.114.0", "223.255.255.255", "8.8.8.8",
            "192.31.196.1", "192.52.193.1", "192.175.48.1", "2000::", "2001:200::", "2001:db7:ffff::",
            "2001:db9::", "2003::", "2606:4700::1111", "2620:4f:8000::1", "3fff:1000::", "3ffe::1",
            "2001:4:112::1", "2001:3::1",
        ] {
            assert!(is_public(ip), "{ip}");
        }
    }

    #[test]
    fn special_addresses_are_not_public() {
        for ip in [
            "0.0.0.0", "0.255.255.255", "10.0.0.0", "100.64.0.0", "127.0.0.1", "168.63.129.16",
            "169.254.169.254",
            "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.9", "192.0.0.170", "192.0.2.1",
            "192.88.99.1", "192.168.0.1", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1",
            "224.0.0.1", "239.255.255.255", "240.0.0.0", "255.255.255.255", "::", "::1", "::2",
            "100::1", "100:0:0:1::1", "64:ff9b:1::808:808", "200::1", "400::", "2001::1", "2001:2::1",
            "2001:10::1", "2001:db8::1", "2002:808:808::", "3fff::1", "4000::1", "5f00::1", "8000::",
            "e000::1", "f000::", "fc00::1", "fd00:ec2::254", "fe00::1", "fe80::1", "fec0::1", "ff02::1",
        ] {
            assert!(!is_public(ip), "{ip}");
        }
    }

    #[test]
    fn an_embedded_ipv4_address_is_judged_too() {
        for (form, of_public, of_private) in [
            ("mapped", "::ffff:8.8.8.8", "::ffff:10.0.0.1"),
            ("NAT64", "64:ff9b::808:808", "64:ff9b::a00:1"),
            ("ISATAP", "2600::5efe:808:808", "2600::5efe:a00:1"),
            ("ISATAP with the universal bit", "2600::200:5efe:808:808", "2600::200:5efe:7f00:1"),
        ] {
            assert!(is_public(of_public), "{form} {of_public}");
            assert!(!is_public(of_private), "{form} {of_private}");
        }
        for (ip, expected) in [
            ("2002:0a00:0001::1", "10.0.0.1"),
            ("2001:0:1:2:3:4:f5ff:fffe", "10.0.0.1"),
            ("::10.0.0.1", "10.0.0.1"),
        ] {
            assert_eq!(embedded(ip.parse().unwrap()), Some(expected.parse().unwrap()), "{ip}");
            assert!(!is_public(ip), "{ip}");
        }
        assert_eq!(embedded(Ipv6Addr::LOCALHOST), None);
    }
}
