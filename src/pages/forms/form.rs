//! Reading submitted forms: only from pages of this server, within limits of size and time.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::Payload;
use actix_web::{HttpMessage, HttpRequest};

use crate::auth::sender::Sender;
use crate::pages::forms::fields::Fields;
use crate::pages::forms::origin::sender_of;
use crate::pages::response::error_page::PageError;
use crate::server::body::{self, BodyBounds, BodyError, ReceivedBody};
use crate::server::{ByteShare, Handle};

/// Maximum time that a browser may take to send a form.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);

/// Growth of a payload by form encoding: most bytes become at worst three, such as `%7B`, and a line
/// break becomes the six of `%0D%0A`.
const ENCODING_FACTOR: usize = 6;

/// Maximum size of all other fields of a form, in bytes.
const OTHER_FIELDS_BYTES: usize = 64 << 10;

/// Reads the fields of a form, with line breaks as LF.
///
/// As a protection against cross-site request forgery, `Sec-Fetch-Site` or `Origin` must say that a page of this
/// server has sent it, also if no key is needed: see [`Sender`]. Browsers send one of them with every form.
pub(crate) async fn read(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
) -> Result<Fields, PageError> {
    let max_bytes = handle.config().limits.max_payload_bytes * ENCODING_FACTOR + OTHER_FIELDS_BYTES;
    read_small(request, payload, handle, max_bytes).await
}

/// Reads the fields of a form of at most `max_bytes`, as [`read`] does.
pub(crate) async fn read_small(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
    max_bytes: usize,
) -> Result<Fields, PageError> {
    if sender_of(request, handle) != Sender::OwnPage {
        let why = "forms are accepted only from pages of this server, and neither Sec-Fetch-Site nor \
            Origin says that this one is; a proxy that ends TLS must be listed in trusted_proxies";
        return Err(PageError::new(StatusCode::FORBIDDEN, "Form refused", why));
    }
    if request.content_type() != "application/x-www-form-urlencoded" {
        let why = "the content type of a form must be application/x-www-form-urlencoded";
        return Err(PageError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "Form refused", why));
    }
    let share = ByteShare::Submissions;
    let bounds = BodyBounds { max_bytes, timeout: FORM_TIMEOUT, share };
    let body = body::receive(handle, payload, bounds).await.map_err(|error| match error {
        BodyError::TooLarge => {
            let why = format!("a form must be at most {max_bytes} bytes");
            PageError::new(StatusCode::PAYLOAD_TOO_LARGE, "Form too large", why)
        }
        BodyError::TooSlow(why) => {
            PageError::new(StatusCode::REQUEST_TIMEOUT, "Request timed out", why)
        }
        BodyError::Overloaded(error) => error.into(),
        BodyError::Broken(error) => PageError::bad_request(error),
    })?;
    let length = body.bytes.len();
    let parse = move || {
        let ReceivedBody { bytes, permit: _permit } = body;
        let fields = Fields::parse(std::str::from_utf8(&bytes).map_err(PageError::bad_request)?)?;
        Ok(fields.with_plain_line_breaks())
    };
    handle.compute(share, length, parse).await?
}
