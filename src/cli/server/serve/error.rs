//! The errors that end a server.

use std::net::SocketAddr;

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
        listen: SocketAddr,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// The handlers for SIGINT and SIGTERM cannot be installed.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// The server failed while it ran. Accepted jobs are on disk, and a restart recovers them.
    #[error("the server failed: {0}")]
    Failed(String),
}
