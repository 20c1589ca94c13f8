//! The resources that serve pages and accept forms, and the ids in their paths.

use std::str::FromStr;

use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Route, web};

use crate::api::routes::pages::RESOURCE_NAME;
use crate::auth::hidden;
use crate::pages::response::PageResult;
use crate::pages::response::error_page::{PageError, wrong_method};

/// Returns a resource that serves a page to `GET` and `HEAD`.
pub(crate) fn page_resource<F, A>(path: &str, handler: F) -> Resource
where
    F: Handler<A, Output = PageResult>,
    A: FromRequest + 'static,
{
    let handler = with_error_page(handler);
    web::resource(path)
        .name(RESOURCE_NAME)
        .route(web::get().to(handler.clone()))
        .route(web::head().to(handler))
        .default_service(web::to(|request| wrong_method(request, "GET, HEAD")))
}

/// Returns a resource that accepts a form by `POST`.
pub(crate) fn form_resource<F, A>(path: &str, handler: F) -> Resource
where
    F: Handler<A, Output = PageResult>,
    A: FromRequest + 'static,
{
    web::resource(path)
        .name(RESOURCE_NAME)
        .route(form_route(handler))
        .default_service(web::to(|request| wrong_method(request, "POST")))
}

/// Returns a route that accepts a form, for the resource of a page.
pub(crate) fn form_route<F, A>(handler: F) -> Route
where
    F: Handler<A, Output = PageResult>,
    A: FromRequest + 'static,
{
    web::post().to(with_error_page(handler))
}

/// Returns a handler that shows an error as a page for the user of the request.
fn with_error_page<F, A>(handler: F) -> impl Handler<(HttpRequest, A), Output = HttpResponse>
where
    F: Handler<A, Output = PageResult>,
    A: FromRequest + 'static,
{
    move |request: HttpRequest, input: A| {
        let answer = handler.call(input);
        async move { answer.await.unwrap_or_else(|error| error.answer(&request)) }
    }
}

/// Returns the id in the path of a request; `noun` is what it identifies.
///
/// # Errors
/// Returns a 404 if it is not a number.
pub(crate) fn path_id<T: FromStr>(request: &HttpRequest, noun: &str) -> Result<T, PageError> {
    path_id_named(request, "id", noun)
}

/// As [`path_id`], for the parameter `name` of the path.
///
/// # Errors
/// Returns a 404 if it is not a number.
pub(crate) fn path_id_named<T: FromStr>(
    request: &HttpRequest,
    name: &str,
    noun: &str,
) -> Result<T, PageError> {
    let text = request.match_info().get(name).unwrap_or_default();
    let shown = if hidden::has_secret(text) { hidden::HIDDEN } else { text };
    let why = || format!("{noun} {shown} does not exist: a {noun} id is a number");
    text.parse().map_err(|_not_a_number| PageError::not_found(why()))
}
