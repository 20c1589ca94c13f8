//! Responses of handlers.

pub(super) mod weighed;

use actix_web::error::JsonPayloadError;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::http::problem::Rejection;

/// Result of a handler: a response, or a problem that becomes one.
pub(super) type HandlerResult = Result<HttpResponse, Rejection>;

/// Media type of JSON.
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Initial size of a response buffer: the JSON of a job with a small payload and a small result.
const USUAL_BYTES: usize = 1_024;

/// Size from which an answer does not keep memory that it does not need.
const LARGE_BYTES: usize = 64 << 10;

/// Number of seconds after which a client that polls should first ask for the job.
const POLL_HINT_SECS: u64 = 1;

/// Returns 202: the job is on disk and will run.
pub(super) fn accepted(location: Option<String>, body: &impl Serialize) -> HttpResponse {
    let mut response = HttpResponse::Accepted();
    response.insert_header((RETRY_AFTER, POLL_HINT_SECS));
    if let Some(location) = location {
        response.insert_header((LOCATION, location));
    }
    json(&mut response, body)
}

/// Returns 200 with a JSON body.
pub(super) fn ok(body: &impl Serialize) -> HttpResponse {
    json(&mut HttpResponse::Ok(), body)
}

/// Writes a JSON body. Most responses are one job, which fits into the initial buffer.
pub(super) fn json(response: &mut HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    let mut text = Vec::with_capacity(USUAL_BYTES);
    match serde_json::to_writer(&mut text, body) {
        Ok(()) => {
            if text.len() > LARGE_BYTES {
                // A large answer may stay in memory for long.
                text.shrink_to_fit();
            }
            response.insert_header((CONTENT_TYPE, JSON)).body(text)
        }
        Err(error) => HttpResponse::from_error(JsonPayloadError::Serialize(error)),
    }
}
