//! Converts response bodies and program output to JSON values of limited size.

pub(super) mod excerpt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::executor::encoded::excerpt::Excerpt;
use crate::job::Json;

/// Bytes read from a response body or a program's output, up to a maximum.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// Bytes that were read.
    pub(super) bytes: Vec<u8>,
    /// Whether the stream had more bytes than the maximum.
    pub(super) is_truncated: bool,
    /// Start and end of all bytes that were read, also of those over the maximum.
    pub(super) excerpt: Excerpt,
}

impl Body {
    /// Appends bytes until the body holds `max_bytes`; drops the others, except for the end in
    /// `excerpt`, and marks the body as truncated.
    pub(super) fn add(&mut self, bytes: &[u8], max_bytes: usize) {
        let room = max_bytes.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.is_truncated |= bytes.len() > room;
        self.excerpt.push(bytes);
    }

    /// Returns the body as text, or `None` if it is not UTF-8. A character that was cut in half at
    /// the end is dropped.
    pub(super) fn text(&self) -> Option<&str> {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => Some(text),
            Err(error) if self.is_truncated && error.error_len().is_none() => {
                std::str::from_utf8(&self.bytes[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        }
    }
}

/// Bytes as a JSON value, and how they were encoded.
pub(super) struct Encoded {
    /// JSON value; `null` if there were no bytes.
    pub(super) json: Json,
    /// Whether the value is a string of base64.
    pub(super) is_base64: bool,
    /// Whether the value lacks some of the bytes.
    pub(super) is_truncated: bool,
}

/// Encodes a body as a JSON value that is at most `max_bytes` long.
///
/// A body that is JSON is used as it is, without a byte order mark, if `may_be_json` is set and it was
/// not truncated. Other UTF-8 becomes a JSON string, and everything else a JSON string of base64.
pub(super) fn encode(body: &Body, may_be_json: bool, max_bytes: usize) -> Encoded {
    if body.bytes.is_empty() {
        return Encoded { json: Json::null(), is_base64: false, is_truncated: body.is_truncated };
    }
    let Some(text) = body.text() else { return as_base64(body, max_bytes) };
    if may_be_json
        && !body.is_truncated
        && text.len() <= max_bytes
        && let Ok(json) = Json::checked(text.trim_start_matches('\u{feff}').trim())
    {
        return Encoded { json, is_base64: false, is_truncated: false };
    }
    let prefix = fitting_prefix(text, max_bytes);
    let is_truncated = body.is_truncated || prefix.len() < text.len();
    Encoded { json: Json::of(prefix).unwrap_or_default(), is_base64: false, is_truncated }
}

fn as_base64(body: &Body, max_bytes: usize) -> Encoded {
    let max_len = max_bytes.saturating_sub(2) / 4 * 3;
    let bytes = &body.bytes[..body.bytes.len().min(max_len)];
    Encoded {
        json: Json::of(&BASE64_STANDARD.encode(bytes)).unwrap_or_default(),
        is_base64: true,
        is_truncated: body.is_truncated || bytes.len() < body.bytes.len(),
    }
}

/// Returns the longest prefix of `text` whose JSON string is at most `max_bytes` long.
///
/// For example, the prefix of `a"b` within 5 bytes is `a"`, because `"a\""` is 5 bytes long.
pub(super) fn fitting_prefix(text: &str, max_bytes: usize) -> &str {
    let mut left = max_bytes.saturating_sub(2);
    for (index, c) in text.char_indices() {
        let len = escaped_len(c);
        if len > left {
            return &text[..index];
        }
        left -= len;
    }
    text
}

/// Returns the length of a character within a JSON string, in bytes.
fn escaped_len(c: char) -> usize {
    match c {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        c if c < ' ' => 6,
        c => c.len_utf8(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_fits_when_it_is_written_as_json() {
        for text in ["plain", "\"quo\\ted\"", "line\nline\u{1}\u{8}", "äöü€"] {
            for max_bytes in 0..30 {
                let prefix = fitting_prefix(text, max_bytes);
                let written = serde_json::to_string(prefix).unwrap();
                assert!(written.len() <= max_bytes.max(2), "{written} in {max_bytes}");
                assert!(
                    prefix == text || written.len() + 6 > max_bytes,
                    "{written} in {max_bytes}"
                );
            }
        }
    }
}
