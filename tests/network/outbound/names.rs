//! Names whose addresses change between the check and the connection.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use super::Caller;
use crate::hosts::Hosts;
use crate::kit::eventually;
use crate::kit::http::Target;

/// A public address, which the host of the clients has.
const PUBLIC: Ipv4Addr = Ipv4Addr::new(93, 184, 216, 34);

/// Number of jobs that call the name.
const CALLS: usize = 20;

/// Type of a query for an IPv4 address (RFC 1035, section 3.2.2).
const TYPE_A: [u8; 2] = [0, 1];

/// A name server on the host of the server that answers queries for IPv4 addresses with a function of their
/// number, and has no other records.
struct NameServer {
    queries: Arc<AtomicUsize>,
}

impl NameServer {
    fn start(hosts: &Hosts, addresses: fn(usize) -> Vec<Ipv4Addr>) -> Self {
        hosts.write_server_file("resolv.conf", "nameserver 127.0.0.1\n");
        let socket = hosts.open_on_server(|| UdpSocket::bind("127.0.0.1:53").unwrap());
        let queries = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&queries);
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((len, client)) = socket.recv_from(&mut query) {
                let question = question(&query[..len]);
                let addresses = if question.ends_with(&[TYPE_A, [0, 1]].concat()) {
                    addresses(count.fetch_add(1, Ordering::SeqCst))
                } else {
                    Vec::new()
                };
                socket.send_to(&answer(&query[..2], question, &addresses), client).unwrap();
            }
        });
        Self { queries }
    }
}

/// Returns the question of a query: the name, the type and the class.
fn question(query: &[u8]) -> &[u8] {
    let name_end = query[12..].iter().position(|byte| *byte == 0).unwrap();
    &query[12..12 + name_end + 1 + 4]
}

/// Returns an answer with these addresses, which must not be cached (RFC 1035, section 4.1).
fn answer(id: &[u8], question: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
    let count = u8::try_from(addresses.len()).unwrap();
    let mut answer = [id, &[0x81, 0x80, 0, 1, 0, count, 0, 0, 0, 0], question].concat();
    for address in addresses {
        // The name of the question, the type A, the class IN, no time to live, and four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
        answer.extend(address.octets());
    }
    answer
}

/// Starts a server with the public address, and on the same port a sink on the loopback addresses of the
/// server. Returns the port and the number of connections of the sink.
fn start_both(hosts: &Hosts) -> (u16, Arc<AtomicUsize>) {
    hosts.configure_server(&["route", "add", "default", "via", "10.77.0.2"]);
    hosts.configure_client(&["addr", "add", &format!("{PUBLIC}/32"), "dev", "lo"]);
    let listener = hosts.open_on_client(|| TcpListener::bind((PUBLIC, 0)).unwrap());
    let port = listener.local_addr().unwrap().port();
    Target::on(listener, |caller, _| {
        caller.answer("200 OK", "connection: close\r\n", "public");
        caller.disconnect();
    });
    let sink = hosts.open_on_server(move || TcpListener::bind(("127.0.0.1", port)).unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    std::thread::spawn(move || {
        for _ in sink.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, connections)
}

#[test]
fn a_name_that_changes_after_it_was_checked_never_leads_to_a_private_address() {
    let Some(hosts) = Hosts::new() else { return };
    let (port, connections) = start_both(&hosts);
    let names = NameServer::start(&hosts, |query| match query % 2 {
        0 => vec![PUBLIC],
        _ => vec![Ipv4Addr::LOCALHOST],
    });
    let mut caller = Caller::start(&hosts, "");
    let url = format!("http://changing.example:{port}/");
    let (mut completed, mut refused) = (0, 0);
    for _ in 0..CALLS {
        let job = caller.run(&url);
        match job["error"]["code"].as_str() {
            None => {
                assert_eq!(job["result"]["body"], "public", "{job}");
                completed += 1;
            }
            Some("address_not_allowed") => refused += 1,
            Some(_) => panic!("{job}"),
        }
    }
    assert_eq!((completed, refused), (CALLS / 2, CALLS / 2));
    // One look-up for each call: what was checked was dialled.
    assert_eq!(names.queries.load(Ordering::SeqCst), CALLS);
    assert_eq!(connections.load(Ordering::SeqCst), 0);

    // The sink can be reached.
    let mut caller = Caller::start(&hosts, "outbound.allow_networks = ['127.0.0.0/8']");
    caller.run(&url);
    caller.run(&url);
    eventually("the sink is called", || (connections.load(Ordering::SeqCst) == 1).then_some(()));
}

#[test]
fn of_the_addresses_of_a_name_only_the_allowed_ones_are_dialled() {
    let Some(hosts) = Hosts::new() else { return };
    let (port, connections) = start_both(&hosts);
    NameServer::start(&hosts, |query| {
        let mut addresses = vec![Ipv4Addr::LOCALHOST, PUBLIC, Ipv4Addr::new(10, 0, 0, 1)];
        addresses.rotate_left(query % 3);
        addresses
    });
    let mut caller = Caller::start(&hosts, "");
    for _ in 0..CALLS {
        let job = caller.run(&format!("http://many.example:{port}/"));
        assert_eq!(job["result"]["body"], json!("public"), "{job}");
    }
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}
