//! Bytes from outside as a JSON value within a bound.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::job::Json;

/// What was read of a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Body {
    /// What was read.
    pub(super) bytes: Vec<u8>,
    /// Whether there was more.
    pub(super) is_cut: bool,
}

impl Body {
    /// Adds bytes as far as there is room; past `max_bytes` the body is cut.
    pub(super) fn add(&mut self, bytes: &[u8], max_bytes: usize) {
        let room = max_bytes.saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
        self.is_cut |= bytes.len() > room;
    }

    /// The body as text, if it is UTF-8 up to where it was cut.
    pub(super) fn text(&self) -> Option<&str> {
        match std::str::from_utf8(&self.bytes) {
            Ok(text) => Some(text),
            Err(error) if self.is_cut && error.error_len().is_none() => {
                std::str::from_utf8(&self.bytes[..error.valid_up_to()]).ok()
            }
            Err(_) => None,
        }
    }
}

/// Bytes as JSON, and what is said of them.
pub(super) struct Encoded {
    /// The value: `null` for no bytes.
    pub(super) json: Json,
    /// Whether it is a string of base64.
    pub(super) is_base64: bool,
    /// Whether there was more than it holds.
    pub(super) is_cut: bool,
}

/// The body as JSON where it is JSON, as text where it is UTF-8, else as base64; at most `room`
/// bytes long.
pub(super) fn encode(body: &Body, may_be_json: bool, room: usize) -> Encoded {
    if body.bytes.is_empty() {
        return Encoded { json: Json::null(), is_base64: false, is_cut: body.is_cut };
    }
    let Some(text) = body.text() else { return as_base64(body, room) };
    if may_be_json
        && !body.is_cut
        && text.len() <= room
        && let Ok(json) = Json::checked(text.trim())
    {
        return Encoded { json, is_base64: false, is_cut: false };
    }
    let fitting = fitting(text, room);
    let is_cut = body.is_cut || fitting.len() < text.len();
    Encoded { json: Json::of(fitting).unwrap_or_default(), is_base64: false, is_cut }
}

fn as_base64(body: &Body, room: usize) -> Encoded {
    let max_len = room.saturating_sub(2) / 4 * 3;
    let bytes = &body.bytes[..body.bytes.len().min(max_len)];
    Encoded {
        json: Json::of(&BASE64_STANDARD.encode(bytes)).unwrap_or_default(),
        is_base64: true,
        is_cut: body.is_cut || bytes.len() < body.bytes.len(),
    }
}

/// The longest beginning of `text` whose JSON string is at most `room` bytes long.
pub(super) fn fitting(text: &str, room: usize) -> &str {
    let mut left = room.saturating_sub(2);
    for (place, c) in text.char_indices() {
        let len = escaped_len(c);
        if len > left {
            return &text[..place];
        }
        left -= len;
    }
    text
}

/// How long a character is within a JSON string.
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
    fn a_beginning_fits_as_it_is_written() {
        for text in ["plain", "\"quo\\ted\"", "line\nline\u{1}\u{8}", "äöü€"] {
            for room in 0..30 {
                let fitting = fitting(text, room);
                let written = serde_json::to_string(fitting).unwrap();
                assert!(written.len() <= room.max(2), "{written} in {room}");
                assert!(fitting == text || written.len() + 6 > room, "{written} in {room}");
            }
        }
    }
}
