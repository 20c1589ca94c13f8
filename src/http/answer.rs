//! What handlers answer, and the resources they stand in.

use actix_web::http::header::{LOCATION, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, Resource, web};
use serde::Serialize;

use crate::http::problem::{Rejection, wrong_method};

/// What a handler answers.
pub(super) type Answered = Result<HttpResponse, Rejection>;

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
    response.json(body)
}

/// 200.
pub(super) fn ok(body: &impl Serialize) -> HttpResponse {
    HttpResponse::Ok().json(body)
}
