//! Responses of handlers.

pub(super) mod rate_headers;
pub(super) mod weighed;

use actix_web::error::JsonPayloadError;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, LOCATION, RETRY_AFTER};
use actix_web::{HttpResponse, HttpResponseBuilder};
use serde::Serialize;

use crate::http::problem::Rejection;
use crate::job::Job;
use crate::server::{AnswerShare, AnswerWeight, Handle};

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

/// Passes on the room that was reserved for an answer.
pub(super) fn in_room(mut response: HttpResponse, room: Option<AnswerWeight>) -> HttpResponse {
    if let Some(room) = room {
        response.extensions_mut().insert(room);
    }
    response
}

/// Returns 200 with a job that the request has changed.
pub(super) fn changed(handle: &Handle, mut job: Job) -> HttpResponse {
    let room = fit(handle, &mut job);
    in_room(ok(&job), room)
}

/// Reserves room for an answer with a job, after the request has had its effect. If there is none, the
/// payload and the result of the job are left out, as in lists.
pub(super) fn fit(handle: &Handle, job: &mut Job) -> Option<AnswerWeight> {
    let payload = job.payload.as_ref().map_or(0, |payload| payload.as_str().len());
    let result = job.result_json().map_or(0, |result| result.as_str().len());
    match handle.reserve_answer(AnswerShare::Usual, payload + result) {
        Ok(room) => room,
        Err(_no_room) => {
            (job.payload, job.result) = (None, None);
            None
        }
    }
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
