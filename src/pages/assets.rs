//! The stylesheet, the script and the icon. They are compiled into the program.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, Resource};
use sha2::{Digest, Sha256};

use crate::pages::response::{PageResult, add_security_headers, page_resource};

/// The stylesheet that all pages share.
const STYLE: &str = concat!(
    include_str!("assets/base.css"),
    include_str!("assets/parts.css"),
    include_str!("assets/charts.css"),
    include_str!("assets/demo.css"),
);

/// The script that all pages share.
const SCRIPT: &str = concat!(
    include_str!("assets/live.js"),
    include_str!("assets/forms.js"),
    include_str!("assets/charts.js"),
    include_str!("assets/demo.js"),
);

/// The icon that a browser shows next to the title.
const ICON: &str = include_str!("assets/icon.svg");

/// A hash of the assets. Pages put it into the addresses of their assets, so that a browser never
/// combines a page with a cached asset of another release.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest =
        Sha256::new().chain_update(STYLE).chain_update(SCRIPT).chain_update(ICON).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

/// Returns the hash of the assets.
pub(super) fn version() -> &'static str {
    &VERSION
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_assets_stay_small() {
        assert!(STYLE.len() < 24 << 10, "the stylesheet has {} bytes", STYLE.len());
        assert!(SCRIPT.len() < 32 << 10, "the script has {} bytes", SCRIPT.len());
    }
}
