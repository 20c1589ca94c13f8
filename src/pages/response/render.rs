//! Renders templates into responses with the headers that all pages have.

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpResponse, HttpResponseBuilder};
use askama::Template;

/// The content security policy: only this origin, no inline scripts or styles, no framing.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'; object-src 'none'";

/// The referrer policy.
///
/// `no-referrer` cannot be used: it makes a browser send `Origin: null` with forms (Fetch, "append a
/// request `Origin` header"), but [`form`](crate::pages::forms::form) requires the real origin.
const REFERRER: &str = "same-origin";

/// Renders a page with this status.
pub(crate) fn render_with_status(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(text) => add_security_headers(&mut HttpResponse::build(status))
            .insert_header((CACHE_CONTROL, "no-store"))
            .content_type(ContentType::html())
            .body(text),
        Err(error) => {
            tracing::error!(%error, "a page could not be rendered");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// Adds the headers that every page and asset has, among them the content security policy.
pub(crate) fn add_security_headers(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    response
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, REFERRER))
}
