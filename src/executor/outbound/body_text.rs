//! The text of a response body, decoded as well as possible.

use std::borrow::Cow;

use awc::http::header::{CONTENT_TYPE, HeaderMap};

use crate::executor::outbound::response::Response;
use crate::job::attempt::head_and_tail;

/// Encoding of the text of a body.
#[derive(Debug, Clone, Copy)]
enum Charset {
    /// UTF-8, or another one that has the bytes of ASCII.
    Utf8,
    Latin1,
    Utf16(fn([u8; 2]) -> u16),
    Utf32(fn([u8; 4]) -> u32),
    /// One in which secrets would not be found.
    Unreadable,
}

impl Response {
    /// Returns the body as text. What is not Unicode is replaced by U+FFFD. Empty if its encoding cannot be read.
    pub(in crate::executor) fn lossy_text(&self) -> Cow<'_, str> {
        let body = &*self.body.bytes;
        match self.charset() {
            Charset::Utf8 => String::from_utf8_lossy(body),
            Charset::Latin1 => Cow::Owned(body.iter().copied().map(char::from).collect()),
            Charset::Utf16(unit) => {
                let units = body.chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
                Cow::Owned(String::from_utf16_lossy(&units.collect::<Vec<_>>()))
            }
            Charset::Utf32(code) => {
                let codes = body.chunks_exact(4).map(|four| code([four[0], four[1], four[2], four[3]]));
                let chars = codes.map(|code| char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                Cow::Owned(chars.collect())
            }
            Charset::Unreadable => Cow::Borrowed(""),
        }
    }

    /// Returns the start and the end of the body as text without secrets, of together `max_bytes`.
    pub(super) fn text_excerpt(&self, max_bytes: usize) -> String {
        let excerpt = &self.body.excerpt;
        match self.charset() {
            Charset::Utf8 => excerpt.text(&self.secrets, max_bytes),
            Charset::Latin1 => excerpt.latin_1_text(&self.secrets, max_bytes),
            // A part of these cannot be read by itself.
            Charset::Utf16(_) | Charset::Utf32(_) | Charset::Unreadable => {
                head_and_tail(&self.secrets.hide(&self.lossy_text()), max_bytes)
            }
        }
    }

    /// Returns the encoding by the first bytes, or else by the headers.
    fn charset(&self) -> Charset {
        let text = self.body.text();
        if self.decode_error.is_some() {
            return Charset::Utf8;
        }
        if let Some(charset) = charset_by_bytes(&self.body.bytes) {
            return charset;
        }
        let name = charset_name(&self.headers);
        let is = |names: &[&str]| names.iter().any(|known| name.starts_with(known));
        // Some servers declare an encoding that they do not use.
        let is_utf_8 = text.is_some_and(|text| !text.contains('\0'));
        match text {
            _ if is(&["utf-7", "unicode-1-1-utf-7", "ebcdic", "ibm0", "ibm1047", "cp037", "cp1047"]) => {
                Charset::Unreadable
            }
            _ if !is_utf_8 && is(&["utf-16le"]) => Charset::Utf16(u16::from_le_bytes),
            _ if !is_utf_8 && is(&["utf-16", "ucs-2", "iso-10646-ucs-2"]) => Charset::Utf16(u16::from_be_bytes),
            _ if !is_utf_8 && is(&["utf-32le"]) => Charset::Utf32(u32::from_le_bytes),
            _ if !is_utf_8 && is(&["utf-32", "ucs-4"]) => Charset::Utf32(u32::from_be_bytes),
            None if is(&["iso-8859-1", "latin1", "windows-1252"]) => Charset::Latin1,
            _ => Charset::Utf8,
        }
    }

    /// Returns whether the encoding of the body cannot be read, so that nothing of it is kept.
    pub(super) fn is_unreadable(&self) -> bool {
        matches!(self.charset(), Charset::Unreadable)
    }

    /// Returns the body as text, or `None` if it is neither Unicode nor text by its media type.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        if let Charset::Utf16(_) | Charset::Utf32(_) = self.charset() {
            return Some(self.lossy_text());
        }
        let is_text = self.decode_error.is_none() && is_text(&self.headers);
        let text = self.body.text().map(Cow::Borrowed);
        text.or_else(|| is_text.then(|| self.lossy_text()))
    }
}

/// Returns the encoding that a byte order mark shows, or the zeros beside the first two ASCII characters.
fn charset_by_bytes(bytes: &[u8]) -> Option<Charset> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] => Some(Charset::Utf32(u32::from_le_bytes)),
        [0, 0, 0xfe, 0xff, ..] => Some(Charset::Utf32(u32::from_be_bytes)),
        [0xff, 0xfe, ..] => Some(Charset::Utf16(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => Some(Charset::Utf16(u16::from_be_bytes)),
        [1..=0x7f, 0, 0, 0, 1..=0x7f, 0, 0, 0, ..] => Some(Charset::Utf32(u32::from_le_bytes)),
        [0, 0, 0, 1..=0x7f, 0, 0, 0, 1..=0x7f, ..] => Some(Charset::Utf32(u32::from_be_bytes)),
        [1..=0x7f, 0, 1..=0x7f, 0, ..] => Some(Charset::Utf16(u16::from_le_bytes)),
        [0, 1..=0x7f, 0, 1..=0x7f, ..] => Some(Charset::Utf16(u16::from_be_bytes)),
        _ => None,
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE);
    let value = value.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    value.unwrap_or_default()
}

/// Returns what follows `charset=`, in lower case; empty if there is no charset.
fn charset_name(headers: &HeaderMap) -> String {
    let content_type = content_type(headers);
    let charset = content_type.split("charset=").nth(1).unwrap_or_default();
    charset.trim_start_matches(['"', '\'', ' ']).to_owned()
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = content_type(headers);
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.starts_with("text/") || media_type.ends_with("json") || media_type.ends_with("xml")
}
