//! The framing of a response body (RFC 9112, section 6.3), which finds its end as the bytes arrive.

use std::io;

/// Maximum number of bytes by which what surrounds the data of the chunks may exceed the data, and maximum
/// length of all trailer fields. Go's HTTP library has the same limit for chunks.
const MAX_OVERHEAD_BYTES: u64 = 16 << 10;
/// Number of bytes around the data of each chunk that do not count, which is enough for its size and its
/// line ends.
const FREE_BYTES_PER_CHUNK: u64 = 16;
/// Maximum number of trailer fields.
const MAX_TRAILERS: u32 = 100;

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
    Chunked(Chunks),
    /// The body ends when the connection closes.
    UntilEof,
}

/// Position within a chunked body, and what has arrived beside the data of the chunks: sizes, extensions,
/// line ends and trailer fields, which are read and ignored, and of which a server must not send an endless
/// number.
#[derive(Debug)]
pub(super) struct Chunks {
    state: ChunkedState,
    /// Number of bytes beside the data, less the data and [`FREE_BYTES_PER_CHUNK`] for each chunk; at
    /// least 0. From the last chunk on, the number of bytes of the trailer fields.
    overhead: u64,
    trailers: u32,
}

/// Position within a chunked body, which determines what the next byte belongs to.
///
/// awc validates the chunks. This state machine only has to find the same end as awc in every body
/// that awc accepts. For `3\r\nabc\r\n0\r\n\r\n` it passes through `Size(0)`, `Size(3)`,
/// `AfterSize(3)`, `Data(3)` (or less, as the data arrives), `AfterData`, `Size(0)`,
/// `AfterSize(0)`, `LineStart`, `LastByte` and `Complete`.
#[derive(Debug, Clone, Copy)]
enum ChunkedState {
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
        Self::Chunked(Chunks { state: ChunkedState::Size(0), overhead: 0, trailers: 0 })
    }

    /// Advances over the bytes that belong to the body and returns their number.
    ///
    /// # Errors
    /// Returns [`io::ErrorKind::InvalidData`] if a chunked body has too many bytes beside its data.
    pub(super) fn consume(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Length { length, received } => {
                let consumed = bytes.len().min(saturating_usize(*length - *received));
                *received += consumed as u64;
                Ok(consumed)
            }
            Self::Chunked(chunks) => {
                let mut left = bytes;
                while !left.is_empty() && !matches!(chunks.state, ChunkedState::Complete) {
                    left = chunks.consume(left)?;
                }
                Ok(bytes.len() - left.len())
            }
            Self::UntilEof => Ok(bytes.len()),
        }
    }

    /// Returns whether the whole body has arrived.
    pub(super) fn is_complete(&self) -> bool {
        match self {
            Self::Length { length, received } => received == length,
            Self::Chunked(chunks) => matches!(chunks.state, ChunkedState::Complete),
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

impl Chunks {
    /// Advances over the next byte, or over all available bytes of a chunk's data. Returns the
    /// remaining bytes.
    fn consume<'a>(&mut self, bytes: &'a [u8]) -> io::Result<&'a [u8]> {
        if let ChunkedState::Data(missing) = self.state {
            let (data, others) = bytes.split_at(bytes.len().min(saturating_usize(missing)));
            let missing = missing - data.len() as u64;
            self.state =
                if missing == 0 { ChunkedState::AfterData } else { ChunkedState::Data(missing) };
            self.overhead = self.overhead.saturating_sub(data.len() as u64);
            return Ok(others);
        }
        let Some((byte, others)) = bytes.split_first() else { return Ok(bytes) };
        let next = self.state.after(*byte);
        self.count(next)?;
        self.state = next;
        Ok(others)
    }

    /// Counts one byte beside the data, after which the state is `next`.
    fn count(&mut self, next: ChunkedState) -> io::Result<()> {
        use ChunkedState::{AfterSize, Data, LineStart, Size, Trailer};
        self.overhead += 1;
        match (self.state, next) {
            (Size(_) | AfterSize(_), Data(_)) => {
                self.overhead = self.overhead.saturating_sub(FREE_BYTES_PER_CHUNK);
            }
            (Size(_) | AfterSize(_), LineStart) => self.overhead = 0,
            (LineStart, Trailer) => self.trailers += 1,
            _ => {}
        }
        if self.overhead <= MAX_OVERHEAD_BYTES && self.trailers <= MAX_TRAILERS {
            return Ok(());
        }
        let why = match self.state {
            Size(_) | AfterSize(_) | Data(_) | ChunkedState::AfterData => {
                "the extensions of its chunks are too long"
            }
            _ => "its trailer fields are too many or too long",
        };
        Err(io::Error::new(io::ErrorKind::InvalidData, why))
    }
}

impl ChunkedState {
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
                    consumed += framing.consume(piece).unwrap();
                }
                assert_eq!((consumed, framing.is_complete()), (body.len(), true), "{step}");
            }
        }
    }

    /// Returns whether a chunked body may start with these bytes.
    fn is_accepted(bytes: &str) -> bool {
        BodyFraming::chunked().consume(bytes.as_bytes()).is_ok()
    }

    #[test]
    fn small_chunks_and_a_signature_for_each_large_chunk_are_accepted() {
        assert!(is_accepted(&"1\r\nx\r\n".repeat(100_000)));
        let signature = format!(";chunk-signature={}", "0".repeat(64));
        let chunk = format!("400{signature}\r\n{}\r\n", "x".repeat(1_024));
        assert!(is_accepted(&chunk.repeat(1_000)));
        let trailers = "name: value\r\n".repeat(100);
        assert!(is_accepted(&format!("{}0\r\n{trailers}\r\n", chunk.repeat(1_000))));
    }

    #[test]
    fn endless_extensions_sizes_line_ends_and_trailers_are_refused() {
        let long = "x".repeat(17 << 10);
        assert!(!is_accepted(&format!("1;{long}")));
        assert!(!is_accepted(&format!("{}1", "0".repeat(17 << 10))));
        assert!(!is_accepted(&format!("1\r\ny{long}")));
        assert!(!is_accepted(&"1;0123456789012345678901234\r\nx\r\n".repeat(2_000)));
        assert!(!is_accepted(&format!("0;{long}\r\n")));
        assert!(!is_accepted(&format!("0\r\n{long}")));
        assert!(!is_accepted(&format!("0\r\n{}", "a:b\r\n".repeat(101))));
    }
}
