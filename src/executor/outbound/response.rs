//! Responses of other servers, read up to a maximum size.

use awc::ClientResponse;
use awc::error::PayloadError;
use awc::http::StatusCode;
use awc::http::header::HeaderMap;
use futures_util::StreamExt;

use crate::executor::encoded::Body;

/// A 2xx response.
pub(in crate::executor) struct Response {
    /// Status of the response.
    pub(in crate::executor) status: StatusCode,
    /// Headers of the response.
    pub(in crate::executor) headers: HeaderMap,
    /// Body of the response, or its beginning if it was too long.
    pub(in crate::executor) body: Body,
}

/// Reads at most `max_bytes` of a body. If the body is longer, the connection is closed instead of
/// reused.
///
/// # Errors
/// Returns [`PayloadError`] if the connection fails or closes before the end of the body.
pub(super) async fn read_body(
    mut response: ClientResponse,
    max_bytes: usize,
) -> Result<Body, PayloadError> {
    let mut body = Body::default();
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // These responses have no body (RFC 9112, section 6.3). awc would wait for one if they have
        // a `content-length`.
        return Ok(body);
    }
    while let Some(chunk) = response.next().await {
        body.add(&chunk?, max_bytes);
        if body.is_truncated {
            break;
        }
    }
    Ok(body)
}
