//! Blocks of the IANA IPv6 Special-Purpose Address Registry, and of the registry of the address space.
//!
//! <https://www.iana.org/assignments/iana-ipv6-special-registry> and
//! <https://www.iana.org/assignments/ipv6-address-space>.

use std::net::Ipv6Addr;

use ipnet::{IpNet, Ipv6Net};

use super::Block;

/// Returns a row of the table. `high` are the first four groups of the address, and `low` the others.
const fn block(
    high: [u16; 4],
    low: [u16; 4],
    prefix_len: u8,
    name: &'static str,
    source: &'static str,
    is_public: bool,
) -> Block {
    let ([a, b, c, d], [e, f, g, h]) = (high, low);
    let net = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, e, f, g, h), prefix_len));
    Block { net, name, source, is_public }
}

/// Blocks of addresses that the registry calls globally reachable are public.
const PUBLIC: bool = true;
/// All others are special.
const SPECIAL: bool = false;

/// Groups that are zero.
const ZERO: [u16; 4] = [0; 4];

/// The blocks. The smallest one that has an address decides.
///
/// The anycast addresses for PCP, TURN and DNS-SD are globally reachable by the registry, but lead to the
/// nearest server, which may be the router of this network. They are not public here. Outside of
/// `2000::/3` the address space is not assigned, except for the blocks that are listed.
#[rustfmt::skip]
pub(super) static BLOCKS: [Block; 30] = [
    block(ZERO, ZERO, 0, "Reserved by IETF", "RFC 4291", SPECIAL),
    block(ZERO, [0, 0, 0, 1], 128, "Loopback Address", "RFC 4291", SPECIAL),
    block(ZERO, ZERO, 128, "Unspecified Address", "RFC 4291", SPECIAL),
    block(ZERO, ZERO, 96, "IPv4-Compatible Address", "RFC 4291", SPECIAL),
    block(ZERO, [0, 0xffff, 0, 0], 96, "IPv4-mapped Address", "RFC 4291", SPECIAL),
    block([0x64, 0xff9b, 0, 0], ZERO, 96, "IPv4-IPv6 Translation", "RFC 6052", PUBLIC),
    block([0x64, 0xff9b, 1, 0], ZERO, 48, "IPv4-IPv6 Translation", "RFC 8215", SPECIAL),
    block([0x100, 0, 0, 0], ZERO, 64, "Discard-Only Address Block", "RFC 6666", SPECIAL),
    block([0x100, 0, 0, 1], ZERO, 64, "Dummy IPv6 Prefix", "RFC 9780", SPECIAL),
    block([0x2000, 0, 0, 0], ZERO, 3, "Global Unicast", "RFC 4291", PUBLIC),
    block([0x2001, 0, 0, 0], ZERO, 23, "IETF Protocol Assignments", "RFC 2928", SPECIAL),
    block([0x2001, 0, 0, 0], ZERO, 32, "TEREDO", "RFC 4380", SPECIAL),
    block([0x2001, 1, 0, 0], [0, 0, 0, 1], 128, "Port Control Protocol Anycast", "RFC 7723", SPECIAL),
    block([0x2001, 1, 0, 0], [0, 0, 0, 2], 128, "TURN Anycast", "RFC 8155", SPECIAL),
    block([0x2001, 1, 0, 0], [0, 0, 0, 3], 128, "DNS-SD SRP Anycast", "RFC 9665", SPECIAL),
    block([0x2001, 2, 0, 0], ZERO, 48, "Benchmarking", "RFC 5180", SPECIAL),
    block([0x2001, 3, 0, 0], ZERO, 32, "AMT", "RFC 7450", PUBLIC),
    block([0x2001, 4, 0x112, 0], ZERO, 48, "AS112-v6", "RFC 7535", PUBLIC),
    block([0x2001, 0x10, 0, 0], ZERO, 28, "Deprecated (previously ORCHID)", "RFC 4843", SPECIAL),
    block([0x2001, 0x20, 0, 0], ZERO, 28, "ORCHIDv2", "RFC 7343", PUBLIC),
    block([0x2001, 0x30, 0, 0], ZERO, 28, "Drone Remote ID Protocol Entity Tags", "RFC 9374", PUBLIC),
    block([0x2001, 0xdb8, 0, 0], ZERO, 32, "Documentation", "RFC 3849", SPECIAL),
    block([0x2002, 0, 0, 0], ZERO, 16, "6to4", "RFC 3056", SPECIAL),
    block([0x2620, 0x4f, 0x8000, 0], ZERO, 48, "Direct Delegation AS112 Service", "RFC 7534", PUBLIC),
    block([0x3fff, 0, 0, 0], ZERO, 20, "Documentation", "RFC 9637", SPECIAL),
    block([0x5f00, 0, 0, 0], ZERO, 16, "Segment Routing (SRv6) SIDs", "RFC 9602", SPECIAL),
    block([0xfc00, 0, 0, 0], ZERO, 7, "Unique-Local", "RFC 4193", SPECIAL),
    block([0xfe80, 0, 0, 0], ZERO, 10, "Link-Local Unicast", "RFC 4291", SPECIAL),
    block([0xfec0, 0, 0, 0], ZERO, 10, "Deprecated (site-local)", "RFC 3879", SPECIAL),
    block([0xff00, 0, 0, 0], ZERO, 8, "Multicast", "RFC 4291", SPECIAL),
];
