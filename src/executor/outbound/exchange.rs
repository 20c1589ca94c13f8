//! The requests and answers of one connection: which bytes awc may take for an answer.
//!
//! awc takes any head for that of the answer, an interim one as well; it takes an answer over
//! HTTP/1.1 without a length for one without a body; and it uses the connection again after either.
//! The rest of the answer would then be taken for that to the next request, which is another job's.
//! So each answer is followed here from its head to its end:
//!
//! - Interim heads are left out.
//! - An answer that ends with its connection is handed over as one of HTTP/1.0, as awc reads it.
//! - Of an answer no byte is handed over that lies behind its end.
//! - A connection is fit for another request when the end of the answer came, and nothing else
//!   came. It looks closed otherwise, and so awc's pool leaves it.

use std::io;

use bytes::{Buf, BytesMut};
use tokio::io::ReadBuf;

use crate::executor::outbound::head::{Final, Head, make_old};
use crate::executor::outbound::rest::Rest;

/// How long a head may be, in bytes; awc would keep twice as much.
const MAX_HEAD_LEN: usize = 65_536;

/// Where a connection is between a request and the end of its answer.
#[derive(Debug, Default)]
pub(super) struct Exchange {
    phase: Phase,
    /// Whether the request was `HEAD`.
    asks_head: bool,
    /// Whether no other request may follow.
    is_spent: bool,
    /// What is to be handed over first.
    ready: BytesMut,
}

#[derive(Debug, Default)]
enum Phase {
    /// No answer is due.
    #[default]
    Quiet,
    /// A request went out, and so much came of the head of its answer.
    Head(BytesMut),
    /// The head went by.
    Body(Rest),
}

impl Exchange {
    /// Notes that these bytes of a request go out.
    ///
    /// # Errors
    /// The answer to the request before has not ended, so that this one's could not be told from it.
    pub(super) fn ask(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &self.phase {
            Phase::Quiet if !self.is_spent && self.ready.is_empty() => {
                self.asks_head = bytes.starts_with(b"HEAD ");
                self.phase = Phase::Head(BytesMut::new());
                Ok(())
            }
            // The request goes on.
            Phase::Head(came) if came.is_empty() => Ok(()),
            _ => Err(io::Error::new(io::ErrorKind::BrokenPipe, "it has another answer to carry")),
        }
    }

    /// Whether no answer is due, as when awc looks whether a connection is fit for another request.
    pub(super) fn is_quiet(&self) -> bool {
        matches!(self.phase, Phase::Quiet)
    }

    /// Hands over what waits for it; true where that is all for now, which may be the end.
    pub(super) fn hand_over(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        if self.ready.is_empty() {
            return self.is_spent && self.is_quiet();
        }
        let len = self.ready.len().min(buf.remaining());
        buf.put_slice(&self.ready[..len]);
        self.ready.advance(len);
        if self.ready.is_empty() {
            // An idle connection keeps no memory.
            self.ready = BytesMut::new();
        }
        true
    }

    /// Takes what came: all in `buf` from `start`, and nothing at the end of the connection. Leaves
    /// there what is to be handed over; true where that may be, which may be the end.
    ///
    /// # Errors
    /// The connection ended before the answer, or the head cannot be read.
    pub(super) fn came(&mut self, buf: &mut ReadBuf<'_>, start: usize) -> io::Result<bool> {
        let has_ended = buf.filled().len() == start;
        match &mut self.phase {
            Phase::Quiet => {
                self.is_spent = true;
                buf.set_filled(start);
                Ok(true)
            }
            Phase::Head(head) if has_ended => {
                if head.is_empty() {
                    return Ok(true);
                }
                Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it ends within its head"))
            }
            Phase::Head(head) => {
                head.extend_from_slice(&buf.filled()[start..]);
                buf.set_filled(start);
                self.read_head()?;
                Ok(false)
            }
            Phase::Body(rest) if has_ended => rest.end().map(|()| true),
            Phase::Body(rest) => {
                let len = rest.take(&buf.filled()[start..]);
                self.is_spent |= start + len < buf.filled().len();
                buf.set_filled(start + len);
                self.end_if_over();
                Ok(true)
            }
        }
    }

    /// Looks whether the head is whole, and makes it ready with what came of the rest.
    fn read_head(&mut self) -> io::Result<()> {
        let Phase::Head(bytes) = &mut self.phase else { return Ok(()) };
        let head = loop {
            match Head::read(bytes, self.asks_head) {
                Head::Interim(len) => bytes.advance(len),
                Head::Final(head) => break head,
                Head::Partial if bytes.len() < MAX_HEAD_LEN => return Ok(()),
                Head::Partial => return Err(unreadable("its head is too long")),
                Head::Unreadable(why) => return Err(unreadable(why)),
            }
        };
        let mut answer = std::mem::take(bytes);
        let Final { len, mut rest, reads_on, is_lasting } = head;
        if reads_on {
            make_old(&mut answer[..len]);
        }
        let end = len + rest.take(&answer[len..]);
        self.is_spent |= !is_lasting || end < answer.len();
        answer.truncate(end);
        self.ready = answer;
        self.phase = Phase::Body(rest);
        self.end_if_over();
        Ok(())
    }

    fn end_if_over(&mut self) {
        if let Phase::Body(rest) = &self.phase
            && rest.is_over()
        {
            self.phase = Phase::Quiet;
        }
    }
}

fn unreadable(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}
