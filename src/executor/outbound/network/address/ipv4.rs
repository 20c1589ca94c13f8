//! Blocks of the IANA IPv4 Special-Purpose Address Registry, and multicast.
//!
//! <https://www.iana.org/assignments/iana-ipv4-special-registry>.

use std::net::Ipv4Addr;

use ipnet::{IpNet, Ipv4Net};

use super::Block;

/// Returns a row of the table.
const fn block(
    ip: [u8; 4],
    prefix_len: u8,
    name: &'static str,
    source: &'static str,
    is_public: bool,
) -> Block {
    let [a, b, c, d] = ip;
    let net = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix_len));
    Block { net, name, source, is_public }
}

/// Blocks of addresses that the registry calls globally reachable are public.
const PUBLIC: bool = true;
/// All others are special.
const SPECIAL: bool = false;

/// The blocks. The smallest one that has an address decides.
///
/// The anycast addresses for PCP and TURN are globally reachable by the registry, but lead to the nearest
/// server, which may be the router of this network. They are not public here. Neither is the address at which
/// Azure serves its platform, with the goal state and the certificates of a virtual machine, to that machine.
pub(super) static BLOCKS: [Block; 28] = [
    block([0, 0, 0, 0], 8, "\"This network\"", "RFC 791, section 3.2", SPECIAL),
    block([0, 0, 0, 0], 32, "\"This host on this network\"", "RFC 1122, section 3.2.1.3", SPECIAL),
    block([10, 0, 0, 0], 8, "Private-Use", "RFC 1918", SPECIAL),
    block([100, 64, 0, 0], 10, "Shared Address Space", "RFC 6598", SPECIAL),
    block([127, 0, 0, 0], 8, "Loopback", "RFC 1122, section 3.2.1.3", SPECIAL),
    block([168, 63, 129, 16], 32, "Azure platform (WireServer)", "Azure Virtual Network", SPECIAL),
    block([169, 254, 0, 0], 16, "Link Local", "RFC 3927", SPECIAL),
    block([172, 16, 0, 0], 12, "Private-Use", "RFC 1918", SPECIAL),
    block([192, 0, 0, 0], 24, "IETF Protocol Assignments", "RFC 6890, section 2.1", SPECIAL),
    block([192, 0, 0, 0], 29, "IPv4 Service Continuity Prefix", "RFC 7335", SPECIAL),
    block([192, 0, 0, 8], 32, "IPv4 dummy address", "RFC 7600", SPECIAL),
    block([192, 0, 0, 9], 32, "Port Control Protocol Anycast", "RFC 7723", SPECIAL),
    block([192, 0, 0, 10], 32, "Traversal Using Relays around NAT Anycast", "RFC 8155", SPECIAL),
    block([192, 0, 0, 170], 31, "NAT64/DNS64 Discovery", "RFC 7050, section 2.2", SPECIAL),
    block([192, 0, 2, 0], 24, "Documentation (TEST-NET-1)", "RFC 5737", SPECIAL),
    block([192, 31, 196, 0], 24, "AS112-v4", "RFC 7535", PUBLIC),
    block([192, 52, 193, 0], 24, "AMT", "RFC 7450", PUBLIC),
    block([192, 88, 99, 0], 24, "Deprecated (6to4 Relay Anycast)", "RFC 7526", SPECIAL),
    block([192, 88, 99, 2], 32, "6a44-relay anycast address", "RFC 6751", SPECIAL),
    block([192, 168, 0, 0], 16, "Private-Use", "RFC 1918", SPECIAL),
    block([192, 175, 48, 0], 24, "Direct Delegation AS112 Service", "RFC 7534", PUBLIC),
    block([198, 18, 0, 0], 15, "Benchmarking", "RFC 2544", SPECIAL),
    block([198, 51, 100, 0], 24, "Documentation (TEST-NET-2)", "RFC 5737", SPECIAL),
    block([203, 0, 113, 0], 24, "Documentation (TEST-NET-3)", "RFC 5737", SPECIAL),
    block([224, 0, 0, 0], 4, "Multicast", "RFC 5771", SPECIAL),
    block([240, 0, 0, 0], 4, "Reserved", "RFC 1112, section 4", SPECIAL),
    block([255, 255, 255, 255], 32, "Limited Broadcast", "RFC 8190", SPECIAL),
    block([0, 0, 0, 0], 0, "Unicast", "RFC 1122, section 3.2.1", PUBLIC),
];
