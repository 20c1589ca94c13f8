//! The transport of a connection: TCP, TLS over TCP, or a Unix socket.

use std::io::Result;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use super::tls::TlsSocket;
use crate::server::origin::{Peer, Transport};

/// Whether a connection is ready for requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start {
    /// Requests may arrive.
    Open,
    /// The client does not use TLS although the port needs it. It has its answer.
    Refused,
}

/// Transport of a connection.
pub(super) enum Socket {
    /// TCP without TLS.
    Tcp(TcpStream),
    /// TLS over TCP.
    Tls(Box<TlsSocket>),
    /// A Unix socket.
    Unix(UnixStream),
}

impl Socket {
    /// Returns the address of the client; `None` for a Unix socket, or if the client is gone.
    pub(super) fn peer_addr(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(tcp) => tcp.peer_addr().ok(),
            Self::Tls(tls) => tls.tcp()?.peer_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    /// Returns the other end of the connection.
    pub(super) fn peer(&self) -> Peer {
        let transport = match self {
            Self::Tcp(_) => Transport::Tcp,
            Self::Tls(_) => Transport::Tls,
            Self::Unix(_) => Transport::Unix,
        };
        Peer { transport, ip: self.peer_addr().map(|addr| addr.ip()) }
    }

    /// Sends small writes at once.
    pub(super) fn set_nodelay(&self) {
        let tcp = match self {
            Self::Tcp(tcp) => Some(tcp),
            Self::Tls(tls) => tls.tcp(),
            Self::Unix(_) => None,
        };
        // Fails if the client is gone, which the first read reports.
        let _ = tcp.map(|tcp| tcp.set_nodelay(true));
    }

    /// Continues the TLS handshake, if there is one, until it is complete.
    pub(super) fn poll_start(&mut self, context: &mut Context<'_>) -> Poll<Result<Start>> {
        match self {
            Self::Tls(tls) => tls.poll_start(context),
            Self::Tcp(_) | Self::Unix(_) => Poll::Ready(Ok(Start::Open)),
        }
    }

    /// Returns whether an answer can be sent.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Self::Tls(tls) => tls.is_open(),
            Self::Tcp(_) | Self::Unix(_) => true,
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_read(context, buffer),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_read(context, buffer),
            Self::Unix(unix) => Pin::new(unix).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_write(context, bytes),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_write(context, bytes),
            Self::Unix(unix) => Pin::new(unix).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_flush(context),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(context),
            Self::Unix(unix) => Pin::new(unix).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match self.get_mut() {
            Self::Tcp(tcp) => Pin::new(tcp).poll_shutdown(context),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(context),
            Self::Unix(unix) => Pin::new(unix).poll_shutdown(context),
        }
    }
}
