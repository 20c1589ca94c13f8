//! Reads request bodies within a size, a time and a media type, and parses them as JSON.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING};
use actix_web::web::{Bytes, Payload};
use actix_web::{HttpMessage, HttpRequest};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::api::problem::ProblemType;
use crate::http::connection::BODY_SECS;
use crate::http::problem::Rejection;
use crate::job::problem::encoding::text_start;
use crate::job::problem::{Problem, Short, parse_json};
use crate::server::body::{self, BodyBounds, BodyError, ReceivedBody};
use crate::server::{ByteShare, Handle, SizePermit};

/// Maximum time in which a client must send the body of a request.
const BODY_TIMEOUT: Duration = Duration::from_secs(BODY_SECS as u64);

/// The format of a body, given by its media type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum BodyFormat {
    Json,
    /// One JSON value per line (NDJSON).
    Lines,
}

/// Maximum size of a body that changes a setting or lists ids and names, in bytes. Its lists are kept
/// in memory as a whole before they are checked.
const SMALL_BODY_BYTES: usize = 1 << 20;

/// A complete body.
pub(in crate::http) struct Body {
    bytes: Bytes,
    /// Permit that bounds the total size of large bodies.
    permit: SizePermit,
}

impl Body {
    /// Returns the number of bytes.
    pub(in crate::http) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether the body starts as a JSON array.
    pub(in crate::http) fn is_array(&self) -> bool {
        self.bytes.trim_ascii_start().first() == Some(&b'[')
    }

    /// Runs `work` on the bytes: at once if they are few, else on a thread for blocking work. The body
    /// and its permit are released at the end.
    pub(in crate::http) async fn process<T: Send + 'static>(
        self,
        handle: &Handle,
        work: impl FnOnce(&[u8]) -> Result<T, Rejection> + Send + 'static,
    ) -> Result<T, Rejection> {
        let (share, bytes) = (self.permit.share(), self.bytes.len());
        // The work owns the whole body, so that its permit is released at the end.
        let work = move || {
            let Self { bytes, permit: _permit } = self;
            work(&bytes)
        };
        handle.compute(share, bytes, work).await?
    }
}

/// Reads a complete body of submissions or reports.
pub(in crate::http) async fn read(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
    share: ByteShare,
) -> Result<Body, Rejection> {
    let max_bytes = handle.config().limits.max_body_bytes;
    read_bounded(request, payload, handle, BodyBounds { max_bytes, timeout: BODY_TIMEOUT, share })
        .await
}

/// Reads a complete body. If `Content-Length` is over the limit, nothing is read.
async fn read_bounded(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
    bounds: BodyBounds,
) -> Result<Body, Rejection> {
    let too_large = || {
        let detail = format!("the body is larger than {} bytes", bounds.max_bytes);
        Rejection::new(ProblemType::TooLarge, detail)
    };
    if content_length(request).is_some_and(|length| length > bounds.max_bytes as u64) {
        return Err(too_large());
    }
    match body::receive(handle, payload, bounds).await {
        Ok(ReceivedBody { bytes, permit }) => Ok(Body { bytes: text(bytes)?, permit }),
        Err(BodyError::TooLarge) => Err(too_large()),
        Err(BodyError::TooSlow(why)) => Err(Rejection::new(ProblemType::TooSlow, why)),
        Err(BodyError::Overloaded(error)) => Err(error.into()),
        Err(BodyError::Broken(error)) => Err(Rejection::new(ProblemType::BadBody, error)),
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
    // Most requests have exactly this value.
    if request.headers().get(CONTENT_TYPE).is_some_and(|value| value == "application/json") {
        return Ok(BodyFormat::Json);
    }
    match request.content_type() {
        "application/json" => Ok(BodyFormat::Json),
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" => {
            Ok(BodyFormat::Lines)
        }
        other => {
            let has_one = request.headers().contains_key(CONTENT_TYPE);
            let given = Short::<_, 64>(if has_one { other } else { "none" });
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

/// Reads and parses a JSON body of at most 1 MiB.
pub(in crate::http) async fn json<T: DeserializeOwned + Send + 'static>(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
) -> Result<T, Rejection> {
    require_json(request)?;
    let max_bytes = handle.config().limits.max_body_bytes.min(SMALL_BODY_BYTES);
    let bounds = BodyBounds { max_bytes, timeout: BODY_TIMEOUT, share: ByteShare::Actions };
    let body = read_bounded(request, payload, handle, bounds).await?;
    body.process(handle, |body| parse(body)).await
}

/// Reads and parses a JSON body as [`json`] does. A request without a body has the default value.
pub(in crate::http) async fn json_or_none<T: DeserializeOwned + Default + Send + 'static>(
    request: &HttpRequest,
    payload: Payload,
    handle: &Handle,
) -> Result<T, Rejection> {
    let is_chunked = request.headers().contains_key(TRANSFER_ENCODING);
    if !is_chunked && content_length(request).unwrap_or(0) == 0 {
        return Ok(T::default());
    }
    json(request, payload, handle).await
}

/// Parses a JSON body.
///
/// # Errors
/// A body that is not JSON is answered with 400, and JSON of the wrong shape with 422.
pub(in crate::http) fn parse<'de, T: Deserialize<'de>>(body: &'de [u8]) -> Result<T, Rejection> {
    parse_json(body).map_err(|problem| Rejection::invalid(status_of(body), vec![problem]))
}

/// Returns the status of a body that could not be parsed: 422 if it is JSON, else 400.
pub(in crate::http) fn status_of(body: &[u8]) -> StatusCode {
    // Parse as text, because skipping a string in bytes would not check that it is UTF-8.
    let text = std::str::from_utf8(body).ok();
    match text.map(serde_json::from_str::<IgnoredAny>) {
        Some(Ok(_)) => StatusCode::UNPROCESSABLE_ENTITY,
        _ => StatusCode::BAD_REQUEST,
    }
}
