//! The result of an `http` job: status, headers and body of the answer.

use std::collections::BTreeMap;

use awc::http::header::{CONTENT_TYPE, HeaderMap};
use serde::Serialize;

use crate::executor::encoded::encode;
use crate::executor::outbound::Answer;
use crate::job::Json;
use crate::job::outcome::{JobResult, Outcome};

/// What `body_encoding` and `truncated` add to a result, in bytes.
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

/// The values of a header: mostly one.
#[derive(Serialize)]
#[serde(untagged)]
enum Values {
    One(String),
    Many(Vec<String>),
}

/// The outcome of an answer. Its body is cut so that the whole result keeps within `max_bytes`.
pub(super) fn outcome(answer: &Answer, max_bytes: usize) -> Outcome {
    let mut result = HttpResult {
        status: answer.status.as_u16(),
        headers: headers(&answer.headers),
        body: Json::null(),
        body_encoding: None,
        truncated: false,
    };
    let envelope_len = Json::of(&result).map_or(0, |json| json.as_str().len()) + FLAGS_LEN;
    let room = max_bytes.saturating_sub(envelope_len);
    let body = encode(&answer.body, is_json(&answer.headers), room);
    result.body = body.json;
    result.body_encoding = body.is_base64.then_some("base64");
    result.truncated = body.is_cut;
    match Json::of(&result) {
        Ok(json) => Outcome::Completed(JobResult { json, truncated: body.is_cut }),
        Err(error) => Outcome::fatal("bad_result", format!("the answer has no JSON form: {error}")),
    }
}

fn headers(map: &HeaderMap) -> BTreeMap<String, Values> {
    let mut headers = BTreeMap::new();
    for name in map.keys() {
        let texts = map.get_all(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let mut texts: Vec<String> = texts.map(Into::into).collect();
        let values = match texts.pop() {
            Some(text) if texts.is_empty() => Values::One(text),
            Some(last) => {
                texts.push(last);
                Values::Many(texts)
            }
            None => continue,
        };
        headers.insert(name.as_str().to_owned(), values);
    }
    headers
}

/// Whether the answer says that its body is JSON, or says nothing.
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE) else { return true };
    let value = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || essence == "text/json" || essence.ends_with("+json")
}
