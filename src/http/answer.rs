//! What handlers answer, and the resources they stand in.

use actix_web::error::JsonPayloadError;
use actix_web::http::header::{ContentType, LOCATION, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, Resource, web};
use serde::Serialize;

use crate::http::problem::{Rejection, wrong_method};

/// What a handler answers.
pub(super) type Answered = Result<HttpResponse, Rejection>;

/// How long the JSON of a job is with a small payload and a small result.
const USUAL_BYTES: usize = 1_024;

/// After how many seconds a client that polls may look first.
const POLL_HINT_SECS: u64 = 1;

/// A path that takes these methods, and answers others with 405 and `Allow`.
pub(super) fn resource(path: &str, allow: &'static str) -> Resource {
    web::resource(path).default_service(web::to(move |request: HttpRequest| async move {
        wrong_method(&request, allow).await
    }))
}

/// 202: it is on disk, and will be done.
pub(super) fn accepted(location: Option<String>, body: &impl Serialize) -> HttpResponse {
    let mut response = HttpResponse::Accepted();
    response.insert_header((RETRY_AFTER, POLL_HINT_SECS));
    if let Some(location) = location {
        response.insert_header((LOCATION, location));
    }
    json(&mut response, body)
}

/// 200.
pub(super) fn ok(body: &impl Serialize) -> HttpResponse {
    json(&mut HttpResponse::Ok(), body)
}

/// Most answers are one job and are written without a buffer that has to grow.
pub(super) fn json(response: &mut HttpResponseBuilder, body: &impl Serialize) -> HttpResponse {
    let mut text = Vec::with_capacity(USUAL_BYTES);
    match serde_json::to_writer(&mut text, body) {
        Ok(()) => response.content_type(ContentType::json()).body(text),
        Err(error) => HttpResponse::from_error(JsonPayloadError::Serialize(error)),
    }
}
