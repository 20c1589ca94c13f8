//! Distinguishes notes beside an answer from errors.
//!
//! Some gateways send an `error` with every answer, such as `{"code": 0, "message": "success"}`, or put
//! a warning there. The answer was paid for, so only an error makes it worthless.

use serde_json::Value;

use super::is_blank;
use super::words::meaning_of_code;

/// Fields of an error that are for programs.
const CODE_FIELDS: [&str; 7] =
    ["code", "error_code", "type", "error_type", "status", "status_code", "http_code"];
/// Codes and types, in lowercase, of what is no error.
const SUCCESS_CODES: [&str; 6] = ["0", "200", "ok", "success", "succeeded", "none"];
/// Further types, in lowercase, of notes beside an answer.
const NOTE_CODES: [&str; 6] = ["warn", "warning", "info", "notice", "note", "deprecation"];

/// Returns whether an error object says that there is no error: each code that it has means success,
/// and it has one.
pub(super) fn is_success(error: &Value) -> bool {
    let mut codes = codes(error).peekable();
    codes.peek().is_some() && codes.all(|code| SUCCESS_CODES.contains(&&*code))
}

/// Returns whether an `error` beside content is only a note: a text without a known word for an error,
/// or an object whose codes, if it has any, name no error.
pub(super) fn is_note(error: &Value) -> bool {
    match error {
        Value::String(text) => meaning_of_code(text).is_none(),
        Value::Object(_) => codes(error)
            .all(|code| SUCCESS_CODES.contains(&&*code) || NOTE_CODES.contains(&&*code)),
        _ => false,
    }
}

/// Returns whether a choice of an answer has content: a text, a tool call or the like.
pub(super) fn has_content(choice: &Value) -> bool {
    let message = choice.get("message").and_then(Value::as_object);
    let mut fields = message.into_iter().flatten().filter(|(name, _)| *name != "role");
    fields.any(|(_, value)| !is_blank(value))
        || choice.get("text").is_some_and(|text| !is_blank(text))
}

/// Returns the codes of an error object in lowercase, without blank ones other than the number 0.
fn codes(error: &Value) -> impl Iterator<Item = String> {
    let fields = CODE_FIELDS.iter().filter_map(|name| error.get(name));
    fields.filter_map(|value| match value {
        Value::String(code) if !code.trim().is_empty() => Some(code.trim().to_lowercase()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_note_beside_content_has_no_code_of_an_error() {
        for note in [
            json!({"message": "warn"}),
            json!({"code": 0, "message": "success"}),
            json!({"code": "200", "status": "OK"}),
            json!({"type": "warning", "message": "the model is deprecated"}),
            json!({"code": null, "type": "", "message": "busy"}),
            json!("the model is deprecated"),
        ] {
            assert!(is_note(&note), "{note}");
        }
        for error in [
            json!({"message": "busy", "code": 502}),
            json!({"code": 0, "type": "server_error"}),
            json!({"code": -1}),
            json!({"type": "something"}),
            json!("rate limit reached"),
            json!(true),
            json!([{"message": "x"}]),
        ] {
            assert!(!is_note(&error), "{error}");
        }
    }

    #[test]
    fn only_a_code_of_success_says_that_there_is_no_error() {
        for (error, expected) in [
            (json!({"code": 0, "message": "success"}), true),
            (json!({"status": "ok"}), true),
            (json!({"code": 0, "type": "server_error"}), false),
            (json!({"message": "busy"}), false),
            (json!("ok"), false),
        ] {
            assert_eq!(is_success(&error), expected, "{error}");
        }
    }

    #[test]
    fn content_is_a_text_or_a_tool_call() {
        for choice in [
            json!({"message": {"role": "assistant", "content": "a"}}),
            json!({"message": {"content": null, "tool_calls": [{"id": "1"}]}}),
            json!({"message": {"content": null, "refusal": "no"}}),
            json!({"text": "a"}),
        ] {
            assert!(has_content(&choice), "{choice}");
        }
        for choice in [
            json!({"message": {"role": "assistant", "content": "", "tool_calls": []}}),
            json!({"finish_reason": "stop"}),
            json!({"text": ""}),
            json!(1.5),
        ] {
            assert!(!has_content(&choice), "{choice}");
        }
    }
}
