//! The errors that end a server.

use crate::config::ListenAddress;
use crate::http::TlsError;
use crate::server::StartError;

/// An error that stops the server.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The server did not start; correct the cause that the message names.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The address cannot be listened on; another server may be running there.
    #[error("cannot listen on {listen}: {error}")]
    Listen {
        /// Configured address.
        listen: ListenAddress,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// The certificate or the key of `[tls]` cannot be used; correct the files.
    #[error(transparent)]
    Tls(TlsError),
    /// Other machines can reach the address, and no key exists that they would need.
    #[error(
        "listening on {listen}, which other machines can reach, needs a key; create one with \
         'longshore key create NAME --scope admin', or start with --insecure-no-keys"
    )]
    Exposed {
        /// Configured address.
        listen: ListenAddress,
    },
    /// The server cannot accept connections on its sockets.
    #[error("cannot accept connections: {0}")]
    Accept(std::io::Error),
    /// The handlers for SIGINT and SIGTERM cannot be installed.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// The server failed while it ran. Accepted jobs are on disk, and a restart recovers them.
    #[error("the server failed: {0}")]
    Failed(String),
}
