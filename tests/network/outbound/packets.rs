//! A call that is refused sends no packet.

use std::fmt::Write;

use super::Caller;
use crate::hosts::Hosts;
use crate::kit::http::private_urls;

/// Addresses with names, each of which is of another block.
const NAMED: [&str; 34] = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.1.2.3",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.0.2.1",
    "192.88.99.1",
    "192.168.0.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::a00:1",
    "64:ff9b:1::808:808",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "2600::5efe:a00:1",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fec0::1",
    "ff02::1",
];

/// Addresses to which a packet is sent if they are allowed.
const REACHABLE: [&str; 14] = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "192.168.0.1",
    "198.18.0.1",
    "203.0.113.1",
    "[::1]",
    "[64:ff9b::a00:1]",
    "[2001::1]",
    "[2002:a00:1::]",
    "[fd00:ec2::254]",
    "[::ffff:10.0.0.1]",
];

fn name(index: usize) -> String {
    format!("name{index}.example")
}

/// Returns the hosts, of which that of the server has a route for every address, and a name for each of
/// [`NAMED`].
fn hosts() -> Option<Hosts> {
    let hosts = Hosts::new()?;
    hosts.configure_server(&["route", "add", "default", "via", "10.77.0.2"]);
    hosts.configure_server(&["addr", "add", "fd77::1/64", "dev", "eth0", "nodad"]);
    hosts.configure_client(&["addr", "add", "fd77::2/64", "dev", "eth0", "nodad"]);
    hosts.configure_server(&["-6", "route", "add", "default", "via", "fd77::2"]);
    let mut names = String::from("127.0.0.1 localhost\n");
    for (index, address) in NAMED.iter().enumerate() {
        writeln!(names, "{address} {}", name(index)).unwrap();
    }
    hosts.write_server_file("hosts", &names);
    Some(hosts)
}

/// Returns the number of IP packets that the host of the server has sent, also to itself, without those by
/// which IPv6 finds its neighbours.
fn sent_packets(hosts: &Hosts) -> i64 {
    let read = |path| {
        let output = hosts.server_command("cat", &[path]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let v4 = read("/proc/net/snmp");
    let mut lines = v4.lines().filter_map(|line| line.strip_prefix("Ip: "));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names.split(' ').position(|name| name == "OutRequests").unwrap();
    let v4: i64 = values.split(' ').nth(at).unwrap().parse().unwrap();
    let v6 = read("/proc/net/snmp6");
    let v6_counter = |name: &str| -> i64 {
        let line = v6.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap().split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    v4 + v6_counter("Ip6OutRequests") - v6_counter("Icmp6OutMsgs")
}

#[test]
fn calls_to_addresses_that_are_not_public_send_no_packet() {
    let Some(hosts) = hosts() else { return };
    let mut caller = Caller::start(&hosts, "");
    let before = sent_packets(&hosts);
    let urls = private_urls(80);
    for url in &urls {
        assert_eq!(caller.call(url).0, 422, "{url}");
    }
    for (index, address) in NAMED.iter().enumerate() {
        let job = caller.run(&format!("http://{}/", name(index)));
        assert_eq!(job["error"]["code"], "address_not_allowed", "{address}: {job}");
    }
    let packets = sent_packets(&hosts) - before;
    eprintln!("{} URLs and {} names: {packets} packets", urls.len(), NAMED.len());
    assert_eq!(packets, 0);
}

#[test]
fn calls_to_allowed_networks_send_packets() {
    let Some(hosts) = hosts() else { return };
    let mut caller = Caller::start(&hosts, "outbound.allow_networks = ['0.0.0.0/0', '::/0']");
    let named = [1, 4, 19, 21].map(name);
    for host in REACHABLE.into_iter().chain(named.iter().map(String::as_str)) {
        let before = sent_packets(&hosts);
        let job = caller.run(&format!("http://{host}/"));
        assert_eq!(job["error"]["code"], "connection", "{host}: {job}");
        assert!(sent_packets(&hosts) > before, "{host}: {job}");
    }
}
