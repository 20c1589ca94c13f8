//! The addresses on which the server listens.

use std::net::SocketAddr;

use crate::server::Handle;

impl Handle {
    /// Adds an address on which this server listens, so that no `http` or `chat` job can call it.
    ///
    /// [`http::start`](crate::http::start) adds those of its listeners. An application that mounts
    /// [`http::scope`](crate::http::scope) adds those of its own HTTP server. `0.0.0.0` and `[::]` are every
    /// address of this machine.
    pub fn add_own_address(&self, address: SocketAddr) {
        self.registry().add_own_address(address);
    }
}
