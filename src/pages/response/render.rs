//! Renders templates into responses with the headers that all pages have.

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
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

/// Headers of every page that do not depend on it.
///
/// No page is stored, with and without keys: pages show payloads, and after a user has signed out, the Back button
/// must not show them again.
pub(crate) const HEADERS: &[(&str, &str)] = &[
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", REFERRER),
];

/// Renders a page with this status.
pub(crate) fn render_with_status(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(text) => {
            let mut response = HttpResponse::build(status);
            for header in HEADERS {
                response.insert_header(*header);
            }
            response.body(text)
        }
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
