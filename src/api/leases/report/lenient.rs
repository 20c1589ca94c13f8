//! Reads the values of a report whatever their form is, because a report of a failure or of progress
//! is kept rather than refused.

use std::time::Duration;

use crate::api::leases::report::fields::{fields, fields_and_others};
use crate::api::leases::report::repair::{Repair, repair};
use crate::api::leases::report::{ReportedError, ReportedProgress};
use crate::job::payload::Json;
use crate::job::time::Span;

/// Returns a value as a text: a string, `None` for `null`, and the JSON text of any other value.
/// NUL becomes U+FFFD, because SQLite's functions end a text at a NUL.
pub(super) fn text(value: &str) -> Option<String> {
    let text = match value.as_bytes().first()? {
        b'"' => string(value),
        b'n' => return None,
        _ => value.to_owned(),
    };
    Some(if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text })
}

/// Returns the text of a JSON string, with U+FFFD for each half of a surrogate pair.
fn string(value: &str) -> String {
    serde_json::from_str(value)
        .or_else(|_invalid| serde_json::from_str(&repair(value.as_bytes(), Repair::Replace)))
        .unwrap_or_else(|_invalid| value.to_owned())
}

/// Returns a value as lines of text: a string, or an array of strings such as Python's
/// `traceback.format_exception` returns.
pub(super) fn lines(value: &str) -> Option<String> {
    let Ok(items) = serde_json::from_str::<Vec<&serde_json::value::RawValue>>(value) else {
        return text(value);
    };
    let mut lines = String::new();
    for item in items.into_iter().filter_map(|item| text(item.get())) {
        lines.push_str(&item);
        if !item.ends_with('\n') {
            lines.push('\n');
        }
    }
    Some(lines)
}

/// Returns a value as a boolean.
pub(super) fn boolean(value: &str) -> Option<bool> {
    match text(value)?.trim().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" => Some(true),
        "false" | "no" | "0" => Some(false),
        _ => None,
    }
}

/// Returns a value as a duration: a text with units, or a number of seconds. A negative duration
/// becomes zero, and one that is too long the longest.
pub(super) fn span(value: &str) -> Option<Span> {
    let text = text(value)?;
    let text = text.trim();
    if let Ok(span) = text.parse() {
        return Some(span);
    }
    if let Ok(secs) = text.parse::<f64>() {
        let secs = secs.clamp(0.0, Span::MAX.as_secs_f64());
        return Duration::try_from_secs_f64(secs).ok().map(Span::new);
    }
    if let Some(positive) = text.strip_prefix('-') {
        return positive.trim().parse::<Span>().ok().map(|_| Span::default());
    }
    let is_too_long = text.parse::<Span>() == Err(crate::job::time::InvalidSpan::OutOfRange);
    is_too_long.then_some(Span::new(Span::MAX))
}

/// Returns a value as a percentage: a number, or a string such as `"50"` or `"50 %"`. It may be NaN.
fn percent(value: &str) -> Option<f64> {
    let text = text(value)?;
    text.trim().trim_end_matches('%').trim_end().parse().ok()
}

/// Returns a value as progress: an object with `percent` and `message`, one of the two by itself, or
/// `None` if it says neither.
pub(super) fn progress(value: &str) -> Option<ReportedProgress> {
    let progress = match fields(value, ["percent", "message"]) {
        Ok([percentage, message]) => ReportedProgress {
            percent: percentage.and_then(percent).filter(|percent| !percent.is_nan()),
            message: message.and_then(text).filter(|message| !message.is_empty()),
        },
        Err(_) => {
            let percent = percent(value);
            let is_message = value.starts_with('"') && percent.is_none();
            let message = text(value).filter(|message| is_message && !message.is_empty());
            ReportedProgress { percent: percent.filter(|percent| !percent.is_nan()), message }
        }
    };
    Some(progress).filter(|progress| *progress != ReportedProgress::default())
}

/// Returns a value as an error: an object with `code`, `message`, `traceback` and `data`, or a
/// message by itself.
pub(super) fn error(value: &str) -> ReportedError {
    match fields_and_others(value, ["code", "message", "traceback", "data"]) {
        Ok(([code, None, None, None], true)) => {
            // The reason is in a field that is not known, so the whole object says what is wrong.
            let code = code.and_then(text).unwrap_or_default();
            ReportedError { code, message: value.to_owned(), ..ReportedError::default() }
        }
        Ok(([code, message, traceback, data], _)) => ReportedError {
            code: code.and_then(text).unwrap_or_default(),
            message: message.and_then(text).unwrap_or_default(),
            traceback: traceback.and_then(lines),
            data: data.filter(|data| *data != "null").map(json),
        },
        Err(_) => ReportedError { message: text(value).unwrap_or_default(), ..Default::default() },
    }
}

/// Returns a value as it is if it is valid JSON, else repaired, else as a JSON string.
fn json(value: &str) -> Json {
    Json::checked(value)
        .or_else(|_| Json::checked(&repair(value.as_bytes(), Repair::Replace)))
        .unwrap_or_else(|_| Json::of(value).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_a_text() {
        for (value, expected) in [
            (r#""caf\udce9.txt""#, Some("caf\u{fffd}.txt")),
            (r#""a\u0000b""#, Some("a\u{fffd}b")),
            (r#""\ud83d\ude00""#, Some("😀")),
            ("502", Some("502")),
            (r#"["a",{"b":1}]"#, Some(r#"["a",{"b":1}]"#)),
            ("true", Some("true")),
            ("null", None),
        ] {
            assert_eq!(text(value).as_deref(), expected, "{value}");
        }
        assert_eq!(lines(r#"["Traceback:\n", "  line 1"]"#).unwrap(), "Traceback:\n  line 1\n");
        assert_eq!(lines(r#""one\ntwo""#).unwrap(), "one\ntwo");
    }

    #[test]
    fn booleans_and_durations_are_read_in_all_their_forms() {
        for (value, expected) in [
            ("true", Some(true)),
            ("\"False\"", Some(false)),
            ("0", Some(false)),
            ("null", None),
            ("[]", None),
        ] {
            assert_eq!(boolean(value), expected, "{value}");
        }
        for (value, expected) in [
            ("\"30s\"", Some(Span::from_secs(30))),
            ("30", Some(Span::from_secs(30))),
            ("\" 1.5 \"", Some(Span::from_millis(1_500))),
            ("-3", Some(Span::default())),
            ("\"-3s\"", Some(Span::default())),
            ("1e999", Some(Span::new(Span::MAX))),
            ("\"999999h\"", Some(Span::new(Span::MAX))),
            ("\"soon\"", None),
            ("{}", None),
            ("\"NaN\"", None),
        ] {
            assert_eq!(span(value), expected, "{value}");
        }
    }

    #[test]
    fn progress_is_read_in_all_its_forms() {
        let read = |value| progress(value).map(|read| (read.percent, read.message));
        let message = |text: &str| Some(text.to_owned());
        for (value, expected) in [
            (r#"{"percent": 101, "message": "a"}"#, Some((Some(101.0), message("a")))),
            (r#"{"percent": "50"}"#, Some((Some(50.0), None))),
            (r#"{"percent": "12.5 %", "x": []}"#, Some((Some(12.5), None))),
            (r#"{"message": "caf\udce9"}"#, Some((None, message("caf\u{fffd}")))),
            (r#"{"percent": "NaN", "message": 7}"#, Some((None, message("7")))),
            (r#"{"percent": null}"#, None),
            ("50", Some((Some(50.0), None))),
            ("\"50%\"", Some((Some(50.0), None))),
            ("\"reading\"", Some((None, message("reading")))),
            ("1e999", Some((Some(f64::INFINITY), None))),
            ("\"NaN\"", None),
            ("\"\"", None),
            ("null", None),
            ("[50]", None),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }

    #[test]
    fn an_error_is_read_in_all_its_forms() {
        let read = |value| {
            let ReportedError { code, message, traceback, data } = error(value);
            (
                code,
                message,
                traceback.unwrap_or_default(),
                data.map(|data| data.as_str().to_owned()),
            )
        };
        let expect = |code: &str, message: &str, traceback: &str, data: Option<&str>| {
            (code.to_owned(), message.to_owned(), traceback.to_owned(), data.map(str::to_owned))
        };
        for (value, expected) in [
            (r#"{"code": "E", "message": "caf\udce9"}"#, expect("E", "caf\u{fffd}", "", None)),
            (r#"{"code": 502}"#, expect("502", "", "", None)),
            (r#"{"code": 502, "more": 1}"#, expect("502", r#"{"code": 502, "more": 1}"#, "", None)),
            (r#"{"code": null, "message": ["a"]}"#, expect("", r#"["a"]"#, "", None)),
            (
                r#"{"traceback": ["a\n", "b"], "data": {"x": 1.0}}"#,
                expect("", "", "a\nb\n", Some(r#"{"x": 1.0}"#)),
            ),
            (r#"{"code": "E", "data": "\ud800"}"#, expect("E", "", "", Some(r#""\ufffd""#))),
            (r#"{"code": "E", "data": 1e999}"#, expect("E", "", "", Some("\"1e999\""))),
            ("\"boom\"", expect("", "boom", "", None)),
            ("null", expect("", "", "", None)),
            ("[1, 2]", expect("", "[1, 2]", "", None)),
            ("7", expect("", "7", "", None)),
            ("{}", expect("", "", "", None)),
            (r#"{"detail": "boom"}"#, expect("", r#"{"detail": "boom"}"#, "", None)),
        ] {
            assert_eq!(read(value), expected, "{value}");
        }
    }
}
