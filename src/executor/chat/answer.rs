//! The outcome of an answered call to a model server.

use serde_json::Value;

use crate::executor::chat::answer_text::{is_cut_json, read_json};
use crate::executor::chat::reported_error::{ReportedError, Verdict};
use crate::executor::encoded::encode;
use crate::executor::outbound::{BAD_ANSWER, CONNECTION, Response};
use crate::executor::provider::defer_if_busy;
use crate::job::Json;
use crate::job::outcome::{JobResult, Outcome};

/// Error code of an attempt whose answer has a 2xx status and reports an error.
const PROVIDER_ERROR: &str = "provider_error";
/// Header with which OpenAI's servers say whether another call may succeed. Their own SDKs obey it.
const SHOULD_RETRY: &str = "x-should-retry";

/// Returns the outcome of a call.
pub(super) fn outcome(response: &Response, max_bytes: usize) -> Outcome {
    if !response.status.is_success() {
        return defer_if_busy(response, refused_job(response));
    }
    if response.body.is_truncated {
        if let Some(error) = &response.decode_error {
            return response.undecodable(error);
        }
        let json = encode(&response.body, false, max_bytes).json;
        return Outcome::Completed(JobResult::truncated(json))
            .with_detail(response.too_large_detail());
    }
    match read_json(&response.lossy_text()) {
        Ok(json) => judge(response, json),
        Err(why) => unreadable(response, &why),
    }
}

/// Returns the outcome of a call that was answered with a status other than 2xx, for the job alone.
fn refused_job(response: &Response) -> Outcome {
    let body = read_json(&response.lossy_text()).ok();
    let body = body.and_then(|json| json.read::<Value>().ok());
    let error = body.as_ref().and_then(ReportedError::find);
    let is_temporary = response.has_temporary_status();
    match decision(response, error.as_ref()) {
        Some(Decision::Fatal(why)) if is_temporary => {
            response.refusal(false, &format!(", which is not retried because of {why}"))
        }
        Some(Decision::Fatal(_)) => response.refusal(false, ""),
        Some(Decision::Retryable) => response.refusal(true, ""),
        None => response.refusal(is_temporary, ""),
    }
}

/// Returns the outcome of a 2xx answer that is JSON. It completes the job if it has choices and
/// reports no error.
fn judge(response: &Response, json: Json) -> Outcome {
    let body: Value = json.read().unwrap_or_default();
    let Some(error) = ReportedError::find(&body) else {
        return match body.get("choices") {
            Some(Value::Array(choices)) if !choices.is_empty() => {
                let detail = response.detail_without_body();
                Outcome::Completed(JobResult::whole(json)).with_detail(detail)
            }
            _ => {
                let excerpt = response.excerpt(json.as_str());
                failed(response, None, BAD_ANSWER, &format!("the answer has no choices: {excerpt}"))
            }
        };
    };
    let message = format!("the answer is an error: {}", response.excerpt(&error.describe()));
    failed(response, Some(&error), PROVIDER_ERROR, &message)
}

/// Returns the outcome of a 2xx answer that is not a completion.
fn failed(response: &Response, error: Option<&ReportedError>, code: &str, why: &str) -> Outcome {
    let verdict = error.map_or(Verdict::Unknown, ReportedError::verdict);
    let decision = match (decision(response, error), verdict) {
        // The word of the error says more than that its message is known.
        (Some(Decision::Fatal(_)) | None, Verdict::Fatal(word)) => {
            Some(Decision::Fatal(response.excerpt(&word)))
        }
        (decision, _) => decision,
    };
    match decision {
        Some(Decision::Fatal(word)) => {
            response.failure(code, format!("{why}; it is not retried because of {word}"), false)
        }
        Some(Decision::Retryable) | None => response.failure(code, why.to_owned(), true),
    }
}

/// Returns the outcome of a 2xx answer that is not JSON. It is repeated only if the connection may have
/// broken off: the call was answered and paid for, and what could not be read once, such as a page of a
/// proxy or a stream, comes again. An answer that is JSON without choices is another matter: it has no
/// completion to pay for, and is usually a hiccup of a gateway, so [`judge`] lets it be retried.
fn unreadable(response: &Response, why: &str) -> Outcome {
    if let Some(error) = &response.decode_error {
        return response.undecodable(error);
    }
    // It may name fields of the answer.
    let why = response.excerpt(why);
    if !response.is_framed() && is_cut_json(&response.lossy_text()) {
        return response.failure(CONNECTION, format!("the answer is incomplete: {why}"), true);
    }
    if response.body.bytes.is_empty() {
        return response.failure(BAD_ANSWER, "the answer has no body".into(), false);
    }
    let excerpt = response.excerpt(&response.lossy_text());
    response.failure(BAD_ANSWER, format!("the answer is not JSON: {why}: {excerpt}"), false)
}

/// What the answer says about another call, whatever its status is.
enum Decision {
    Retryable,
    /// Another call would fail too, for this reason.
    Fatal(String),
}

/// Returns what the header and the error say about another call. A blocked account outweighs a header
/// that asks for a retry.
fn decision(response: &Response, error: Option<&ReportedError>) -> Option<Decision> {
    let header = response.headers.get(SHOULD_RETRY).map(|value| value.as_bytes().trim_ascii());
    let is = |text: &str| header.is_some_and(|value| value.eq_ignore_ascii_case(text.as_bytes()));
    if is("false") {
        return Some(Decision::Fatal(format!("{SHOULD_RETRY}: false")));
    }
    if let Some(word) = error.and_then(ReportedError::blocking_word) {
        // A server may repeat a key in the word too.
        return Some(Decision::Fatal(response.excerpt(&word)));
    }
    is("true").then_some(Decision::Retryable)
}
