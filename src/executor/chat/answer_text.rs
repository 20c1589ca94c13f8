//! The text of an answer that should be JSON, read as well as possible.
//!
//! The answer was paid for and must not be thrown away because of a few wrong bytes.

use serde::de::IgnoredAny;
use serde_json::Value;

use crate::job::Json;
use crate::job::problem::repair::{Repair, repair};

/// Reads a text as JSON. These are removed: a byte order mark, comment lines of an event stream before
/// the JSON, and text after a JSON object. What is almost JSON is repaired, such as `NaN`, a line break
/// in a string, and half a surrogate pair, which models that are cut in the middle of an emoji produce.
///
/// # Errors
/// Returns the reason if the body is not JSON.
pub(super) fn read_json(text: &str) -> Result<Json, String> {
    let text = trimmed(text);
    Json::checked(text).or_else(|problem| {
        // Repaired second, because nearly every answer is well formed.
        let repaired = repaired(text);
        Json::checked(without_end(&repaired)).or(Err(problem.to_string()))
    })
}

/// Returns whether a text is the beginning of a JSON text.
pub(super) fn is_cut_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(&repaired(text)).is_err_and(|error| error.is_eof())
}

fn repaired(text: &str) -> String {
    repair(without_comments(trimmed(text)).as_bytes(), Repair::Replace)
}

fn trimmed(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Returns a text without the lines at its start that are comments of an event stream. Gateways send
/// them while a model works: `: keepalive`.
fn without_comments(text: &str) -> &str {
    let mut text = text;
    while text.starts_with(':') {
        text = text.split_once(['\n', '\r']).map_or("", |(_, after)| after.trim_start());
    }
    text
}

/// Returns the JSON object at the start of a text, without what follows it. If more JSON follows, the
/// object may be one part of many, so the text is returned as it is, unless the object is a whole answer.
fn without_end(text: &str) -> &str {
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>();
    let is_value = values.next().is_some_and(|value| value.is_ok());
    let (value, end) = text.split_at(values.byte_offset());
    let is_object = is_value && value.starts_with('{');
    if is_object && (!end.contains(['{', '[']) || is_whole_answer(value)) { value } else { text }
}

/// Returns whether a JSON object has choices that are no parts of a stream.
fn is_whole_answer(object: &str) -> bool {
    let answer: Value = serde_json::from_str(object).unwrap_or_default();
    let Some(choices) = answer.get("choices").and_then(Value::as_array) else { return false };
    !choices.is_empty() && choices.iter().all(|choice| choice.get("delta").is_none())
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
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_that_is_almost_json_is_repaired() {
        for (text, expected) in [
            (r#"{"choices":[1],"logprobs":NaN}"#, r#"{"choices":[1],"logprobs":"NaN"}"#),
            (r#"{"a":[-Infinity,Infinity]}"#, r#"{"a":["-Infinity","Infinity"]}"#),
            ("{\"a\":\"line\nline\"}", r#"{"a":"line\nline"}"#),
            ("{\"a\":\"\t\u{0}\"} </html>", r#"{"a":"\t\u0000"}"#),
            (r#"{"a":"C:\dir"}"#, r#"{"a":"C:\\dir"}"#),
            (": keepalive\n\n{\"a\":1}", r#"{"a":1}"#),
            (":\r\n: PROCESSING\r\n\r\n{\"a\":NaN}\n", r#"{"a":"NaN"}"#),
            ("{\"choices\":[{}]}\n{\"a\":1}", r#"{"choices":[{}]}"#),
            ("{\"choices\":[{\"b\":NaN}]}{\"choices\":[]}", r#"{"choices":[{"b":"NaN"}]}"#),
        ] {
            assert_eq!(read(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_part_of_many_is_not_taken_for_an_answer() {
        for text in [
            "{\"choices\":[{\"delta\":{}}]}\n{\"choices\":[{\"delta\":{}}]}",
            "{\"choices\":[]}\n{\"choices\":[1]}",
            "{\"message\":{},\"done\":false}\n{\"message\":{},\"done\":true}",
            ": keepalive",
            "data: {\"choices\":[1]}",
        ] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_cut_text_is_recognised() {
        for (text, expected) in
            [("", true), ("{\"a\": [1, ", true), ("\"ab", true), (": keepalive\n{", true), ("{\"a\nb", true), ("{}", false), ("<html>", false)]
        {
            assert_eq!(is_cut_json(text), expected, "{text}");
        }
    }
}
