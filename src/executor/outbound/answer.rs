//! What another server answered, held to a bound.

use awc::ClientResponse;
use awc::error::PayloadError;
use awc::http::StatusCode;
use awc::http::header::HeaderMap;
use futures_util::StreamExt;

use crate::executor::encoded::Body;

/// A 2xx answer.
pub(in crate::executor) struct Answer {
    /// Its status.
    pub(in crate::executor) status: StatusCode,
    /// Its headers.
    pub(in crate::executor) headers: HeaderMap,
    /// Its body, or the beginning of it.
    pub(in crate::executor) body: Body,
}

/// Reads at most `max_bytes` of a body. If there is more, the connection is closed, not used again.
///
/// # Errors
/// The body broke off.
pub(super) async fn read(
    mut response: ClientResponse,
    max_bytes: usize,
) -> Result<Body, PayloadError> {
    let mut body = Body::default();
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // They have none, though awc would wait for one where they tell a length.
        return Ok(body);
    }
    while let Some(chunk) = response.next().await {
        body.add(&chunk?, max_bytes);
        if body.is_cut {
            break;
        }
    }
    Ok(body)
}
