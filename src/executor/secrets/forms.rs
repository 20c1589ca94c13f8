//! Forms in which servers and programs write a value that they repeat.
//!
//! | form | example for `k/y "1"` | written by |
//! | --- | --- | --- |
//! | as it is | `k/y "1"` | most |
//! | percent-encoded | `k%2Fy%20%221%22`, `k/y+%221%22` | messages with a URL |
//! | within a JSON string | `k/y \"1\"`, `k\/y \"1\"` | JSON, that of PHP |
//! | within HTML | `k/y &quot;1&quot;` | error pages |

use std::fmt::Write;

/// Bytes that percent-encoding keeps beside letters, digits, `-`, `.` and `_`, and what it writes for a
/// space.
const PERCENT_ENCODINGS: [(&[u8], &str); 5] = [
    // RFC 3986, Python's `quote(..., safe="")`.
    (b"~", "%20"),
    // Python's `quote`.
    (b"~/", "%20"),
    // JavaScript's `encodeURIComponent`.
    (b"~!*'()", "%20"),
    // Forms and query strings (WHATWG).
    (b"*", "+"),
    // Python's `quote_plus`, PHP's `urlencode` and Go's `QueryEscape`.
    (b"~", "+"),
];

/// Returns the forms of a value. Forms that are the same occur more than once.
pub(super) fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned(), html(value)];
    for (kept, space) in PERCENT_ENCODINGS {
        let upper = percent_encoded(value, kept, space, false);
        if upper != value {
            forms.push(percent_encoded(value, kept, space, true));
            forms.push(upper);
        }
    }
    for json in json_forms(value) {
        forms.push(json.replace('/', "\\/"));
        forms.push(json);
    }
    forms
}

fn percent_encoded(value: &str, kept: &[u8], space: &str, in_lower_case: bool) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        let is_kept =
            byte.is_ascii_alphanumeric() || b"-._".contains(&byte) || kept.contains(&byte);
        // Writing to a string cannot fail.
        let _ = match byte {
            b' ' => encoded.write_str(space),
            _ if is_kept => encoded.write_char(char::from(byte)),
            _ if in_lower_case => write!(encoded, "%{byte:02x}"),
            _ => write!(encoded, "%{byte:02X}"),
        };
    }
    encoded
}

/// Returns the text between the quotation marks of a JSON string: as it is usual, with ASCII only
/// (Python, PHP), and with what is special in HTML escaped (Go).
fn json_forms(value: &str) -> [String; 3] {
    let quoted = serde_json::to_string(value).unwrap_or_default();
    let text = quoted.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(&quoted);
    let escaped = |is_escaped: fn(char) -> bool| {
        let mut escaped = String::with_capacity(text.len());
        for c in text.chars() {
            if is_escaped(c) {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a string cannot fail.
                    let _ = write!(escaped, "\\u{unit:04x}");
                }
            } else {
                escaped.push(c);
            }
        }
        escaped
    };
    [text.to_owned(), escaped(|c| !c.is_ascii()), escaped(|c| matches!(c, '<' | '>' | '&'))]
}

fn html(value: &str) -> String {
    let value = value.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    value.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_recognised_in_each_form() {
        let found = forms("k/y \"1\"&ä");
        for form in [
            "k/y \"1\"&ä",
            "k%2Fy%20%221%22%26%C3%A4",
            "k%2fy%20%221%22%26%c3%a4",
            "k/y%20%221%22%26%C3%A4",
            "k%2Fy+%221%22%26%C3%A4",
            "k/y \\\"1\\\"&ä",
            "k\\/y \\\"1\\\"&ä",
            "k\\/y \\\"1\\\"&\\u00e4",
            "k/y \\\"1\\\"\\u0026ä",
            "k/y &quot;1&quot;&amp;ä",
        ] {
            assert!(found.iter().any(|found| found == form), "{form}: {found:?}");
        }
    }

    #[test]
    fn a_plain_value_has_one_form() {
        assert!(forms("sk-proj_1.2").iter().all(|form| form == "sk-proj_1.2"));
    }
}
