//! Outgoing calls of a server: the packets that it sends, and names whose addresses change.

mod names;
mod own_listener;
mod packets;

use std::os::unix::net::UnixStream;

use serde_json::{Value, json};

use crate::hosts::Hosts;
use crate::kit::{Connection, Server, Setup, eventually};

/// Longest time to open a connection, so that addresses that do not answer take no longer.
const CONNECT_TIMEOUT: &str = "outbound.connect_timeout = '300ms'\n";

/// A server on a host, with a client that reaches it through a Unix socket and sends no packets.
struct Caller {
    server: Server,
    connection: Connection,
}

impl Caller {
    fn start(hosts: &Hosts, config: &str) -> Self {
        Self::of(hosts, Setup::new().config(format!("{CONNECT_TIMEOUT}{config}")))
    }

    /// Starts the server of a setup, which may call public addresses and those that its configuration allows.
    fn of(hosts: &Hosts, setup: Setup) -> Self {
        let socket = setup.directory().join("longshore.sock");
        let listen = format!("--listen=unix:{}", socket.display());
        let server = setup.without_loopback().option(&listen).wrapper(&hosts.on_server()).start();
        let stream = eventually("the server listens", || UnixStream::connect(&socket).ok());
        Self { server, connection: Connection::over(stream, "localhost") }
    }

    /// Submits a job that calls a URL and waits for its end, unless it is refused. Returns the status and the
    /// answer.
    fn call(&mut self, url: &str) -> (u16, Value) {
        let job = json!({"kind": "http", "payload": {"url": url}, "max_attempts": 1});
        let headers = [("content-type", "application/json"), ("prefer", "wait=30")];
        let body = job.to_string();
        let answer =
            self.connection.request("POST", "/v1/jobs", &headers, body.as_bytes()).unwrap();
        (answer.status, answer.json())
    }

    /// Runs a job that calls a URL, and returns it.
    fn run(&mut self, url: &str) -> Value {
        let (status, job) = self.call(url);
        assert_eq!(status, 200, "{url}: {job}");
        job
    }
}
