//! Forms that come in: from a page of this server, held to a size and a time.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, ORIGIN};
use actix_web::web::Payload;
use actix_web::{HttpMessage, HttpRequest};

use crate::pages::fields::Fields;
use crate::pages::trouble::Trouble;
use crate::server::Handle;

/// How long a browser may take for a form.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);

/// How much longer a text may be in a form: three letters for each byte.
const GROWTH: usize = 3;

/// What the fields beside a payload may take, in bytes.
const ROOM_FOR_FIELDS: usize = 64 << 10;

const TOO_LARGE: (StatusCode, &str) = (StatusCode::PAYLOAD_TOO_LARGE, "That is too large");

/// Reads a form.
///
/// Browsers send `Origin` with every form; a form without one, or of another site, is refused.
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
) -> Result<Fields, Trouble> {
    if !is_own(request) {
        let why = "a form has to come from a page of this server";
        return Err(Trouble::new(StatusCode::FORBIDDEN, "Refused", why));
    }
    if request.content_type() != "application/x-www-form-urlencoded" {
        let why = "a form comes as application/x-www-form-urlencoded";
        return Err(Trouble::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Refused", why));
    }
    let most = handle.config().limits.max_payload_bytes * GROWTH + ROOM_FOR_FIELDS;
    // What many forms weigh together is bounded, from before they are read.
    let _permit = handle.weigh(most.min(told_length(request).unwrap_or(most)))?;
    let slow = |_| Trouble::new(StatusCode::REQUEST_TIMEOUT, "Too slow", "the form took too long");
    let read = tokio::time::timeout(FORM_TIMEOUT, payload.to_bytes_limited(most));
    let Ok(read) = read.await.map_err(slow)? else {
        let (status, title) = TOO_LARGE;
        return Err(Trouble::new(status, title, format!("a form has at most {most} bytes")));
    };
    let bytes = read.map_err(Trouble::bad)?;
    Fields::parse(std::str::from_utf8(&bytes).map_err(Trouble::bad)?)
}

fn told_length(request: &HttpRequest) -> Option<usize> {
    request.headers().get("content-length")?.to_str().ok()?.trim().parse().ok()
}

/// Whether the form stands on a page of this server.
fn is_own(request: &HttpRequest) -> bool {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let origin = header(ORIGIN).and_then(|origin| origin.split_once("://"));
    origin.is_some_and(|(_, host)| Some(host) == header(HOST))
}
