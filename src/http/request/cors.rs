//! Requests of pages of other origins (CORS, <https://fetch.spec.whatwg.org/#http-cors-protocol>).
//!
//! A page of an allowed origin may read one job or batch with a token, and nothing else. Cookies are never
//! accepted from it.

use actix_web::HttpResponse;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderValue, ORIGIN, VARY,
};
use actix_web::web::Data;

use crate::http::request::auth::read_token;
use crate::server::Handle;

/// Headers that a page may send.
const HEADERS: &str = "authorization, last-event-id";

/// Seconds for which a browser may keep the answer to a preflight request.
const MAX_AGE_SECS: &str = "600";

/// Returns the origin of a request if the configuration allows it.
pub(super) fn allowed_origin(request: &ServiceRequest) -> Option<HeaderValue> {
    let origins = &request.app_data::<Data<Handle>>()?.config().allow_origins;
    if origins.is_empty() {
        return None;
    }
    let origin = request.headers().get(ORIGIN)?;
    let is_allowed = origins.iter().any(|allowed| origin.as_bytes() == allowed.as_bytes());
    is_allowed.then(|| origin.clone())
}

/// Returns whether a request asks what a page may send.
pub(super) fn is_preflight(request: &ServiceRequest) -> bool {
    request.method() == Method::OPTIONS
        && request.headers().contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Returns the answer to a preflight request.
pub(super) fn preflight() -> HttpResponse {
    HttpResponse::NoContent()
        .insert_header((ACCESS_CONTROL_ALLOW_METHODS, "GET"))
        .insert_header((ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
        .insert_header((ACCESS_CONTROL_MAX_AGE, MAX_AGE_SECS))
        .finish()
}

/// Returns whether a page of another origin may make a request: it reads, and has a token.
pub(super) fn may_read(request: &ServiceRequest) -> bool {
    request.method() == Method::GET
        && allowed_origin(request).is_some()
        && read_token::of(request).is_some()
}

/// Lets the page of an allowed origin read an answer.
pub(super) fn allow<B>(
    mut response: ServiceResponse<B>,
    origin: Option<HeaderValue>,
) -> ServiceResponse<B> {
    if let Some(origin) = origin {
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.append(VARY, HeaderValue::from_static("Origin"));
    }
    response
}
