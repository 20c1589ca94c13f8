//! A connection whose life is bounded by its [`Progress`].

use std::io::{Error, ErrorKind, Result};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::admission::Admitted;
use super::progress::Progress;
use super::socket::{Socket, Start};
use crate::server::origin::Peer;

/// Answer to a head that did not arrive in time.
const HEAD_TOO_SLOW: &[u8] =
    b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Size of the buffer for bytes that are dropped.
const DROPPED_BYTES: usize = 4_096;

/// A connection that reports its progress, and ends when its time is over.
///
/// The dispatcher of actix-http reads or flushes each time it is woken, so an error from there ends the
/// connection, with its handler, as soon as the watch wakes it.
pub(super) struct Connection {
    socket: Socket,
    progress: Rc<Progress>,
    _admitted: Admitted,
}

impl Connection {
    pub(super) fn new(socket: Socket, progress: Rc<Progress>, admitted: Admitted) -> Self {
        Self { socket, progress, _admitted: admitted }
    }

    /// Returns the other end of the connection.
    pub(super) fn peer(&self) -> Peer {
        self.socket.peer()
    }

    pub(super) fn progress(&self) -> Rc<Progress> {
        Rc::clone(&self.progress)
    }

    /// Fails if the time of the connection is over. A head that did not arrive in time is answered first.
    fn check(&mut self, context: &mut Context<'_>) -> Result<()> {
        if !self.progress.is_over() {
            return Ok(());
        }
        if self.socket.is_open() && self.progress.take_late_head() {
            // Fails if the client is gone.
            let _ = Pin::new(&mut self.socket).poll_write(context, HEAD_TOO_SLOW);
            let _ = Pin::new(&mut self.socket).poll_shutdown(context);
            return Ok(());
        }
        Err(ErrorKind::TimedOut.into())
    }

    /// Drops everything that arrives, until the client closes the connection.
    fn poll_drop(&mut self, context: &mut Context<'_>) -> Poll<Result<()>> {
        let mut space = [0; DROPPED_BYTES];
        loop {
            let mut buffer = ReadBuf::new(&mut space);
            ready!(Pin::new(&mut self.socket).poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        self.check(context)?;
        match self.socket.poll_start(context)? {
            Poll::Ready(Start::Open) => {}
            Poll::Ready(Start::Refused) => self.progress.refused(),
            Poll::Pending => {
                self.progress.set_task(context);
                return Poll::Pending;
            }
        }
        if self.progress.lingers() {
            return self.poll_drop(context);
        }
        let before = buffer.filled().len();
        let Poll::Ready(read) = Pin::new(&mut self.socket).poll_read(context, buffer) else {
            self.progress.set_task(context);
            return Poll::Pending;
        };
        if buffer.filled().len() > before {
            self.progress.received();
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        self.check(context)?;
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        match written {
            Poll::Ready(Ok(bytes)) => self.progress.taken(bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.progress.stalled(),
        }
        written
    }

    /// The dispatcher flushes when the stream has taken all bytes so far.
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        self.check(context)?;
        if Pin::new(&mut self.socket).poll_flush(context)?.is_pending() {
            self.progress.stalled();
            return Poll::Pending;
        }
        if self.progress.flushed() {
            // The client sees the end of the answer before the rest of its request is dropped.
            let shutdown = Pin::new(&mut self.socket).poll_shutdown(context);
            if let Poll::Ready(Err(error)) = shutdown {
                return Poll::Ready(Err(Error::new(ErrorKind::NotConnected, error)));
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
