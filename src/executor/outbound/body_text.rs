//! The text of a response body, decoded as well as possible.

use std::borrow::Cow;

use awc::http::header::{CONTENT_TYPE, HeaderMap};

use crate::executor::outbound::response::Response;

impl Response {
    /// Returns the body as text. What is not Unicode is replaced by U+FFFD.
    ///
    /// UTF-16 is recognised by its byte order mark, and Latin-1 by the headers.
    pub(in crate::executor) fn lossy_text(&self) -> Cow<'_, str> {
        let body = &*self.body.bytes;
        let units = |from_bytes: fn([u8; 2]) -> u16| {
            let pairs = body.chunks_exact(2).map(|pair| from_bytes([pair[0], pair[1]]));
            Cow::Owned(String::from_utf16_lossy(&pairs.collect::<Vec<_>>()))
        };
        match body {
            [0xff, 0xfe, ..] => units(u16::from_le_bytes),
            [0xfe, 0xff, ..] => units(u16::from_be_bytes),
            _ if std::str::from_utf8(body).is_err() && is_latin_1(&self.headers) => {
                Cow::Owned(body.iter().copied().map(char::from).collect())
            }
            _ => String::from_utf8_lossy(body),
        }
    }

    /// Returns the body as text, or `None` if it is neither UTF-8 nor text by its media type.
    pub(super) fn text(&self) -> Option<Cow<'_, str>> {
        let is_text = self.decode_error.is_none() && is_text(&self.headers);
        let text = self.body.text().map(Cow::Borrowed);
        text.or_else(|| is_text.then(|| self.lossy_text()))
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE);
    let value = value.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    value.unwrap_or_default()
}

fn is_latin_1(headers: &HeaderMap) -> bool {
    let content_type = content_type(headers);
    let charset = content_type.split("charset=").nth(1).unwrap_or_default();
    let charset = charset.trim_start_matches('"');
    ["iso-8859-1", "latin1", "windows-1252"].iter().any(|name| charset.starts_with(name))
}

fn is_text(headers: &HeaderMap) -> bool {
    let content_type = content_type(headers);
    let media_type = content_type.split(';').next().unwrap_or_default().trim();
    media_type.starts_with("text/") || media_type.ends_with("json") || media_type.ends_with("xml")
}
