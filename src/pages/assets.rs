//! The addresses of the stylesheet, the script and the icon.

pub(super) mod bundle;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, Resource};

use crate::pages::response::PageResult;
use crate::pages::response::render::add_security_headers;
use crate::pages::response::resource::page_resource;
use bundle::{ICON, SCRIPT, STYLE, version};

pub(super) fn style() -> Resource {
    page_resource("/assets/style.css", get_style)
}

pub(super) fn script() -> Resource {
    page_resource("/assets/script.js", get_script)
}

pub(super) fn icon() -> Resource {
    page_resource("/assets/icon.svg", get_icon)
}

async fn get_icon(request: HttpRequest) -> PageResult {
    Ok(respond(&request, "image/svg+xml", ICON))
}

async fn get_style(request: HttpRequest) -> PageResult {
    Ok(respond(&request, "text/css; charset=utf-8", STYLE))
}

async fn get_script(request: HttpRequest) -> PageResult {
    Ok(respond(&request, "text/javascript; charset=utf-8", SCRIPT))
}

/// Returns an asset. Under an address with the current version it is immutable; under an address
/// without a version, browsers must revalidate it.
fn respond(request: &HttpRequest, media_type: &'static str, text: &'static str) -> HttpResponse {
    let tag = format!("\"{}\"", version());
    let is_versioned = request.query_string() == format!("v={}", version());
    let caching = if is_versioned { "public, max-age=31536000, immutable" } else { "no-cache" };
    let cached = request.headers().get(IF_NONE_MATCH).map(|value| value.as_bytes());
    let is_cached = cached == Some(tag.as_bytes());
    let mut response = if is_cached { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    add_security_headers(&mut response)
        .insert_header((ETAG, tag))
        .insert_header((CACHE_CONTROL, caching));
    if is_cached {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, media_type)).body(text)
}
