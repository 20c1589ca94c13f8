//! Where the server listens: several addresses, Unix sockets, TLS, and proxies before it.

mod command_line;
mod proxies;
mod session;
mod sockets;
mod tls;

use std::os::unix::net::UnixStream;
use std::path::Path;

use crate::kit::{Connection, TEST_TIMEOUT};

/// Opens an HTTP connection to a Unix socket.
fn open_socket(path: &Path) -> Connection {
    let socket = UnixStream::connect(path).unwrap();
    socket.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    Connection::over(socket, "localhost")
}
