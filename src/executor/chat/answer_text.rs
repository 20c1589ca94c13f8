//! The text of an answer that should be JSON, read as well as possible.
//!
//! The answer was paid for and must not be thrown away because of a few wrong bytes.

use serde::de::IgnoredAny;

use crate::job::Json;

/// Reads a text as JSON. A byte order mark is removed, and so is text after a JSON object. Escapes of
/// half a surrogate pair are replaced by U+FFFD.
///
/// # Errors
/// Returns the reason if the body is not JSON.
pub(super) fn read_json(text: &str) -> Result<Json, String> {
    let text = text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    Json::checked(text).or_else(|problem| {
        // Repaired second, because nearly every answer is well formed.
        let repaired = without_half_pairs(without_end(text));
        Json::checked(&repaired).or(Err(problem.to_string()))
    })
}

/// Returns the JSON object at the start of a text, without what follows it. If more JSON follows, the
/// object may be one part of many, so the text is returned as it is.
fn without_end(text: &str) -> &str {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let is_value = values.next().is_some_and(|value| value.is_ok());
    let (value, end) = text.split_at(values.byte_offset());
    if is_value && value.starts_with('{') && !end.contains(['{', '[']) { value } else { text }
}

/// Returns whether a text is the beginning of a JSON text.
pub(super) fn is_cut_json(body: &[u8]) -> bool {
    serde_json::from_slice::<IgnoredAny>(body).is_err_and(|error| error.is_eof())
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
    use super::*;

    fn read(text: &str) -> Option<String> {
        read_json(text).ok().map(|json| json.as_str().to_owned())
    }

    #[test]
    fn what_surrounds_an_answer_is_removed() {
        for text in ["{}", " {}\r\n", "\u{feff}{}", "\u{feff} {}"] {
            assert_eq!(read(text).as_deref(), Some("{}"), "{text:?}");
        }
        for text in ["{}\u{0}", "{} </html>", "{}\n\n]"] {
            assert_eq!(read(text).as_deref(), Some("{}"), "{text:?}");
        }
        for text in ["{} {}", "{}\n[]", "1 x", "[] x", "x {}"] {
            assert_eq!(read(text), None, "{text}");
        }
        for text in ["", "<html>", "{", "data: {}", "1e999"] {
            assert_eq!(read(text), None, "{text}");
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
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
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
