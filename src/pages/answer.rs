//! What a page answers, and the resources that pages stand in.

use std::future::Future;

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ContentType, LOCATION, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{FromRequest, Handler, HttpResponse, HttpResponseBuilder, Resource, web};
use askama::Template;

use crate::pages::trouble::{Trouble, wrong_method};

/// What a page answers.
pub(super) type Answered = Result<HttpResponse, Trouble>;

/// Nothing from elsewhere, nothing inline, in no frame.
const POLICY: &str = "default-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'; object-src 'none'";

/// Own pages see where a request comes from. With `no-referrer` a browser would hide the origin of
/// a form as well (Fetch, "append a request `Origin` header"), which is asked for.
const REFERRER: &str = "same-origin";

/// A page to look at.
pub(super) fn page<F, A, R>(path: &str, show: F) -> Resource
where
    F: Handler<A, Output = R> + Copy,
    A: FromRequest + 'static,
    R: actix_web::Responder + 'static,
    F::Output: actix_web::Responder,
    <F as Handler<A>>::Future: Future<Output = R>,
{
    web::resource(path)
        .route(web::get().to(show))
        .route(web::head().to(show))
        .default_service(web::to(|| wrong_method("GET, HEAD")))
}

/// What a form leads to.
pub(super) fn action<F, A, R>(path: &str, act: F) -> Resource
where
    F: Handler<A, Output = R>,
    A: FromRequest + 'static,
    R: actix_web::Responder + 'static,
    <F as Handler<A>>::Future: Future<Output = R>,
{
    web::resource(path).route(web::post().to(act)).default_service(web::to(|| wrong_method("POST")))
}

/// A page.
pub(super) fn show(template: &impl Template) -> Answered {
    Ok(with_status(StatusCode::OK, template))
}

/// A page that says that something is wrong.
pub(super) fn with_status(status: StatusCode, template: &impl Template) -> HttpResponse {
    match template.render() {
        Ok(text) => secure(&mut HttpResponse::build(status))
            .insert_header((CACHE_CONTROL, "no-store"))
            .content_type(ContentType::html())
            .body(text),
        Err(error) => {
            tracing::error!(%error, "a page could not be written");
            HttpResponse::InternalServerError().finish()
        }
    }
}

/// The headers that keep a page to itself.
pub(super) fn secure(response: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    response
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, REFERRER))
}

/// What was asked for is done: go and look there.
pub(super) fn go_to(path: impl AsRef<str>) -> Answered {
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, path.as_ref()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish())
}
