//! Keeps pages of other sites from using a server on the user's own machine.

use actix_web::Error;
use actix_web::ResponseError;
use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderMap, ORIGIN};
use actix_web::middleware::Next;

use crate::http::problem::Rejection;

/// Refuses what a browser sends for a page of another site.
///
/// Browsers say where a request comes from (`Sec-Fetch-Site`, `Origin`); other clients do not.
pub(super) async fn same_site<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    if is_foreign(request.headers()) {
        let detail = "the request comes from a page of another site";
        let rejection = Rejection::new(StatusCode::FORBIDDEN, "foreign-site", detail);
        let response = rejection.error_response();
        return Ok(request.into_response(response).map_into_right_body());
    }
    Ok(next.call(request).await?.map_into_left_body())
}

fn is_foreign(headers: &HeaderMap) -> bool {
    let text =
        |value: &actix_web::http::header::HeaderValue| value.to_str().ok().map(str::to_owned);
    let fetch_site = headers.get("sec-fetch-site").map(|value| value.as_bytes());
    if matches!(fetch_site, Some(b"cross-site" | b"same-site")) {
        return true;
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let host = headers.get(HOST).and_then(text);
    let origin = text(origin);
    let origin_host = origin.as_deref().and_then(|origin| origin.split_once("://"));
    origin_host.map(|(_, host)| host) != host.as_deref()
}
