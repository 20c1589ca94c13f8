//! The character encoding of JSON and TOML texts: UTF-8, with or without a byte order mark.

/// The byte order mark in UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Error for a text that is not in UTF-8 but in another encoding of Unicode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is {encoding}; it must be UTF-8")]
pub struct NotUtf8 {
    /// Name of the encoding, such as `UTF-16LE`.
    pub encoding: &'static str,
}

/// Returns the number of bytes before the text: 3 if it starts with a byte order mark, else 0.
///
/// # Errors
/// Returns an error if the bytes are in UTF-16 or UTF-32. Those are recognized by their byte order mark, or by
/// the zero bytes around the first character, which is ASCII in every JSON and TOML text (RFC 4627,
/// section 3).
pub fn text_start(bytes: &[u8]) -> Result<usize, NotUtf8> {
    if bytes.starts_with(BYTE_ORDER_MARK) {
        return Ok(BYTE_ORDER_MARK.len());
    }
    match other_encoding(bytes) {
        Some(encoding) => Err(NotUtf8 { encoding }),
        None => Ok(0),
    }
}

fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [1..=255, 0, 0, 0, ..] => Some("UTF-32LE"),
        [0, 0, 0xfe, 0xff, ..] | [0, 0, 0, 1..=255, ..] => Some("UTF-32BE"),
        [0xff, 0xfe, ..] | [1..=255, 0, ..] => Some("UTF-16LE"),
        [0xfe, 0xff, ..] | [0, 1..=255, ..] => Some("UTF-16BE"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_byte_order_mark_of_utf_8_is_skipped() {
        assert_eq!(text_start(b"\xef\xbb\xbf{}"), Ok(3));
        assert_eq!(text_start("\u{feff}".as_bytes()), Ok(3));
        for text in ["", "1", "{}", "[\u{feff}]", "é"] {
            assert_eq!(text_start(text.as_bytes()), Ok(0), "{text:?}");
        }
    }

    #[test]
    fn other_encodings_of_unicode_are_named_with_and_without_a_mark() {
        let utf16 = |text: &str, bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            text.encode_utf16().flat_map(bytes).collect()
        };
        let utf32 = |text: &str, bytes: fn(u32) -> [u8; 4]| -> Vec<u8> {
            text.chars().map(u32::from).flat_map(bytes).collect()
        };
        for text in ["{}", "1", "[\"\u{20ac}\"]", "\u{feff}{\"kind\": \"echo\"}"] {
            let encodings = [
                (utf16(text, u16::to_le_bytes), "UTF-16LE"),
                (utf16(text, u16::to_be_bytes), "UTF-16BE"),
                (utf32(text, u32::to_le_bytes), "UTF-32LE"),
                (utf32(text, u32::to_be_bytes), "UTF-32BE"),
            ];
            for (bytes, encoding) in encodings {
                assert_eq!(text_start(&bytes), Err(NotUtf8 { encoding }), "{text:?}");
            }
        }
    }
}
