//! The text of an answer that should be JSON, read as well as possible.
//!
//! The answer was paid for and must not be thrown away because of a few wrong bytes.

use std::borrow::Cow;

use awc::http::header::{CONTENT_TYPE, HeaderMap};

use crate::job::Json;

/// Reads a body as JSON. A byte order mark is removed, and what is not Unicode is replaced by U+FFFD:
/// bytes that are not UTF-8, and escapes of half a surrogate pair.
///
/// # Errors
/// Returns the reason if the body is not JSON.
pub(super) fn read_json(body: &[u8], headers: &HeaderMap) -> Result<Json, String> {
    let text = text(body, headers);
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    match Json::checked(text) {
        Ok(json) => Ok(json),
        Err(problem) => {
            Json::checked(&without_half_pairs(text)).map_err(|_| problem.to_string())
        }
    }
}

/// Returns whether a text is the beginning of a JSON text.
pub(super) fn is_cut_json(body: &[u8]) -> bool {
    serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err_and(|error| error.is_eof())
}

/// Decodes a body: UTF-16 with a byte order mark, Latin-1 if the headers say so, otherwise UTF-8.
fn text<'a>(body: &'a [u8], headers: &HeaderMap) -> Cow<'a, str> {
    let units = |from_bytes: fn([u8; 2]) -> u16| {
        let pairs = body.chunks_exact(2).map(|pair| from_bytes([pair[0], pair[1]]));
        Cow::Owned(String::from_utf16_lossy(&pairs.collect::<Vec<_>>()))
    };
    match body {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        _ if std::str::from_utf8(body).is_err() && is_latin_1(headers) => {
            Cow::Owned(body.iter().copied().map(char::from).collect())
        }
        _ => String::from_utf8_lossy(body),
    }
}

fn is_latin_1(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return false };
    let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let charset = value.split("charset=").nth(1).unwrap_or_default().trim_start_matches('"');
    ["iso-8859-1", "latin1", "windows-1252"].iter().any(|name| charset.starts_with(name))
}

/// Replaces each escape of half a surrogate pair: `"\ud83d!"` becomes `"\ufffd!"`. Models that are
/// cut in the middle of an emoji produce them.
fn without_half_pairs(text: &str) -> String {
    let mut repaired = String::with_capacity(text.len());
    let mut left = text;
    while let Some(start) = left.find('\\') {
        let (before, escape) = left.split_at(start);
        repaired.push_str(before);
        let len = match (escape_unit(escape), escape.get(6..).and_then(escape_unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                repaired.push_str("\\ufffd");
                left = &escape[6..];
                continue;
            }
            // The character after the backslash belongs to the escape, even if it is a backslash.
            _ => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        repaired.push_str(&escape[..len]);
        left = &escape[len..];
    }
    repaired.push_str(left);
    repaired
}

/// Returns the UTF-16 code unit of an escape such as `\ud83d` at the start of a text.
fn escape_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use awc::http::header::HeaderValue;

    use super::*;

    fn read(body: impl AsRef<[u8]>, content_type: &'static str) -> Option<String> {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        read_json(body.as_ref(), &headers).ok().map(|json| json.as_str().to_owned())
    }

    #[test]
    fn what_can_be_read_is_read() {
        let utf_16 = |text: &str| {
            let units = std::iter::once(0xfeff).chain(text.encode_utf16());
            units.flat_map(u16::to_le_bytes).collect::<Vec<_>>()
        };
        for (body, content_type, text) in [
            (b" {\"a\": 1.50}\r\n".to_vec(), "application/json", r#"{"a": 1.50}"#),
            ("\u{feff}{}".into(), "application/json", "{}"),
            (b"\"a\xffb\"".to_vec(), "application/json", "\"a\u{fffd}b\""),
            (b"\"\xe4\"".to_vec(), "application/json; charset=ISO-8859-1", "\"ä\""),
            ("\"ä\"".into(), "application/json; charset=iso-8859-1", "\"ä\""),
            (utf_16("[\"ä\"]"), "application/json", "[\"ä\"]"),
        ] {
            assert_eq!(read(&body, content_type).as_deref(), Some(text), "{body:?}");
        }
        for body in ["", "<html>", "{", "data: {}", "1e999"] {
            assert_eq!(read(body, "application/json"), None, "{body}");
        }
    }

    #[test]
    fn half_a_surrogate_pair_is_replaced_and_nothing_else() {
        for (text, expected) in [
            (r#""\ud83d""#, r#""\ufffd""#),
            (r#""\uDE00\ud83dx""#, r#""\ufffd\ufffdx""#),
            (r#""\ud83d\ude00\ud83d""#, r#""\ud83d\ude00\ufffd""#),
            (r#""\\ud83d \ud83d""#, r#""\\ud83d \ufffd""#),
            (r#""\ud83d\\""#, r#""\ufffd\\""#),
        ] {
            assert_eq!(read(text, "application/json").as_deref(), Some(expected), "{text}");
        }
        for text in ["\\", "\"\\", "\\u", "\\ud83", "\\ud83d", "\\ä"] {
            without_half_pairs(text);
        }
    }

    #[test]
    fn a_cut_text_is_recognised() {
        for (text, expected) in
            [("", true), ("{\"a\": [1, ", true), ("\"ab", true), ("{}", false), ("<html>", false)]
        {
            assert_eq!(is_cut_json(text.as_bytes()), expected, "{text}");
        }
    }
}
