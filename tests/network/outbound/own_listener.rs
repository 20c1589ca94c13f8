//! A server on all addresses of its host is called through none of them.

use super::Caller;
use crate::hosts::{Hosts, SERVER};
use crate::kit::Setup;

#[test]
fn a_server_on_all_addresses_is_called_neither_by_address_nor_by_name() {
    let Some(hosts) = Hosts::new() else { return };
    hosts.configure_server(&["addr", "add", "fd77::1/64", "dev", "eth0", "nodad"]);
    let names = format!("{SERVER} own.example\nfd77::1 six.example\n");
    hosts.write_server_file("hosts", &names);
    let setup = Setup::new().config("outbound.allow_networks = ['0.0.0.0/0', '::/0']");
    let listen = "[::]:0".parse().unwrap();
    let mut caller = Caller::of(&hosts, setup.listen(listen).option("--insecure-no-keys"));
    let port = caller.server.addr().port();
    for host in ["127.0.0.1", "0.0.0.0", "[::1]", "[::]", SERVER, "[fd77::1]", "[::ffff:10.77.0.1]"]
    {
        assert_eq!(caller.call(&format!("http://{host}:{port}/healthz")).0, 422, "{host}");
    }
    for host in ["own.example", "six.example"] {
        let job = caller.run(&format!("http://{host}:{port}/healthz"));
        assert_eq!(job["error"]["code"], "address_not_allowed", "{host}: {job}");
    }
    // Nothing listens on the other port, and the address is allowed.
    let job = caller.run(&format!("http://own.example:{}/healthz", port ^ 1));
    assert_eq!(job["error"]["code"], "connection", "{job}");
}
