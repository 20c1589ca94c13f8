//! Responses of pages, and the resources that serve pages and accept forms.

use std::future::Future;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{FromRequest, Handler, HttpResponse, HttpResponseBuilder, Resource, web};
use askama::Template;

use crate::pages::error_page::{PageError, wrong_method};

/// The response of a page or a form, or an error page.
pub(super) type PageResult = Result<HttpResponse, PageError>;

/// The content security policy: only this origin, no inline scripts or styles, no framing.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'; object-src 'none'";

/// The referrer policy.
///
/// `no-referrer` cannot be used: it makes a browser send `Origin: null` with forms (Fetch, "append a
/// request `Origin` header"), but [`form`](crate::pages::forms::form) requires the real origin.
const REFERRER: &str = "same-origin";

/// Returns a resource that serves a page to `GET` and `HEAD`.
pub(super) fn page_resource<F, A, R>(path: &str, handler: F) -> Resource
where
    F: Handler<A, Output = R> + Copy,
    A: FromRequest + 'static,
    R: actix_web::Responder + 'static,
    F::Output: actix_web::Responder,
    <F as Handler<A>>::Future: Future<Output = R>,
{
    web::resource(path)
        .route(web::get().to(handler))
        .route(web::head().to(handler))
        .default_service(web::to(|| wrong_method("GET, HEAD")))
}

/// Returns a resource that accepts a form by `POST`.
pub(super) fn form_resource<F, A, R>(path: &str, handler: F) -> Resource
where
    F: Handler<A, Output = R>,
    A: FromRequest + 'static,
    R: actix_web::Responder + 'static,
    <F as Handler<A>>::Future: Future<Output = R>,
{
    web::resource(path)
        .route(web::post().to(handler))
        .default_service(web::to(|| wrong_method("POST")))
}

/// Renders a page with status 200.
pub(super) fn render(template: &impl Template) -> PageResult {
    Ok(render_with_status(StatusCode::OK, template))
}

/// Renders a page with this status.
pub(super) fn render_with_status(status: StatusCode, template: &impl Template) -> HttpResponse {
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
pub(super) fn add_security_headers(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    response
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, REFERRER))
}

/// Redirects the browser to a page after a form was processed (303 See Other).
pub(super) fn redirect_to(path: impl AsRef<str>) -> PageResult {
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, path.as_ref()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish())
}
