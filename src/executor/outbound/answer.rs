//! What another server answered, held to a bound.

use awc::ClientResponse;
use awc::error::PayloadError;
use awc::http::header::{CONNECTION, CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use awc::http::{StatusCode, Version};
use futures_util::StreamExt;

use crate::executor::encoded::Body;
use crate::executor::outbound::stream::drops_connection;

/// A 2xx answer.
pub(in crate::executor) struct Answer {
    /// Its status.
    pub(in crate::executor) status: StatusCode,
    /// Its headers.
    pub(in crate::executor) headers: HeaderMap,
    /// Its body, or the beginning of it.
    pub(in crate::executor) body: Body,
}

/// Why a body cannot be had.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// The connection failed.
    #[error(transparent)]
    Payload(#[from] PayloadError),
    /// The connection was closed early.
    #[error("{read} of {length} bytes came")]
    Short { read: usize, length: usize },
    /// The connection was closed early, too.
    #[error("its last chunk did not come")]
    Unfinished,
}

/// Reads at most `max_bytes` of a body. If there is more, the connection is closed, not used again.
pub(super) async fn read(
    mut response: ClientResponse,
    max_bytes: usize,
    may_have_body: bool,
) -> Result<Body, Broken> {
    let length = length(&response).filter(|_| may_have_body);
    let is_chunked = response.headers().contains_key(TRANSFER_ENCODING);
    let is_unread = may_have_body && is_unread(&response);
    let mut body = Body::default();
    while let Some(chunk) = response.next().await {
        body.add(&chunk?, max_bytes);
        if body.is_cut {
            return Ok(body);
        }
    }
    // awc takes the end of the connection for the end of the body.
    let has_broken_off = drops_connection(response);
    match length {
        Some(length) if body.bytes.len() < length => {
            Err(Broken::Short { read: body.bytes.len(), length })
        }
        _ if is_chunked && has_broken_off => Err(Broken::Unfinished),
        _ => Ok(Body { is_cut: is_unread, ..body }),
    }
}

/// The length that the answer promises; a chunked one promises none.
fn length(response: &ClientResponse) -> Option<usize> {
    if response.headers().contains_key(TRANSFER_ENCODING) {
        return None;
    }
    response.headers().get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Whether the answer may have a body that awc does not read: over HTTP/1.1 it takes an answer
/// without a length for one without a body, whereas the body ends with the connection (RFC 9112,
/// section 6.3).
fn is_unread(response: &ClientResponse) -> bool {
    let headers = response.headers();
    let closes = headers.get(CONNECTION).and_then(|value| value.to_str().ok());
    response.version() == Version::HTTP_11
        && !matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::RESET_CONTENT)
        && !headers.contains_key(CONTENT_LENGTH)
        && !headers.contains_key(TRANSFER_ENCODING)
        && closes.is_some_and(|value| value.eq_ignore_ascii_case("close"))
}
