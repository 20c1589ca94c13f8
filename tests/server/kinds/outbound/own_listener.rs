//! No job calls the server that runs it, whatever is allowed.

use std::net::TcpListener;

use serde_json::json;

use super::{assert_refused_at_once, assert_refused_when_it_runs, call};
use crate::kit::Setup;

/// Settings that allow every address.
const ALL: &str = "outbound.allow_hosts = ['*']\noutbound.allow_networks = ['0.0.0.0/0', '::/0']\n";

#[test]
fn the_server_is_not_called_through_any_form_of_its_address() {
    let server = Setup::new().config(ALL).without_loopback().start();
    let port = server.addr().port();
    for host in ["127.0.0.1", "127.1", "0.0.0.0", "0", "[::ffff:127.0.0.1]", "[64:ff9b::127.0.0.1]"]
    {
        assert_refused_at_once(&server, &format!("http://{host}:{port}/v1/jobs"));
    }
    let job = server.run(&call(&format!("http://localhost:{port}/v1/jobs")));
    // The name may have another address, on which nothing listens.
    assert_ne!(job["state"], "completed", "{job}");
    assert!(server.log().contains("this server listens on the address"), "{}", server.log());
}

#[test]
fn a_server_on_all_addresses_is_not_called_through_any_of_them() {
    let setup = Setup::new().config(ALL).without_loopback().option("--insecure-no-keys");
    let server = setup.listen(([0, 0, 0, 0], 0).into()).start();
    let port = server.addr().port();
    for host in ["127.0.0.1", "127.9.9.9", "0.0.0.0", "[::ffff:127.0.0.1]"] {
        assert_refused_at_once(&server, &format!("http://{host}:{port}/v1/jobs"));
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for host in ["localhost", name.trim()] {
        let job = server.run(&call(&format!("http://{host}:{port}/v1/jobs")));
        assert_ne!(job["state"], "completed", "{host}: {job}");
    }
    // Another address of another machine with the same port is another server.
    server.post("/v1/jobs", &call(&format!("http://192.0.2.1:{port}/"))).expect(202);
}

#[test]
fn every_listener_of_a_server_is_refused() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let second = format!("--listen={free}");
    let server = Setup::new().config(ALL).without_loopback().option(&second).start();
    for address in [server.addr(), free] {
        assert_refused_at_once(&server, &format!("http://{address}/"));
    }
}

#[test]
fn a_provider_that_is_the_server_itself_is_refused() {
    let own = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = format!("{ALL}[providers.own]\nbase_url = 'http://{own}/v1'");
    let server = Setup::new().config(config).without_loopback().listen(own).start();
    let question = json!({"model": "m", "messages": [{"role": "user", "content": "?"}]});
    let job = server.run(&json!({"kind": "chat", "payload": question}));
    assert_refused_when_it_runs(&job);
}

#[test]
fn another_server_of_this_machine_is_called_if_that_is_allowed() {
    let other = Setup::new().start();
    let server = Setup::new().start();
    let job = server.run(&call(&format!("{}/healthz", other.url())));
    assert_eq!(job["state"], "completed", "{job}");
}
