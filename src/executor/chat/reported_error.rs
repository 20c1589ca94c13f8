//! Errors that model servers report in the body of an answer, and what they say about another call.
//!
//! There is no standard. The forms known here:
//!
//! | form | sent by |
//! | --- | --- |
//! | `{"error": {"message", "type", "code"}}` | OpenAI; `code` may be a status number (OpenRouter) |
//! | `{"error": {"message", "code": 429, "status"}}`, or a list with one of these | Google |
//! | `{"type": "error", "error": {"type", "message"}}` | Anthropic |
//! | `{"error": "text", "error_type"}` | Ollama, text-generation-inference |
//! | `{"object": "error", "message", "type", "code"}` | vLLM, Mistral |
//! | `{"detail": "text"}`, `{"detail": [{"msg"}]}` | FastAPI |
//! | `{"errors": [{"message", "code"}]}` | Cloudflare |
//! | `{"message", "code"}` | gateways |
//! | `{"choices": [{"error": {"message", "code"}, "finish_reason": "error"}]}` | OpenRouter |

use serde_json::{Map, Value};

/// An error in the body of an answer.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ReportedError {
    /// Message for people; may be empty.
    pub(super) message: String,
    /// Words for programs, the most specific one first: code, type, status.
    words: Vec<String>,
    /// Status number within the body.
    status: Option<u16>,
}

/// What an error says about another call with the same body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It may succeed.
    Retryable,
    /// It fails in the same way, because of the contained word.
    Fatal(String),
    /// The error does not say.
    Unknown,
}

/// Parts of words that mean that the account or the model cannot be used until somebody acts. They
/// outweigh a temporary status such as 429. Words are compared in lowercase without separators.
const BLOCKED: [&str; 16] = [
    "insufficientquota",
    "insufficientbalance",
    "insufficientcredit",
    "insufficientfunds",
    "creditbalance",
    "billing",
    "paymentrequired",
    "invalidapikey",
    "incorrectapikey",
    "apikeynotvalid",
    "authenticationerror",
    "accountdeactivated",
    "accountsuspended",
    "accessterminated",
    "modelnotfound",
    "contextlength",
];
/// Parts of words that mean that the call itself is refused.
const REFUSED: [&str; 20] = [
    "authentication",
    "unauthorized",
    "unauthenticated",
    "permission",
    "forbidden",
    "accessdenied",
    "notfound",
    "doesnotexist",
    "invalidrequest",
    "invalidargument",
    "invalidparameter",
    "invalidvalue",
    "invalidprompt",
    "badrequest",
    "validation",
    "unprocessable",
    "unsupported",
    "contentpolicy",
    "contentfilter",
    "moderation",
];
/// Parts of words that mean that the server is busy or broken for a while.
const TEMPORARY: [&str; 16] = [
    "ratelimit",
    "toomanyrequests",
    "throttl",
    "overload",
    "capacity",
    "resourceexhausted",
    "unavailable",
    "timeout",
    "timedout",
    "deadline",
    "servererror",
    "internal",
    "apierror",
    "badgateway",
    "upstream",
    "busy",
];

impl ReportedError {
    /// Returns the error of an answer, if it reports one. An error of a choice counts only if every
    /// choice has one.
    pub(super) fn find(body: &Value) -> Option<Self> {
        let body = match body {
            Value::Array(items) => items.first()?,
            body => body,
        };
        let fields = body.as_object()?;
        if let Some(error) = fields.get("error").filter(|error| !is_blank(error)) {
            return Some(Self::of(error, fields));
        }
        let is_error = |name| fields.get(name).and_then(Value::as_str) == Some("error");
        if is_error("object") || is_error("type") {
            return Some(Self::of(body, fields));
        }
        match fields.get("choices") {
            Some(Value::Array(choices)) if !choices.is_empty() => Self::of_choices(choices),
            _ => {
                let names = ["detail", "errors", "message", "error_message", "error_msg", "msg"];
                let mut values = names.iter().filter_map(|name| fields.get(*name));
                values.find(|value| !is_blank(value)).map(|error| Self::of(error, fields))
            }
        }
    }

    /// Returns the error of the first choice if every choice has one.
    fn of_choices(choices: &[Value]) -> Option<Self> {
        let of_choice = |choice: &Value| {
            let fields = choice.as_object()?;
            match fields.get("error").filter(|error| !is_blank(error)) {
                Some(error) => Some(Self::of(error, &Map::new())),
                None if fields.get("finish_reason")?.as_str()? == "error" => {
                    Some(Self { message: "finish_reason is error".into(), ..Self::default() })
                }
                None => None,
            }
        };
        let errors: Option<Vec<Self>> = choices.iter().map(of_choice).collect();
        errors?.into_iter().next()
    }

    /// Reads an error. Fields that it lacks are taken from the object around it.
    fn of(error: &Value, around: &Map<String, Value>) -> Self {
        let error = match error {
            // Details of a validation, or a list of errors.
            Value::Array(items) => items.first().unwrap_or(error),
            error => error,
        };
        let fields = error.as_object();
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let within = |name: &str| fields.and_then(|fields| fields.get(name));
        let field = |name: &str| within(name).or_else(|| around.get(name));
        let mut names = ["message", "msg", "detail", "error_message", "error", "title"].iter();
        let message = names.find_map(|name| within(name).and_then(text));
        let message = message.or_else(|| text(error)).unwrap_or_else(|| error.to_string());
        let names = ["code", "error_code", "type", "error_type", "status"];
        let values: Vec<&Value> = names.into_iter().filter_map(field).collect();
        let numbers = ["code", "status", "status_code", "statusCode", "http_code", "error_code"];
        Self {
            message,
            words: values.into_iter().filter_map(text).collect(),
            status: numbers.into_iter().filter_map(field).find_map(status_number),
        }
    }

    /// Returns what the error says about another call.
    pub(super) fn verdict(&self) -> Verdict {
        for word in &self.words {
            let normal = normalised(word);
            let has_any = |parts: &[&str]| parts.iter().any(|part| normal.contains(part));
            if has_any(&BLOCKED) || has_any(&REFUSED) {
                return Verdict::Fatal(word.clone());
            }
            if has_any(&TEMPORARY) {
                return Verdict::Retryable;
            }
        }
        match self.status {
            Some(408 | 409 | 425 | 429 | 500..=599) => Verdict::Retryable,
            Some(status @ 400..=499) => Verdict::Fatal(status.to_string()),
            _ => match self.blocking_message() {
                Some(why) => Verdict::Fatal(why),
                None => Verdict::Unknown,
            },
        }
    }

    /// Returns the word that means that no call will succeed until somebody acts, such as
    /// `insufficient_quota`, although the status is a temporary one.
    pub(super) fn blocking_word(&self) -> Option<String> {
        for word in &self.words {
            let normal = normalised(word);
            if BLOCKED.iter().any(|part| normal.contains(part)) {
                return Some(word.clone());
            }
            if TEMPORARY.iter().any(|part| normal.contains(part)) {
                return None;
            }
        }
        self.blocking_message()
    }

    /// Returns what the message says, if it is like one of the blocking words.
    fn blocking_message(&self) -> Option<String> {
        let message = normalised(&self.message);
        let part = BLOCKED.iter().find(|part| message.contains(**part));
        part.map(|_| "its message".into())
    }

    /// Returns the message, with the words and the status in parentheses: `busy (server_error, 502)`.
    pub(super) fn describe(&self) -> String {
        let mut words = self.words.clone();
        let status = self.status.map(|status| status.to_string());
        words.extend(status.filter(|status| !self.words.contains(status)));
        match words.is_empty() {
            true => self.message.clone(),
            false => format!("{} ({})", self.message, words.join(", ")),
        }
    }
}

/// Returns whether a value says nothing, so that it reports no error.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Number(number) => number.as_i64() == Some(0),
        Value::Array(items) => items.iter().all(is_blank),
        Value::Object(fields) => fields.values().all(is_blank),
        Value::Bool(true) => false,
    }
}

/// Returns an HTTP status that is written as a number or as its digits.
fn status_number(value: &Value) -> Option<u16> {
    let number = match value {
        Value::String(digits) => digits.parse().ok(),
        value => value.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    number.filter(|status| (100..600).contains(status))
}

/// Returns a text in lowercase without separators: `RateLimitError` and `rate_limit_error` become
/// `ratelimiterror`.
fn normalised(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(body: &Value) -> Option<Verdict> {
        ReportedError::find(body).map(|error| error.verdict())
    }

    #[test]
    fn an_error_that_may_pass_is_retryable() {
        for body in [
            json!({"error": {"message": "busy", "code": 502}}),
            json!({"error": {"message": "busy", "code": "503"}}),
            json!({"error": {"message": "x", "type": "server_error", "code": null}}),
            json!({"error": {"type": "tokens", "code": "rate_limit_exceeded"}}),
            json!({"error": {"type": "invalid_request_error", "code": "rate_limit_exceeded"}}),
            json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "quota"}}),
            json!([{"error": {"code": 503, "status": "UNAVAILABLE", "message": "x"}}]),
            json!({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
            json!({"object": "error", "type": "InternalServerError", "message": "x", "code": 500}),
            json!({"error": "Model is overloaded", "error_type": "overloaded"}),
            json!({"errors": [{"message": "x", "code": 504}]}),
            json!({"choices": [{"error": {"message": "x", "code": 502}, "finish_reason": "error"}]}),
            json!({"choices": [{"text": "a"}], "error": {"code": 500, "message": "x"}}),
        ] {
            assert_eq!(verdict(&body), Some(Verdict::Retryable), "{body}");
        }
    }

    #[test]
    fn an_error_that_stays_is_fatal_and_says_why() {
        for (body, word) in [
            (json!({"error": {"type": "insufficient_quota", "code": null}}), "insufficient_quota"),
            (json!({"error": {"type": "invalid_request_error"}}), "invalid_request_error"),
            (json!({"error": {"code": "model_not_found", "type": "x"}}), "model_not_found"),
            (json!({"error": {"code": 401, "message": "User not found."}}), "401"),
            (json!({"error": {"code": 402, "message": "x"}}), "402"),
            (json!({"error": {"type": "authentication_error"}}), "authentication_error"),
            (json!({"object": "error", "type": "BadRequestError", "code": 400}), "BadRequestError"),
            (json!({"error": "Incorrect API key provided: x"}), "its message"),
            (json!({"detail": "x", "status": 422}), "422"),
        ] {
            assert_eq!(verdict(&body), Some(Verdict::Fatal(word.into())), "{body}");
        }
    }

    #[test]
    fn an_error_that_says_nothing_about_another_call_is_unknown() {
        for body in [
            json!({"error": {"message": "something"}}),
            json!({"error": "something"}),
            json!({"error": true}),
            json!({"detail": [{"loc": ["body"], "msg": "something"}]}),
            json!({"message": "something", "code": 1002}),
            json!({"choices": [{"finish_reason": "error"}]}),
        ] {
            assert_eq!(verdict(&body), Some(Verdict::Unknown), "{body}");
        }
    }

    #[test]
    fn an_answer_without_an_error_reports_none() {
        for body in [
            json!({"choices": [{"message": {"content": "error"}}], "error": null}),
            json!({"choices": [{"finish_reason": "stop"}], "error": {}}),
            json!({"choices": [{"error": null}], "error": {"code": null, "message": ""}}),
            json!({"choices": [{"error": {"code": 502}}, {"finish_reason": "stop"}]}),
            json!({"choices": [1.5], "message": "ok", "detail": "x"}),
            json!({"choices": []}),
            json!({}),
            json!([]),
            json!(null),
            json!("text"),
        ] {
            assert_eq!(ReportedError::find(&body), None, "{body}");
        }
    }

    #[test]
    fn only_a_blocked_account_or_model_outweighs_a_temporary_status() {
        let word = |body: Value| ReportedError::find(&body).unwrap().blocking_word();
        for body in [
            json!({"error": {"type": "insufficient_quota", "code": "insufficient_quota"}}),
            json!({"error": {"type": "x", "message": "You have insufficient quota"}}),
            json!({"error": {"type": "invalid_request_error", "code": "invalid_api_key"}}),
            json!({"error": {"code": "billing_hard_limit_reached"}}),
        ] {
            assert!(word(body.clone()).is_some(), "{body}");
        }
        for body in [
            json!({"error": {"type": "invalid_request_error", "message": "Rate limit reached"}}),
            json!({"error": {"type": "tokens", "code": "rate_limit_exceeded", "message": "billing"}}),
            json!({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED", "message": "billing"}}),
        ] {
            assert_eq!(word(body.clone()), None, "{body}");
        }
    }

    #[test]
    fn an_error_is_described_with_its_words() {
        let describe = |body: Value| ReportedError::find(&body).unwrap().describe();
        assert_eq!(describe(json!({"error": {"message": "busy", "code": 502}})), "busy (502)");
        let error = json!({"error": {"message": "no", "type": "a", "code": "b"}});
        assert_eq!(describe(error), "no (b, a)");
        assert_eq!(describe(json!({"error": {"a": 1}})), r#"{"a":1}"#);
        assert_eq!(describe(json!({"error": "no"})), "no");
    }
}
