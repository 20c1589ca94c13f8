//! The content codings of a response body (RFC 9110, section 8.4): `gzip`, `deflate` and `br`.
//!
//! Calls do not ask for compressed responses, but some servers and proxies compress anyway.

use std::io::{self, Read};

use awc::http::header::{CONTENT_ENCODING, HeaderMap};
use brotli_decompressor::Decompressor;
use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};

use crate::executor::encoded::Body;
use crate::executor::outbound::response::surplus::MAX_SURPLUS_BYTES;

/// Maximum number of codings of one body.
const MAX_CODINGS: usize = 4;
/// Number of bytes that a coding may add to a body that it cannot compress.
const MAX_OVERHEAD_BYTES: usize = 64 << 10;
/// Number of bytes that are decoded before other tasks of the thread may run.
const CHUNK_BYTES: usize = 64 << 10;
/// First bytes of a gzip member (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Reason why a body could not be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::executor) enum DecodeError {
    /// The coding is not known. The body is as it was received.
    #[error("the content coding {0} is not supported")]
    Unsupported(String),
    /// The body does not have the form of its coding. The body is the part that could be decoded, or
    /// as it was received if no part could be.
    #[error("the body is not valid {coding}: {why}")]
    Invalid {
        /// Name of the coding.
        coding: &'static str,
        /// Error of the decoder.
        why: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
}

/// The codings of a body, in the order in which they were applied.
#[derive(Debug)]
pub(super) struct Codings(Vec<Coding>);

impl Codings {
    /// Reads the codings of a response.
    ///
    /// # Errors
    /// Returns [`DecodeError::Unsupported`] if one of them is not known, or if there are too many.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, DecodeError> {
        let mut codings = Vec::new();
        for value in headers.get_all(CONTENT_ENCODING) {
            for name in String::from_utf8_lossy(value.as_bytes()).split(',') {
                let name = name.trim();
                match &*name.to_ascii_lowercase() {
                    "" | "identity" => {}
                    "gzip" | "x-gzip" => codings.push(Coding::Gzip),
                    "deflate" => codings.push(Coding::Deflate),
                    "br" => codings.push(Coding::Brotli),
                    _ => return Err(DecodeError::Unsupported(name.to_owned())),
                }
            }
        }
        if codings.len() > MAX_CODINGS {
            let why = format!("of {} steps", codings.len());
            return Err(DecodeError::Unsupported(why));
        }
        Ok(Self(codings))
    }

    /// Returns whether the body is as it was written, without any coding.
    pub(super) fn are_none(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the number of bytes of a body that are read to decode at most `max_bytes` of it.
    pub(super) fn max_received_bytes(&self, max_bytes: usize) -> usize {
        if self.0.is_empty() { max_bytes } else { max_bytes.saturating_add(MAX_OVERHEAD_BYTES) }
    }

    /// Decodes at most `max_bytes` of a body, and as much between two codings. Some more is decoded for
    /// the excerpt of the body. Other tasks of the thread run in between.
    pub(super) async fn decode(
        &self,
        received: Body,
        max_bytes: usize,
    ) -> (Body, Option<DecodeError>) {
        if self.0.is_empty() || received.bytes.is_empty() {
            return (received, None);
        }
        let mut decoded: Option<Body> = None;
        let mut is_truncated = received.is_truncated;
        for (index, coding) in self.0.iter().enumerate().rev() {
            let input = decoded.as_ref().unwrap_or(&received);
            let limits = if index == 0 {
                Limits { max_bytes, max_surplus_bytes: MAX_SURPLUS_BYTES }
            } else {
                Limits { max_bytes: self.max_received_bytes(max_bytes), max_surplus_bytes: 0 }
            };
            let (output, result) = coding.decode(&input.bytes, limits).await;
            match result {
                // The end of the input is missing because it was not read.
                Err(_) if is_truncated => {}
                Err(_) if is_plain_text(&received) => return (received, None),
                Err(error) => {
                    let is_readable = index == 0 && !output.bytes.is_empty();
                    let body = if is_readable { output } else { received };
                    let why = error.to_string();
                    return (body, Some(DecodeError::Invalid { coding: coding.name(), why }));
                }
                Ok(()) => {}
            }
            is_truncated |= output.is_truncated;
            decoded = Some(output);
        }
        let mut body = decoded.unwrap_or_default();
        if is_truncated && !body.is_truncated {
            body.is_truncated = true;
            body.excerpt.mark_unfinished();
        }
        (body, None)
    }
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Brotli => "br",
        }
    }

    /// Decodes within limits. The body holds what was decoded before an error.
    async fn decode(self, input: &[u8], limits: Limits) -> (Body, io::Result<()>) {
        let (body, result) = read(&mut *self.reader(input), limits).await;
        if self == Self::Deflate && result.is_err() && body.bytes.is_empty() && is_zlib(input) {
            // Raw deflate data can look like a zlib header by chance.
            return read(&mut DeflateDecoder::new(input), limits).await;
        }
        (body, result)
    }

    fn reader<'a>(self, input: &'a [u8]) -> Box<dyn Read + 'a> {
        match self {
            Self::Gzip => Box::new(GzipMembers(Some(GzDecoder::new(input)))),
            // The standard requires the zlib format, but some servers send raw deflate data.
            Self::Deflate if is_zlib(input) => Box::new(ZlibDecoder::new(input)),
            Self::Deflate => Box::new(DeflateDecoder::new(input)),
            Self::Brotli => Box::new(Decompressor::new(input, CHUNK_BYTES)),
        }
    }
}

/// Returns whether the data starts with a zlib header (RFC 1950, section 2.2).
fn is_zlib(input: &[u8]) -> bool {
    match input {
        [method, flags, ..] => {
            method & 0x0f == 8 && u16::from_be_bytes([*method, *flags]).is_multiple_of(31)
        }
        _ => false,
    }
}

/// Returns whether the body is text, so that the server has only labelled it as compressed.
fn is_plain_text(body: &Body) -> bool {
    let is_binary = |c: char| c.is_control() && !c.is_ascii_whitespace();
    body.text().is_some_and(|text| !text.contains(is_binary))
}

/// Reads a stream of gzip members (RFC 1952, section 2.2). Bytes after the last one are ignored.
struct GzipMembers<'a>(Option<GzDecoder<&'a [u8]>>);

impl Read for GzipMembers<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.0 {
            match decoder.read(buf)? {
                0 => {
                    let remainder: &[u8] = decoder.get_ref();
                    let is_member = remainder.starts_with(&GZIP_MAGIC);
                    self.0 = is_member.then(|| GzDecoder::new(remainder));
                }
                count => return Ok(count),
            }
        }
        Ok(0)
    }
}

/// How much of a body is decoded.
#[derive(Clone, Copy)]
struct Limits {
    /// Maximum number of bytes that are kept.
    max_bytes: usize,
    /// Maximum number of further bytes, of which only the end is kept.
    max_surplus_bytes: u64,
}

/// Reads and decodes within limits. An error after `max_bytes` is no error, because those bytes are not
/// part of the body.
async fn read(reader: &mut dyn Read, limits: Limits) -> (Body, io::Result<()>) {
    let mut body = Body::default();
    let mut chunk = vec![0; CHUNK_BYTES];
    let max_total = (limits.max_bytes as u64).saturating_add(limits.max_surplus_bytes);
    loop {
        match reader.read(&mut chunk) {
            Ok(0) => return (body, Ok(())),
            Ok(count) => body.add(&chunk[..count], limits.max_bytes),
            Err(error) if !body.is_truncated => return (body, Err(error)),
            Err(_) => break,
        }
        if body.is_truncated && body.excerpt.len() >= max_total {
            break;
        }
        tokio::task::yield_now().await;
    }
    body.excerpt.mark_unfinished();
    (body, Ok(()))
}
