//! A TLS connection, from its first byte on.

use std::future::Future;
use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use tokio_rustls::{Accept, TlsAcceptor};

use super::socket::Start;

/// First byte of every TLS connection: the type of a handshake record (RFC 8446, section 5.1).
const HANDSHAKE: u8 = 0x16;

/// Answer to a client that does not use TLS.
const TLS_NEEDED: &[u8] = b"HTTP/1.1 400 Bad Request\r\n\
    content-type: application/problem+json\r\ncontent-length: 133\r\nconnection: close\r\n\r\n\
    {\"type\":\"urn:longshore:problem:tls-needed\",\"title\":\"Bad Request\",\"status\":400,\
    \"detail\":\"this port uses TLS; use a URL with https://\"}";

/// A connection that starts with a TLS handshake. The first read performs the handshake, so its time is part of
/// the time of the first head, and it delays no other connection.
pub(super) struct TlsSocket(State);

#[allow(clippy::large_enum_variant, reason = "it is in a box, and most connections are open")]
enum State {
    /// Nothing has arrived yet.
    New(TcpStream, TlsAcceptor),
    /// The handshake is in progress.
    Handshake(Accept<TcpStream>),
    /// Bytes are encrypted.
    Open(TlsStream<TcpStream>),
    /// The client did not start a TLS handshake, and has got an answer that says so.
    Refused(TcpStream),
    /// The handshake has failed.
    Failed,
}

impl TlsSocket {
    pub(super) fn new(tcp: TcpStream, acceptor: TlsAcceptor) -> Self {
        Self(State::New(tcp, acceptor))
    }

    /// Returns the TCP connection, unless the handshake has failed.
    pub(super) fn tcp(&self) -> Option<&TcpStream> {
        match &self.0 {
            State::New(tcp, _) | State::Refused(tcp) => Some(tcp),
            State::Handshake(accept) => accept.get_ref(),
            State::Open(tls) => Some(tls.get_ref().0),
            State::Failed => None,
        }
    }

    /// Returns whether an answer can be sent.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.0, State::Open(_))
    }

    /// Continues the handshake until it is complete.
    pub(super) fn poll_start(&mut self, context: &mut Context<'_>) -> Poll<Result<Start>> {
        loop {
            match &mut self.0 {
                State::Open(_) => return Poll::Ready(Ok(Start::Open)),
                State::Refused(_) => return Poll::Ready(Ok(Start::Refused)),
                State::Failed => return Poll::Ready(Err(ErrorKind::NotConnected.into())),
                State::New(tcp, _) => {
                    let is_tls = ready!(poll_is_tls(tcp, context))?;
                    self.leave_new(is_tls);
                }
                State::Handshake(accept) => {
                    let result = ready!(Pin::new(accept).poll(context));
                    let (state, error) = match result {
                        Ok(tls) => (State::Open(tls), None),
                        Err(error) => (State::Failed, Some(error)),
                    };
                    self.0 = state;
                    if let Some(error) = error {
                        tracing::debug!(%error, "a TLS handshake failed");
                        return Poll::Ready(Err(error));
                    }
                }
            }
        }
    }

    /// Starts the handshake, or answers the client that the port needs one.
    fn leave_new(&mut self, is_tls: bool) {
        let state = std::mem::replace(&mut self.0, State::Failed);
        if let State::New(tcp, acceptor) = state {
            self.0 = if is_tls {
                State::Handshake(acceptor.accept(tcp))
            } else {
                // Fails if the client is gone.
                let _ = tcp.try_write(TLS_NEEDED);
                State::Refused(tcp)
            };
        }
    }
}

/// Returns whether the first byte is that of TLS.
fn poll_is_tls(tcp: &TcpStream, context: &mut Context<'_>) -> Poll<Result<bool>> {
    let mut first = [0];
    match ready!(tcp.poll_peek(context, &mut ReadBuf::new(&mut first)))? {
        0 => Poll::Ready(Err(ErrorKind::UnexpectedEof.into())),
        _ => Poll::Ready(Ok(first[0] == HANDSHAKE)),
    }
}

impl AsyncRead for TlsSocket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        match &mut self.get_mut().0 {
            State::Open(tls) => match ready!(Pin::new(tls).poll_read(context, buffer)) {
                // Many clients close the connection without saying so in TLS. The length of every request is
                // known without that.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => Poll::Ready(Ok(())),
                read => Poll::Ready(read),
            },
            State::Refused(tcp) => Pin::new(tcp).poll_read(context, buffer),
            State::New(..) | State::Handshake(_) | State::Failed => not_open(),
        }
    }
}

impl AsyncWrite for TlsSocket {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        match &mut self.get_mut().0 {
            State::Open(tls) => Pin::new(tls).poll_write(context, bytes),
            State::New(..) | State::Handshake(_) | State::Refused(_) | State::Failed => not_open(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.get_mut().0 {
            State::Open(tls) => Pin::new(tls).poll_flush(context),
            // Nothing has been written.
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        match &mut self.get_mut().0 {
            State::Open(tls) => Pin::new(tls).poll_shutdown(context),
            State::New(tcp, _) | State::Refused(tcp) => Pin::new(tcp).poll_shutdown(context),
            State::Handshake(_) | State::Failed => Poll::Ready(Ok(())),
        }
    }
}

fn not_open<T>() -> Poll<Result<T>> {
    Poll::Ready(Err(Error::from(ErrorKind::NotConnected)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_plain_http_is_complete() {
        let text = std::str::from_utf8(TLS_NEEDED).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains(&format!("content-length: {}\r\n", body.len())), "{}", body.len());
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["status"], 400);
    }
}
