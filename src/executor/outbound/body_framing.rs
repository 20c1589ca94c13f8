//! The framing of a response body (RFC 9112, section 6.3), which finds its end as the bytes arrive.

use std::io;

/// Framing of a body, with the position within it.
#[derive(Debug)]
pub(super) enum BodyFraming {
    /// The body has a known length (RFC 9112, section 6.2).
    Length {
        /// Length of the body, in bytes.
        length: u64,
        /// Number of bytes received so far.
        received: u64,
    },
    /// The body consists of chunks (RFC 9112, section 7.1).
    Chunked(ChunkedState),
    /// The body ends when the connection closes.
    UntilEof,
}

/// Position within a chunked body, which determines what the next byte belongs to.
///
/// awc validates the chunks. This state machine only has to find the same end as awc in every body
/// that awc accepts. For `3\r\nabc\r\n0\r\n\r\n` it passes through `Size(0)`, `Size(3)`,
/// `AfterSize(3)`, `Data(3)` (or less, as the data arrives), `AfterData`, `Size(0)`,
/// `AfterSize(0)`, `LineStart`, `LastByte` and `Complete`.
#[derive(Debug, Clone, Copy)]
pub(super) enum ChunkedState {
    /// Digits of a chunk size, with the value of those read so far.
    Size(u64),
    /// Remainder of the line after a chunk size, with this size.
    AfterSize(u64),
    /// Data of a chunk, with the number of bytes that are still missing.
    Data(u64),
    /// Line end after the data of a chunk.
    AfterData,
    /// Start of a line after the last chunk: a trailer field, or the empty line that ends the body.
    LineStart,
    /// Trailer field, which is ignored.
    Trailer,
    /// Last byte of a trailer field's line.
    TrailerEnd,
    /// Last byte of the body.
    LastByte,
    /// The body is complete.
    Complete,
}

impl BodyFraming {
    /// Returns the framing of a body of this length.
    pub(super) fn with_length(length: u64) -> Self {
        Self::Length { length, received: 0 }
    }

    /// Returns the framing of a chunked body.
    pub(super) fn chunked() -> Self {
        Self::Chunked(ChunkedState::Size(0))
    }

    /// Advances over the bytes that belong to the body and returns their number.
    pub(super) fn consume(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Length { length, received } => {
                let consumed = bytes.len().min(saturating_usize(*length - *received));
                *received += consumed as u64;
                consumed
            }
            Self::Chunked(state) => {
                let mut left = bytes;
                while !left.is_empty() && !matches!(state, ChunkedState::Complete) {
                    left = state.consume(left);
                }
                bytes.len() - left.len()
            }
            Self::UntilEof => bytes.len(),
        }
    }

    /// Returns whether the whole body has arrived.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Length { length, received } => received == length,
            Self::Chunked(state) => matches!(state, ChunkedState::Complete),
            Self::UntilEof => false,
        }
    }

    /// Checks whether the body may end here because the connection closed.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::UnexpectedEof`] unless the framing is [`BodyFraming::UntilEof`].
    pub(super) fn check_eof(&self) -> io::Result<()> {
        let message = match self {
            Self::UntilEof => return Ok(()),
            Self::Length { length, received } => {
                format!("received {received} of {length} bytes")
            }
            Self::Chunked(_) => "the last chunk is missing".into(),
        };
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
    }
}

impl ChunkedState {
    /// Advances over the next byte, or over all available bytes of a chunk's data. Returns the
    /// remaining bytes.
    fn consume<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if let Self::Data(missing) = *self {
            let (data, others) = bytes.split_at(bytes.len().min(saturating_usize(missing)));
            let missing = missing - data.len() as u64;
            *self = if missing == 0 { Self::AfterData } else { Self::Data(missing) };
            return others;
        }
        let Some((byte, others)) = bytes.split_first() else { return bytes };
        *self = self.after(*byte);
        others
    }

    /// Returns the state after a byte that is not chunk data.
    fn after(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Size(0) | Self::AfterSize(0), b'\n') => Self::LineStart,
            (Self::Size(size) | Self::AfterSize(size), b'\n') => Self::Data(size),
            (Self::Size(size), _) => match char::from(byte).to_digit(16) {
                Some(digit) => Self::Size(size.saturating_mul(16).saturating_add(digit.into())),
                None => Self::AfterSize(size),
            },
            (Self::AfterData, b'\n') => Self::Size(0),
            (Self::LineStart, b'\r') => Self::LastByte,
            (Self::LineStart, _) => Self::Trailer,
            (Self::Trailer, b'\r') => Self::TrailerEnd,
            (Self::TrailerEnd, _) => Self::LineStart,
            (Self::LastByte, _) => Self::Complete,
            (Self::AfterSize(_) | Self::Data(_) | Self::AfterData, _)
            | (Self::Trailer | Self::Complete, _) => self,
        }
    }
}

/// Converts a length to `usize`, or to its maximum if it does not fit.
fn saturating_usize(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_however_the_bytes_are_split() {
        let chunked =
            "a;x=\"y\"\r\n0123456789\r\n00B \r\nhello\r\n0\r\n!\r\n0;z\r\na: b\r\nc:d\r\n\r\n";
        for body in [chunked, "012345678"] {
            let new_framing = || {
                if body == chunked { BodyFraming::chunked() } else { BodyFraming::with_length(9) }
            };
            let bytes = format!("{body}HTTP/1.1 200 OK\r\n");
            for step in 1..=bytes.len() {
                let mut framing = new_framing();
                let mut consumed = 0;
                for piece in bytes.as_bytes().chunks(step) {
                    assert_eq!(
                        framing.is_complete(),
                        consumed == body.len(),
                        "{consumed} by {step}"
                    );
                    assert!(framing.check_eof().is_err());
                    consumed += framing.consume(piece);
                }
                assert_eq!((consumed, framing.is_complete()), (body.len(), true), "{step}");
            }
        }
    }
}
