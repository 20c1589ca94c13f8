//! Reads request bodies within a size, a time and a media type, and parses them as JSON.

use std::ops::Deref;
use std::rc::Rc;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpMessage, HttpRequest};
use futures_util::StreamExt;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::OwnedSemaphorePermit;

use crate::api::problem::ProblemType;
use crate::http::connection::{BODY_SECS, Progress};
use crate::http::problem::Rejection;
use crate::job::problem::encoding::text_start;
use crate::job::problem::{Problem, parse_json};
use crate::server::Handle;

/// Maximum time in which a client must send the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(BODY_SECS as u64);

/// The format of a body, given by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum BodyFormat {
    Json,
    /// One JSON value per line (NDJSON).
    Lines,
}

/// Bodies longer than this take a permit for their size before they are read.
const LIGHT_BYTES: usize = 64 << 10;

/// A complete body.
pub(in crate::http) struct Body {
    bytes: Bytes,
    /// Permit that bounds the total size of large bodies, held from before the body is read.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a complete body. If `Content-Length` is over the limit, nothing is read.
pub(in crate::http) async fn read(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
) -> Result<Body, Rejection> {
    let max_bytes = handle.config().limits.max_body_bytes;
    let too_large = || {
        let detail = format!("the body is larger than {max_bytes} bytes");
        Rejection::new(ProblemType::TooLarge, detail)
    };
    if content_length(request).is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large());
    }
    // A body without a length may be as long as the limit.
    let length = content_length(request).map_or(max_bytes, |length| length as usize);
    let permit =
        if length > LIGHT_BYTES { Some(handle.acquire_size_permit(length)?) } else { None };
    match tokio::time::timeout(BODY_TIMEOUT, collect(payload, max_bytes)).await {
        Ok(Ok(Some(bytes))) => {
            if let Some(progress) = request.conn_data::<Rc<Progress>>() {
                progress.body_complete();
            }
            Ok(Body { bytes: text(bytes)?, _permit: permit })
        }
        Ok(Err(error)) => Err(Rejection::new(ProblemType::BadBody, error)),
        Ok(Ok(None)) => Err(too_large()),
        Err(_) => {
            let detail = format!("the body did not arrive within {} s", BODY_TIMEOUT.as_secs());
            Err(Rejection::new(ProblemType::TooSlow, detail))
        }
    }
}

/// Returns the text of a body without its byte order mark. Every body is JSON, so it must be UTF-8.
fn text(mut body: Bytes) -> Result<Bytes, Rejection> {
    match text_start(&body) {
        Ok(start) => Ok(body.split_off(start)),
        Err(error) => {
            let problem = Problem::new("", format!("the body {error}"));
            Err(Rejection::invalid(StatusCode::BAD_REQUEST, vec![problem]))
        }
    }
}

/// Collects a body; `None` if it is larger than `max_bytes`.
///
/// A body that arrives in one piece is not copied: allocating a buffer for each small body would cost
/// more than everything else that is done with it.
async fn collect(mut payload: Payload, max_bytes: usize) -> Result<Option<Bytes>, PayloadError> {
    let Some(first) = payload.next().await.transpose()? else { return Ok(Some(Bytes::new())) };
    if first.len() > max_bytes {
        return Ok(None);
    }
    let Some(second) = payload.next().await.transpose()? else { return Ok(Some(first)) };
    let mut whole = BytesMut::from(first);
    let mut next = Some(second);
    while let Some(piece) = next {
        if whole.len() + piece.len() > max_bytes {
            return Ok(None);
        }
        whole.extend_from_slice(&piece);
        next = payload.next().await.transpose()?;
    }
    Ok(Some(whole.freeze()))
}

/// Returns the value of `Content-Length`, if the request has one.
fn content_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Returns the format of the body, by its media type.
pub(in crate::http) fn format(request: &HttpRequest) -> Result<BodyFormat, Rejection> {
    let unsupported = |detail: String| Rejection::new(ProblemType::MediaType, detail);
    let encoding = request.headers().get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(unsupported(
            "compressed bodies are not supported; send the body without Content-Encoding".into(),
        ));
    }
    match request.content_type() {
        "application/json" => Ok(BodyFormat::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            Ok(BodyFormat::Lines)
        }
        other => {
            let has_one = request.headers().contains_key(CONTENT_TYPE);
            let given = if has_one { other } else { "none" };
            Err(unsupported(format!("the Content-Type is {given}; it must be application/json")))
        }
    }
}

/// Refuses a body that is not a single JSON value.
pub(in crate::http) fn require_json(request: &HttpRequest) -> Result<(), Rejection> {
    match format(request)? {
        BodyFormat::Json => Ok(()),
        BodyFormat::Lines => {
            let detail = "this route takes application/json, not one JSON value per line";
            Err(Rejection::new(ProblemType::MediaType, detail))
        }
    }
}

/// Reads and parses a JSON body. The body and its permit are released once it is parsed.
pub(in crate::http) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
) -> Result<T, Rejection> {
    require_json(request)?;
    parse(&read(request, payload, handle).await?)
}

/// Parses a JSON body.
///
/// # Errors
/// A body that is not JSON is answered with 400, and JSON of the wrong shape with 422.
pub(in crate::http) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    parse_json(body).map_err(|problem| Rejection::invalid(status_of(body), vec![problem]))
}

pub(in crate::http) fn status_of(body: &[u8]) -> StatusCode {
    // Parse as text, because skipping a string in bytes would not check that it is UTF-8.
    let text = std::str::from_utf8(body).ok();
    match text.map(serde_json::from_str::<IgnoredAny>) {
        Some(Ok(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    }
}
