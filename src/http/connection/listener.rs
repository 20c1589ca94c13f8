//! The places where the HTTP server listens.

mod tls;
mod unix_socket;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use tokio::net::TcpSocket;

use crate::config::ListenAddress;
pub use tls::{TlsError, TlsFiles};
pub use unix_socket::SocketFile;
pub(super) use unix_socket::UnixSocket;

/// Maximum number of connections that wait to be accepted.
const BACKLOG: u32 = 4_096;

/// Size of the buffer of the operating system for bytes to send to one client. Without a size it grows to
/// several megabytes for a client that does not read, and a slow client seems to read nothing for a while.
const SEND_BUFFER_BYTES: u32 = 256 << 10;

/// A socket that listens. Connections wait until [`start_all`](crate::http::start_all) accepts them.
#[derive(Debug)]
pub struct Listener(pub(super) Socket);

/// The socket of a listener.
#[derive(Debug)]
pub(super) enum Socket {
    /// A TCP socket.
    Tcp(TcpListener),
    /// A TCP socket with TLS.
    Tls(TcpListener, Arc<TlsFiles>),
    /// A Unix socket.
    Unix(UnixSocket),
}

impl Listener {
    /// Listens on an address or a Unix socket.
    ///
    /// The file of a Unix socket is created with its mode. A file on which no server accepts connections is
    /// replaced.
    ///
    /// # Errors
    /// Returns the error of the operating system if it cannot listen there; of the kind `AddrInUse` if
    /// another server does, and `AlreadyExists` if the path is another kind of file.
    pub fn bind(address: &ListenAddress) -> io::Result<Self> {
        match address {
            ListenAddress::Tcp(addr) => bind(*addr).map(Self::from),
            ListenAddress::Unix { path, mode } => UnixSocket::bind(path, *mode).map(Self::from),
        }
    }

    /// Returns the address of a TCP socket, with the port that was chosen; `None` for a Unix socket.
    ///
    /// # Errors
    /// Returns the error of the operating system.
    pub fn tcp_addr(&self) -> io::Result<Option<SocketAddr>> {
        match &self.0 {
            Socket::Tcp(listener) | Socket::Tls(listener, _) => listener.local_addr().map(Some),
            Socket::Unix(_) => Ok(None),
        }
    }

    /// Returns the file of a Unix socket. It is removed when the server has ended, which may be a moment after
    /// it was stopped, or by [`SocketFile::remove`].
    pub fn socket_file(&self) -> Option<Arc<SocketFile>> {
        match &self.0 {
            Socket::Tcp(_) | Socket::Tls(..) => None,
            Socket::Unix(socket) => Some(Arc::clone(&socket.file)),
        }
    }

    /// Has a TCP socket use TLS. A Unix socket stays as it is.
    #[must_use]
    pub fn with_tls(self, files: &Arc<TlsFiles>) -> Self {
        match self.0 {
            Socket::Tcp(listener) => Self(Socket::Tls(listener, Arc::clone(files))),
            socket => Self(socket),
        }
    }

    /// Returns the URL of the server at this listener: `http://127.0.0.1:7373`, `https://10.0.0.2:7373` or
    /// `unix:/run/longshore.sock`.
    pub fn url(&self) -> String {
        let tcp = |scheme, listener: &TcpListener| match listener.local_addr() {
            Ok(addr) => format!("{scheme}://{addr}"),
            // The system knows the address of a socket that listens.
            Err(error) => format!("{scheme}://({error})"),
        };
        match &self.0 {
            Socket::Tcp(listener) => tcp("http", listener),
            Socket::Tls(listener, _) => tcp("https", listener),
            Socket::Unix(socket) => format!("unix:{}", socket.file.path().display()),
        }
    }
}

impl From<TcpListener> for Listener {
    fn from(listener: TcpListener) -> Self {
        Self(Socket::Tcp(listener))
    }
}

impl From<UnixSocket> for Listener {
    fn from(socket: UnixSocket) -> Self {
        Self(Socket::Unix(socket))
    }
}

/// Listens on an address; port 0 picks a free one. Connections wait until [`start`](crate::http::start)
/// accepts them.
///
/// # Errors
/// Returns the error of the operating system if it cannot listen on the address.
pub fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    let socket = match listen {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    // As `std::net::TcpListener::bind` does, which does not let the caller choose the backlog.
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit it.
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    socket.bind(listen)?;
    socket.listen(BACKLOG)?.into_std()
}
