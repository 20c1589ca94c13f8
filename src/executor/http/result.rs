//! The result of an `http` job: status, headers and body of the response.

use std::collections::BTreeMap;

use awc::http::header::{CONTENT_TYPE, HeaderMap};
use serde::Serialize;

use crate::executor::encoded::encode;
use crate::executor::outbound::{DecodeError, Response};
use crate::job::Json;
use crate::job::outcome::{JobResult, Outcome};

/// Number of bytes that `body_encoding` and `truncated` add to a result.
const FLAGS_LEN: usize = r#","body_encoding":"base64","truncated":true"#.len();

#[derive(Serialize)]
struct HttpResult {
    status: u16,
    headers: BTreeMap<String, Values>,
    body: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_encoding: Option<&'static str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// Value of a header, or a list if the header occurs more than once.
#[derive(Serialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

/// Returns the outcome of a response. The body is truncated so that the whole result fits in
/// `max_bytes`.
///
/// A body with an unknown content coding is part of the result as it was received, because the job
/// may have asked for it. A body that contradicts its content coding fails the attempt.
pub(super) fn outcome(response: &Response, max_bytes: usize) -> Outcome {
    if let Some(error @ DecodeError::Invalid { .. }) = &response.decode_error {
        return response.undecodable(error);
    }
    let mut result = HttpResult {
        status: response.status.as_u16(),
        headers: headers(response),
        body: Json::null(),
        body_encoding: None,
        truncated: false,
    };
    let envelope_len = Json::of(&result).map_or(0, |json| json.as_str().len()) + FLAGS_LEN;
    let max_body_bytes = max_bytes.saturating_sub(envelope_len);
    let body = encode(&response.body, is_json(&response.headers), max_body_bytes);
    result.body = body.json;
    result.body_encoding = body.is_base64.then_some("base64");
    result.truncated = body.is_truncated;
    match Json::of(&result) {
        Ok(json) if body.is_truncated => Outcome::Completed(JobResult::truncated(json))
            .with_detail(response.too_large_detail()),
        Ok(json) => Outcome::Completed(JobResult::whole(json)),
        Err(error) => {
            Outcome::fatal("bad_result", format!("the response cannot be written as JSON: {error}"))
        }
    }
}

/// Returns the headers of a response without the secrets from the configuration, which the server may have
/// repeated.
fn headers(response: &Response) -> BTreeMap<String, Values> {
    let secrets = &response.secrets;
    let mut headers = BTreeMap::new();
    for name in response.headers.keys() {
        let values = response.headers.get_all(name);
        let texts = values.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut texts: Vec<String> = texts.map(|text| secrets.hide_configured(&text)).collect();
        let values = match texts.pop() {
            Some(text) if texts.is_empty() => Values::One(text),
            Some(last) => {
                texts.push(last);
                Values::Many(texts)
            }
            None => continue,
        };
        headers.insert(secrets.hide_name(name), values);
    }
    headers
}

/// Returns whether the body may be JSON: `content-type` is a JSON type or is missing.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}
