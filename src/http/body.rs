//! Request bodies: held to a size, a time and a media type, then read as JSON.

use std::ops::Deref;
use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, BytesMut, Payload};
use actix_web::{HttpMessage, HttpRequest};
use futures_util::StreamExt;
use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::sync::OwnedSemaphorePermit;

use crate::http::problem::Rejection;
use crate::job::problem::parse_json;
use crate::server::Handle;

/// How long a client may take for the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(60);

/// In what form a body comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Json,
    /// A JSON value a line.
    Lines,
}

/// From which length on a body is weighed before it is read.
const LIGHT_BYTES: usize = 64 << 10;

/// A body that was read whole.
pub(super) struct Body {
    bytes: Bytes,
    /// What many large bodies may weigh together is bounded, from before they are read.
    _permit: Option<OwnedSemaphorePermit>,
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a body whole. One whose head says that it is too large is not read at all.
pub(super) async fn read(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
) -> Result<Body, Rejection> {
    let max_bytes = handle.config().limits.max_body_bytes;
    let too_large = || {
        let detail = format!("the body is larger than {max_bytes} bytes");
        Rejection::new(StatusCode::PAYLOAD_TOO_LARGE, "too-large", detail)
    };
    if told_length(request).is_some_and(|length| length > max_bytes as u64) {
        return Err(too_large());
    }
    // One that does not say how long it is may be as long as any.
    let length = told_length(request).map_or(max_bytes, |length| length as usize);
    let permit = if length > LIGHT_BYTES { Some(handle.weigh(length)?) } else { None };
    match tokio::time::timeout(BODY_TIMEOUT, collect(payload, max_bytes)).await {
        Ok(Ok(Some(bytes))) => Ok(Body { bytes, _permit: permit }),
        Ok(Err(error)) => Err(Rejection::new(StatusCode::BAD_REQUEST, "bad-body", error)),
        Ok(Ok(None)) => Err(too_large()),
        Err(_) => {
            let detail = format!("the body took longer than {} s", BODY_TIMEOUT.as_secs());
            Err(Rejection::new(StatusCode::REQUEST_TIMEOUT, "too-slow", detail))
        }
    }
}

/// All of a body; none where it is larger than it may be. What came in one piece stays in place:
/// a buffer for each small body costs more than all else that is done with it.
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

/// How long the body is, if the head tells.
fn told_length(request: &HttpRequest) -> Option<u64> {
    request.headers().get(CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// In what form the body comes, by its media type.
pub(super) fn form(request: &HttpRequest) -> Result<Form, Rejection> {
    let unsupported =
        |detail: String| Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail);
    let encoding = request.headers().get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(unsupported("compressed bodies are not taken".into()));
    }
    match request.content_type() {
        "application/json" => Ok(Form::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => Ok(Form::Lines),
        other => {
            let has_one = request.headers().contains_key(CONTENT_TYPE);
            let given = if has_one { other } else { "none" };
            Err(unsupported(format!("the content-type is {given}; it should be application/json")))
        }
    }
}

/// Requires a JSON body.
pub(super) fn require_json(request: &HttpRequest) -> Result<(), Rejection> {
    match form(request)? {
        Form::Json => Ok(()),
        Form::Lines => {
            let detail = "lines are not taken here; this takes application/json";
            Err(Rejection::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "media-type", detail))
        }
    }
}

/// Reads a body that is JSON and nothing else. Its memory and its weight are free when it is read.
pub(super) async fn json<T: DeserializeOwned>(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
) -> Result<T, Rejection> {
    require_json(request)?;
    parse(&read(request, payload, handle).await?)
}

/// Reads JSON: what is no JSON is 400, what has the wrong shape 422.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Rejection> {
    parse_json(body).map_err(|problem| Rejection::invalid(status_of(body), vec![problem]))
}

pub(super) fn status_of(body: &[u8]) -> StatusCode {
    // As text, for what is passed over in bytes may be no UTF-8.
    let text = std::str::from_utf8(body).ok();
    match text.map(serde_json::from_str::<IgnoredAny>) {
        Some(Ok(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    }
}
