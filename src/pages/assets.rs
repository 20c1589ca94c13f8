//! The stylesheet and the script: parts of the program, each one file for the browser.

use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use actix_web::{HttpRequest, HttpResponse, Resource};
use sha2::{Digest, Sha256};

use crate::pages::answer::{Answered, page, secure};

/// Everything that says how pages look.
const STYLE: &str = concat!(
    include_str!("assets/base.css"),
    include_str!("assets/parts.css"),
    include_str!("assets/charts.css"),
    include_str!("assets/demo.css"),
);

/// Everything that moves on them.
const SCRIPT: &str = concat!(
    include_str!("assets/live.js"),
    include_str!("assets/forms.js"),
    include_str!("assets/charts.js"),
    include_str!("assets/demo.js"),
);

/// What stands beside the title in a browser.
const ICON: &str = include_str!("assets/icon.svg");

/// A word that changes with them: pages name it, so that what a browser has kept fits its page.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let digest =
        Sha256::new().chain_update(STYLE).chain_update(SCRIPT).chain_update(ICON).finalize();
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
});

pub(super) fn version() -> &'static str {
    &VERSION
}

pub(super) fn style() -> Resource {
    page("/assets/style.css", give_style)
}

pub(super) fn script() -> Resource {
    page("/assets/script.js", give_script)
}

pub(super) fn icon() -> Resource {
    page("/assets/icon.svg", give_icon)
}

async fn give_icon(request: HttpRequest) -> Answered {
    Ok(give(&request, "image/svg+xml", ICON))
}

async fn give_style(request: HttpRequest) -> Answered {
    Ok(give(&request, "text/css; charset=utf-8", STYLE))
}

async fn give_script(request: HttpRequest) -> Answered {
    Ok(give(&request, "text/javascript; charset=utf-8", SCRIPT))
}

/// An asset. Under the name that holds its version it never changes; without, it is asked for anew.
fn give(request: &HttpRequest, media_type: &'static str, text: &'static str) -> HttpResponse {
    let tag = format!("\"{}\"", version());
    let is_versioned = request.query_string() == format!("v={}", version());
    let keep = if is_versioned { "public, max-age=31536000, immutable" } else { "no-cache" };
    let known = request.headers().get(IF_NONE_MATCH).map(|value| value.as_bytes());
    let is_known = known == Some(tag.as_bytes());
    let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
    secure(&mut response).insert_header((ETAG, tag)).insert_header((CACHE_CONTROL, keep));
    if is_known {
        return response.finish();
    }
    response.insert_header((CONTENT_TYPE, media_type)).body(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_stay_small() {
        assert!(STYLE.len() < 24 << 10, "{} bytes of style", STYLE.len());
        assert!(SCRIPT.len() < 32 << 10, "{} bytes of script", SCRIPT.len());
    }
}
