//! Repairs texts that are almost JSON, so that a report of a failure is not lost for its form.
//!
//! | part | becomes |
//! | --- | --- |
//! | bytes in a string that are not UTF-8 | U+FFFD, the replacement character |
//! | half a surrogate pair, such as `\ud800` | `\ufffd` |
//! | a control character in a string | its escape, such as `\n` |
//! | a backslash that begins no escape, such as in `"C:\dir"` | two backslashes |
//! | `NaN`, `Infinity` and `-Infinity`, which Python writes | the strings `"NaN"` and so on |
//!
//! Everything else stays as it is. The repaired text may still be no JSON.

use std::borrow::Cow;

/// What a part that is not valid becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repair {
    /// The valid part that is nearest to it, see the table of the module.
    Replace,
    /// Half a surrogate pair, which [`Json::checked`](crate::job::Json::checked) refuses. So it shows
    /// which values were not valid.
    Mark,
}

/// Half a surrogate pair. It is the second half, so it makes no pair with what follows it; what
/// precedes it is no first half, because each first half without its second is marked as well.
const MARK: &str = "\\udc00";
/// Numbers that JSON does not have.
const UNKNOWN_NUMBERS: [&str; 3] = ["NaN", "Infinity", "-Infinity"];
/// Length of an escape such as `\ud800`.
const ESCAPE_LEN: usize = 6;

/// Repairs a text that is almost JSON.
pub(super) fn repair(text: &[u8], how: Repair) -> String {
    let text = decode(text, how);
    let mut repaired = String::with_capacity(text.len() + text.len() / 8);
    let mut rest = text.as_str();
    let mut is_in_string = false;
    while !rest.is_empty() {
        let Part { len, replacement } =
            if is_in_string { part_of_string(rest) } else { part_outside(rest) };
        let (part, after) = rest.split_at(len);
        match (replacement, how) {
            (None, _) => {
                // The part is a quotation mark or has none.
                is_in_string ^= part == "\"";
                repaired.push_str(part);
            }
            (Some(valid), Repair::Replace) => repaired.push_str(&valid),
            (Some(_), Repair::Mark) if is_in_string => repaired.push_str(MARK),
            (Some(_), Repair::Mark) => repaired.push_str(&format!("\"{MARK}\"")),
        }
        rest = after;
    }
    repaired
}

/// Returns the text of bytes that may not be UTF-8. To mark the others, they become NUL, which is not
/// valid in JSON.
fn decode(text: &[u8], how: Repair) -> String {
    let replacement = if how == Repair::Mark { '\0' } else { char::REPLACEMENT_CHARACTER };
    let mut decoded = String::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        decoded.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            decoded.push(replacement);
        }
    }
    decoded
}

/// The next part of a text.
struct Part {
    /// Length of the part, in bytes; at least 1.
    len: usize,
    /// Valid JSON in its place; `None` if the part is valid.
    replacement: Option<Cow<'static, str>>,
}

impl Part {
    fn valid(len: usize) -> Self {
        Self { len, replacement: None }
    }

    fn invalid(len: usize, replacement: impl Into<Cow<'static, str>>) -> Self {
        Self { len, replacement: Some(replacement.into()) }
    }
}

/// Returns the next part of a text that begins outside of a string.
fn part_outside(text: &str) -> Part {
    if let Some(number) = UNKNOWN_NUMBERS.iter().find(|number| text.starts_with(**number)) {
        return Part::invalid(number.len(), format!("\"{number}\""));
    }
    let mut chars = text.char_indices().skip(1);
    if text.starts_with('"') {
        return Part::valid(1);
    }
    Part::valid(
        chars.find(|(_, c)| matches!(c, '"' | 'N' | 'I' | '-')).map_or(text.len(), |(i, _)| i),
    )
}

/// Returns the next part of a text that begins inside of a string.
fn part_of_string(text: &str) -> Part {
    let special = |c: char| matches!(c, '"' | '\\') || c < ' ';
    match text.find(special) {
        Some(0) => {}
        Some(plain) => return Part::valid(plain),
        None => return Part::valid(text.len()),
    }
    match text.as_bytes()[0] {
        b'"' => Part::valid(1),
        b'\\' => escape(text),
        control => Part::invalid(1, control_escape(control)),
    }
}

/// Returns the escape of a control character. The frequent ones are not allocated.
fn control_escape(control: u8) -> Cow<'static, str> {
    match control {
        b'\n' => "\\n".into(),
        b'\r' => "\\r".into(),
        b'\t' => "\\t".into(),
        0 => "\\u0000".into(),
        other => format!("\\u{other:04x}").into(),
    }
}

/// Returns the escape at the start of a text.
fn escape(text: &str) -> Part {
    let is_low = |unit: u16| (0xdc00..0xe000).contains(&unit);
    match (text.as_bytes().get(1), code_unit(text)) {
        (Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't'), _) => Part::valid(2),
        (_, Some(0xd800..0xdc00)) => match text.get(ESCAPE_LEN..).and_then(code_unit) {
            Some(second) if is_low(second) => Part::valid(2 * ESCAPE_LEN),
            _ => Part::invalid(ESCAPE_LEN, "\\ufffd"),
        },
        (_, Some(unit)) if is_low(unit) => Part::invalid(ESCAPE_LEN, "\\ufffd"),
        (_, Some(_)) => Part::valid(ESCAPE_LEN),
        (_, None) => Part::invalid(1, "\\\\"),
    }
}

/// Returns the UTF-16 code unit of an escape such as `\ud800` at the start of a text.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..ESCAPE_LEN - 2)?;
    let are_digits = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    if are_digits { u16::from_str_radix(digits, 16).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Json;

    fn replaced(text: impl AsRef<[u8]>) -> String {
        repair(text.as_ref(), Repair::Replace)
    }

    #[test]
    fn valid_json_stays_as_it_is() {
        for text in [
            r#"{"a":[1,-2.5e3,true,null],"\"\\\/\b\f\n\r\t\u00e9":"é 😀 \ud83d\ude00 NaN"}"#,
            r#""\ud83d\ude00\ud83d\ude00""#,
            r#""\\udc00 \\\\ud800""#,
            " [ ] ",
            "",
            "-1",
        ] {
            assert_eq!(replaced(text), text);
            assert_eq!(repair(text.as_bytes(), Repair::Mark), text);
        }
    }

    #[test]
    fn every_part_that_is_not_valid_becomes_the_nearest_valid_one() {
        for (text, expected) in [
            (br#""caf\udce9.txt""# as &[u8], r#""caf\ufffd.txt""#),
            (br#""\ud800""#, r#""\ufffd""#),
            (br#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (br#""\ud83dx\ude00""#, r#""\ufffdx\ufffd""#),
            (br#""\uDFFF\u""#, r#""\ufffd\\u""#),
            (b"\"caf\xe9.txt\"", "\"caf\u{fffd}.txt\""),
            (b"\"\xf0\x9f\x98\"", "\"\u{fffd}\""),
            (b"\"a\nb\x00\"", r#""a\nb\u0000""#),
            (br#""C:\dir\x41""#, r#""C:\\dir\\x41""#),
            (br#""\u12""#, r#""\\u12""#),
            (
                br#"{"a": NaN, "b": [-Infinity,Infinity]}"#,
                r#"{"a": "NaN", "b": ["-Infinity","Infinity"]}"#,
            ),
        ] {
            assert_eq!(replaced(text), expected);
            serde_json::from_str::<serde_json::Value>(expected).unwrap();
        }
    }

    #[test]
    fn a_marked_text_is_json_of_which_the_repaired_values_are_refused() {
        for value in [
            br#""\ud83d""# as &[u8],
            b"\"\\ud83d\xff\"",
            b"\"\xff\xfe\"",
            br#""\q""#,
            b"\"a\tb\"",
            b"NaN",
            b"[-Infinity]",
            br#"{"\udc00": 1}"#,
        ] {
            let marked = repair(value, Repair::Mark);
            serde_json::from_str::<&serde_json::value::RawValue>(&marked).unwrap();
            assert!(Json::checked(&marked).is_err(), "{marked}");
            assert!(Json::checked(&replaced(value)).is_ok(), "{marked}");
        }
    }

    #[test]
    fn what_is_no_json_at_all_stays_no_json() {
        for text in ["{", "[1,]", "x", "\"abc", "{'a': 1}", "\"\\", "\"\\\""] {
            assert!(serde_json::from_str::<serde_json::Value>(&replaced(text)).is_err(), "{text}");
        }
    }
}
