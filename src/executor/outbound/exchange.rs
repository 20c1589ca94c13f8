//! The requests and responses of one connection. Decides which bytes awc reads as a response.
//!
//! awc takes every head as the head of the response, including an interim (1xx) head. It takes an
//! HTTP/1.1 response without a length as one without a body. In both cases it reuses the
//! connection, and would read the remaining bytes as the response to the next request, which
//! belongs to another job. Therefore an [`Exchange`] follows each response from its head to its
//! end:
//!
//! - Interim heads are dropped. Their number and length are limited.
//! - If the body ends with the connection, the head is downgraded to HTTP/1.0. awc then reads until
//!   the end of the stream.
//! - Bytes after the end of a response are dropped.
//! - A connection may be reused only if its response is complete and no other bytes arrived.
//!   Otherwise it looks closed, so that awc's pool discards it.
//!
//! For example, a server sends an interim head with status 103, then a response with status 200,
//! `content-length: 2` and the body `[]`, then another response that was not requested. awc reads
//! the 200 response with its body, and then the end of the stream.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use crate::executor::outbound::body_framing::BodyFraming;
use crate::executor::outbound::head::{FinalHead, Head, downgrade_to_http_1_0};

/// Maximum length of a response head, in bytes. awc itself would buffer twice as much.
const MAX_HEAD_LEN: usize = 65_536;
/// Maximum number of interim (1xx) heads before a response.
const MAX_INTERIM_HEADS: u32 = 100;
/// Maximum length of all interim heads before a response, in bytes.
const MAX_INTERIM_LEN: usize = 65_536;

/// State of one connection between a request and the end of its response.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    phase: Phase,
    /// Whether the current request is a `HEAD` request.
    is_head_request: bool,
    /// Number and total length of the interim heads that came before the current response.
    interim: (u32, usize),
    /// Whether the connection must not carry another request.
    must_close: bool,
    /// Bytes to deliver to awc before others are read.
    ready: BytesMut,
}

#[derive(Debug, Default)]
enum Phase {
    /// No response is expected.
    #[default]
    Idle,
    /// A request was sent, and these bytes of the response head have arrived.
    Head(BytesMut),
    /// The head is complete, and the body is arriving.
    Body(BodyFraming),
}

impl Exchange {
    /// Records that these bytes of a request are sent.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::BrokenPipe`] if the response to the previous request is not
    /// complete or the connection must not be reused.
    pub(super) fn on_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &self.phase {
            Phase::Idle if !self.must_close && self.ready.is_empty() => {
                self.is_head_request = bytes.starts_with(b"HEAD ");
                self.phase = Phase::Head(BytesMut::new());
                self.interim = (0, 0);
                Ok(())
            }
            // These are further bytes of the same request.
            Phase::Head(received) if received.is_empty() => Ok(()),
            _ => Err(io::Error::new(
                io::ErrorKind::BrokenPipe,
                "the connection is not free for another request",
            )),
        }
    }

    /// Returns whether no response is expected. awc reads in this state to check whether a pooled
    /// connection is still open.
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Idle)
    }

    /// Moves pending bytes to `buf`. Returns true if the read is done: bytes were moved, or the
    /// stream ends here, which awc sees as a read of no bytes.
    pub(super) fn deliver(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if self.ready.is_empty() {
            return self.must_close && self.is_idle();
        }
        let len = self.ready.len().min(buf.remaining());
        buf.put_slice(&self.ready[..len]);
        self.ready.advance(len);
        if self.ready.is_empty() {
            // Frees the memory, because the connection may be idle from now on.
            self.ready = BytesMut::new();
        }
        true
    }

    /// Processes bytes that arrived: those in `buf` from `start` on. No bytes mean that the
    /// connection has closed. Leaves in `buf` the bytes that awc may see. Returns true if the read
    /// is done, and false if more bytes must be read first.
    ///
    /// # Errors
    /// Returns an error if the connection closed before the end of the response, or if the head is
    /// invalid.
    pub(super) fn on_receive(&mut self, buf: &mut ReadBuf<'_>, start: usize) -> io::Result<bool> {
        let is_eof = buf.filled().len() == start;
        match &mut self.phase {
            Phase::Idle => {
                self.must_close = true;
                buf.set_filled(start);
                Ok(true)
            }
            Phase::Head(head) if is_eof => {
                if head.is_empty() {
                    return Ok(true);
                }
                let message = "the connection closed within the head";
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
            }
            Phase::Head(head) => {
                head.extend_from_slice(&buf.filled()[start..]);
                buf.set_filled(start);
                self.read_head()?;
                Ok(false)
            }
            Phase::Body(framing) if is_eof => framing.check_eof().map(|()| true),
            Phase::Body(framing) => {
                let len = framing.consume(&buf.filled()[start..])?;
                self.must_close |= start + len < buf.filled().len();
                buf.set_filled(start + len);
                self.finish_if_complete();
                Ok(true)
            }
        }
    }

    /// Parses the head. If it is complete, makes it ready for delivery with the bytes of the body
    /// that have arrived.
    fn read_head(&mut self) -> io::Result<()> {
        let Phase::Head(bytes) = &mut self.phase else { return Ok(()) };
        let head = loop {
            match Head::parse(bytes, self.is_head_request) {
                Head::Interim(len) => {
                    bytes.advance(len);
                    self.interim = (self.interim.0 + 1, self.interim.1 + len);
                    check_interim(self.interim)?;
                }
                Head::Final(head) => break head,
                Head::Partial if bytes.len() < MAX_HEAD_LEN => return Ok(()),
                Head::Partial => {
                    let why = format!("the head is longer than {MAX_HEAD_LEN} bytes");
                    return Err(invalid_data(why));
                }
                Head::Invalid(why) => return Err(invalid_data(why)),
            }
        };
        let mut response = std::mem::take(bytes);
        let FinalHead { len, mut framing, needs_downgrade, is_persistent } = head;
        if needs_downgrade {
            downgrade_to_http_1_0(&mut response[..len]);
        }
        let end = len + framing.consume(&response[len..])?;
        self.must_close |= !is_persistent || end < response.len();
        response.truncate(end);
        self.ready = response;
        self.phase = Phase::Body(framing);
        self.finish_if_complete();
        Ok(())
    }

    /// Returns to the idle phase if the body is complete.
    fn finish_if_complete(&mut self) {
        if let Phase::Body(framing) = &self.phase
            && framing.is_complete()
        {
            self.phase = Phase::Idle;
        }
    }
}

/// Checks the number and the total length of the interim heads before a response.
fn check_interim((count, len): (u32, usize)) -> io::Result<()> {
    if count > MAX_INTERIM_HEADS || len > MAX_INTERIM_LEN {
        let why = format!(
            "more than {MAX_INTERIM_HEADS} interim (1xx) heads or {MAX_INTERIM_LEN} bytes of them precede it"
        );
        return Err(invalid_data(why));
    }
    Ok(())
}

fn invalid_data(why: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
