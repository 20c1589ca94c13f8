//! Responses of other servers, read up to a maximum size.

use std::time::Duration;

use awc::ClientResponse;
use awc::error::PayloadError;
use awc::http::StatusCode;
use awc::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use futures_util::StreamExt;

use crate::executor::encoded::Body;
use crate::executor::outbound::content_coding::{Codings, DecodeError};
use crate::executor::secrets::Secrets;

/// A response whose body was read to its end or to the maximum size.
pub(in crate::executor) struct Response {
    /// Status of the response.
    pub(in crate::executor) status: StatusCode,
    /// Headers of the response.
    pub(in crate::executor) headers: HeaderMap,
    /// Decoded body of the response, or its beginning if it was too long.
    pub(in crate::executor) body: Body,
    /// Whether the body was decoded. If not, [`DecodeError`] says what the body is instead.
    pub(in crate::executor) decoded: Result<(), DecodeError>,
    /// Secrets of the request, which the response may repeat.
    pub(in crate::executor) secrets: Secrets,
}

impl Response {
    /// Reads and decodes the body of a response, of which at most `max_bytes` are kept. If it is
    /// longer, the connection is closed instead of reused. After `timeout` the body ends where it is.
    ///
    /// The second value is [`PayloadError`] if the connection failed or closed before the end of the
    /// body, of which the response then holds the beginning.
    pub(super) async fn read(
        response: ClientResponse,
        secrets: Secrets,
        max_bytes: usize,
        timeout: Option<Duration>,
    ) -> (Self, Result<(), PayloadError>) {
        let (status, headers) = (response.status(), response.headers().clone());
        let codings = Codings::of(&headers);
        let max_received_bytes = match &codings {
            Ok(codings) => codings.max_received_bytes(max_bytes),
            Err(_) => max_bytes,
        };
        let mut received = Body::default();
        let reading = read_body(response, max_received_bytes, &mut received);
        let result = match timeout {
            Some(timeout) => tokio::time::timeout(timeout, reading).await.unwrap_or(Ok(())),
            None => reading.await,
        };
        let (body, decoded) = match codings {
            Ok(codings) => codings.decode(received, max_bytes).await,
            Err(error) => (received, Err(error)),
        };
        (Self { status, headers, body, decoded, secrets }, result)
    }

    /// Returns whether the status or the headers say where the body ends. If not, a connection that broke off
    /// looks like the end of the body.
    pub(in crate::executor) fn is_framed(&self) -> bool {
        self.status == StatusCode::NO_CONTENT
            || self.headers.contains_key(CONTENT_LENGTH)
            || self.headers.contains_key(TRANSFER_ENCODING)
    }
}

/// Reads at most `max_bytes` of a body into `body`, which also holds what was read before an error.
async fn read_body(
    mut response: ClientResponse,
    max_bytes: usize,
    body: &mut Body,
) -> Result<(), PayloadError> {
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // These responses have no body (RFC 9112, section 6.3). awc would wait for one if they have
        // a `content-length`.
        return Ok(());
    }
    while let Some(chunk) = response.next().await {
        body.add(&chunk?, max_bytes);
        if body.is_truncated {
            break;
        }
    }
    Ok(())
}
