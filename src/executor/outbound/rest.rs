//! What is to come of an answer after its head, counted as it passes.

use std::io;

/// What is to come.
#[derive(Debug)]
pub(super) enum Rest {
    /// So many bytes, of which so many came.
    Length {
        /// How many were promised.
        length: u64,
        /// How many came.
        came: u64,
    },
    /// Chunks (RFC 9112, section 7.1).
    Chunked(Chunked),
    /// All up to the end of the connection.
    ToTheEnd,
}

/// What the next byte of a chunked body belongs to. awc checks the chunks; here it only matters
/// that both find the same end in those that awc takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Chunked {
    /// The size of a chunk.
    Size(u64),
    /// What follows the size, up to the end of its line.
    AfterSize(u64),
    /// The data, of which so many bytes are to come.
    Data(u64),
    /// The end of the line after the data.
    AfterData,
    /// A line after the last chunk.
    LineStart,
    /// A trailer, which is passed over.
    Trailer,
    /// The last byte of the line of a trailer.
    TrailerEnd,
    /// The last byte of all.
    LastByte,
    /// Nothing: all of it came.
    Over,
}

impl Rest {
    /// A body of this length.
    pub(super) fn length(length: u64) -> Self {
        Self::Length { length, came: 0 }
    }

    /// A chunked body.
    pub(super) fn chunks() -> Self {
        Self::Chunked(Chunked::Size(0))
    }

    /// Tells how many of these bytes belong to the answer.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        match self {
            Self::Length { length, came } => {
                let taken = bytes.len().min(clamped(*length - *came));
                *came += taken as u64;
                taken
            }
            Self::Chunked(chunked) => {
                let mut left = bytes;
                while !left.is_empty() && !matches!(chunked, Chunked::Over) {
                    left = chunked.take(left);
                }
                bytes.len() - left.len()
            }
            Self::ToTheEnd => bytes.len(),
        }
    }

    /// Whether all of it came.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Length { length, came } => came == length,
            Self::Chunked(chunked) => matches!(chunked, Chunked::Over),
            Self::ToTheEnd => false,
        }
    }

    /// Takes the end of the connection, where it is the end of the answer.
    pub(super) fn end(&self) -> io::Result<()> {
        let message = match self {
            Self::ToTheEnd => return Ok(()),
            Self::Length { length, came } => format!("{came} of {length} bytes came"),
            Self::Chunked(_) => "its last chunk did not come".into(),
        };
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, message))
    }
}

impl Chunked {
    /// Takes some of the bytes, and gives the others back.
    fn take<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        if let Self::Data(to_come) = *self {
            let (data, others) = bytes.split_at(bytes.len().min(clamped(to_come)));
            let to_come = to_come - data.len() as u64;
            *self = if to_come == 0 { Self::AfterData } else { Self::Data(to_come) };
            return others;
        }
        let Some((byte, others)) = bytes.split_first() else { return bytes };
        *self = self.after(*byte);
        others
    }

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
            (Self::LastByte, _) => Self::Over,
            (Self::AfterSize(_) | Self::Data(_) | Self::AfterData, _)
            | (Self::Trailer | Self::Over, _) => self,
        }
    }
}

/// A length within memory.
fn clamped(length: u64) -> usize {
    usize::try_from(length).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_found_wherever_the_bytes_are_parted() {
        let chunked =
            "a;x=\"y\"\r\n0123456789\r\n00B \r\nhello\r\n0\r\n!\r\n0;z\r\na: b\r\nc:d\r\n\r\n";
        for body in [chunked, "012345678"] {
            let rest = || if body == chunked { Rest::chunks() } else { Rest::length(9) };
            let bytes = format!("{body}HTTP/1.1 200 OK\r\n");
            for step in 1..=bytes.len() {
                let mut rest = rest();
                let mut taken = 0;
                for piece in bytes.as_bytes().chunks(step) {
                    assert_eq!(rest.is_over(), taken == body.len(), "{taken} by {step}");
                    assert!(rest.end().is_err());
                    taken += rest.take(piece);
                }
                assert_eq!((taken, rest.is_over()), (body.len(), true), "{step}");
            }
        }
    }
}
