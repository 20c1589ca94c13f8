//! What is kept of a response with the attempt: status, headers, body and the provider's id.

use std::collections::BTreeMap;

use awc::http::header::HeaderName;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::executor::outbound::response::Response;
use crate::job::attempt::{
    AttemptDetail, MAX_RESULT_EXCERPT_BYTES, MAX_TEXT_BYTES, ResponseDetail, head_and_tail,
};

/// Maximum size of a header value that is kept, in bytes.
const MAX_VALUE_BYTES: usize = 1 << 10;
/// Headers in which servers return their id of a call, the most specific first.
const REQUEST_ID_HEADERS: [&str; 8] = [
    "x-request-id",
    "request-id",
    "openai-request-id",
    "apim-request-id",
    "x-amzn-requestid",
    "x-goog-request-id",
    "x-correlation-id",
    "cf-ray",
];
/// Ends of the names of response headers whose values are secrets. `x-ratelimit-remaining-tokens` is
/// none.
const SECRET_NAME_ENDS: [&str; 6] =
    ["set-cookie", "set-cookie2", "-token", "-secret", "-api-key", "authorization"];

impl Response {
    /// Returns what is kept of a response that failed its attempt.
    pub(in crate::executor) fn detail(&self) -> AttemptDetail {
        let mut response = self.head_detail();
        if !self.body.bytes.is_empty() && !self.is_unreadable() {
            match self.text() {
                Some(_) => response.body = Some(self.text_excerpt(MAX_TEXT_BYTES)),
                None => {
                    let bytes = self.secrets.hide_bytes(&self.body.bytes);
                    let start = &bytes[..bytes.len().min(MAX_TEXT_BYTES / 4 * 3)];
                    response.body_base64 = Some(BASE64_STANDARD.encode(start));
                }
            }
        }
        self.with_request_id(response)
    }

    /// Returns what is kept of a response whose body is the result.
    pub(in crate::executor) fn detail_without_body(&self) -> AttemptDetail {
        self.with_request_id(self.head_detail())
    }

    /// Returns what is kept of a 2xx response whose body is too long: its head, and the start and the end
    /// of its body as the result.
    pub(in crate::executor) fn too_large_detail(&self) -> AttemptDetail {
        let result = match self.text() {
            Some(_) => self.text_excerpt(MAX_RESULT_EXCERPT_BYTES),
            None => self.body.excerpt.base64(&self.secrets, MAX_RESULT_EXCERPT_BYTES),
        };
        AttemptDetail { result: Some(result), ..self.detail_without_body() }
    }

    fn with_request_id(&self, response: ResponseDetail) -> AttemptDetail {
        let mut names = REQUEST_ID_HEADERS.iter();
        let request_id = names.find_map(|name| response.headers.get(*name)).cloned();
        AttemptDetail { response: Some(response), request_id, ..AttemptDetail::default() }
    }

    /// Returns the status and the headers. Headers are dropped when they take more than 16 KiB.
    fn head_detail(&self) -> ResponseDetail {
        let mut headers = BTreeMap::new();
        let mut room = MAX_TEXT_BYTES;
        for name in self.headers.keys() {
            let value = self.header_detail(name);
            let name = self.secrets.hide_name(name);
            let len = name.len() + value.len();
            if len <= room {
                room -= len;
                headers.insert(name, value);
            }
        }
        ResponseDetail { status: self.status.as_u16(), headers, body: None, body_base64: None }
    }

    /// Returns the values of a header, joined by `, ` and without secrets.
    fn header_detail(&self, name: &HeaderName) -> String {
        if SECRET_NAME_ENDS.iter().any(|end| name.as_str().ends_with(end)) {
            return "(secret)".into();
        }
        let values = self.headers.get_all(name);
        let values: Vec<_> =
            values.map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        head_and_tail(&self.secrets.hide(&values.join(", ")), MAX_VALUE_BYTES)
    }
}
