//! Responses of pages and forms.

pub(super) mod error_page;
pub(super) mod render;
pub(super) mod resource;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use askama::Template;

use error_page::PageError;
use render::render_with_status;

/// The response of a page or a form, or an error page.
pub(super) type PageResult = Result<HttpResponse, PageError>;

/// Renders a page with status 200.
pub(super) fn render(template: &impl Template) -> PageResult {
    Ok(render_with_status(StatusCode::OK, template))
}

/// Redirects the browser to a page after a form was processed (303 See Other).
pub(super) fn redirect_to(path: impl AsRef<str>) -> PageResult {
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, path.as_ref()))
        .insert_header((CACHE_CONTROL, "no-store"))
        .finish())
}
