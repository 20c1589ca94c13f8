//! The resources that serve pages and accept forms, and the ids in their paths.

use std::future::Future;
use std::str::FromStr;

use actix_web::{FromRequest, Handler, HttpRequest, Resource, web};

use crate::api::routes::pages::RESOURCE_NAME;
use crate::pages::response::error_page::{PageError, wrong_method};

/// Returns a resource that serves a page to `GET` and `HEAD`.
pub(crate) fn page_resource<F, A, R>(path: &str, handler: F) -> Resource
where
    F: Handler<A, Output = R> + Copy,
    A: FromRequest + 'static,
    R: actix_web::Responder + 'static,
    F::Output: actix_web::Responder,
    <F as Handler<A>>::Future: Future<Output = R>,
{
    web::resource(path)
        .name(RESOURCE_NAME)
        .route(web::get().to(handler))
        .route(web::head().to(handler))
        .default_service(web::to(|| wrong_method("GET, HEAD")))
}

/// Returns a resource that accepts a form by `POST`.
pub(crate) fn form_resource<F, A, R>(path: &str, handler: F) -> Resource
where
    F: Handler<A, Output = R>,
    A: FromRequest + 'static,
    R: actix_web::Responder + 'static,
    <F as Handler<A>>::Future: Future<Output = R>,
{
    web::resource(path)
        .name(RESOURCE_NAME)
        .route(web::post().to(handler))
        .default_service(web::to(|| wrong_method("POST")))
}

/// Returns the id in the path of a request; `noun` is what it identifies.
///
/// # Errors
/// Returns a 404 if it is not a number.
pub(crate) fn path_id<T: FromStr>(request: &HttpRequest, noun: &str) -> Result<T, PageError> {
    let text = request.match_info().get("id").unwrap_or_default();
    let why = || format!("{noun} {text} does not exist: a {noun} id is a number");
    text.parse().map_err(|_not_a_number| PageError::not_found(why()))
}
