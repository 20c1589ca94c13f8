//! Responses of other servers, read up to a maximum size.

pub(super) mod surplus;

use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use awc::ClientResponse;
use awc::error::PayloadError;
use awc::http::StatusCode;
use awc::http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING};
use futures_util::StreamExt;

use crate::executor::encoded::Body;
use crate::executor::outbound::content_coding::{Codings, DecodeError};
use crate::executor::secrets::Secrets;
use crate::job::outcome::Outcome;

/// Number of pieces of a body that are read before other tasks of the thread may run.
const TURN_PIECES: u32 = 64;

/// A response whose body was read to its end or to the maximum size.
#[derive(Default)]
pub(in crate::executor) struct Response {
    /// Status of the response.
    pub(in crate::executor) status: StatusCode,
    /// Headers of the response.
    pub(in crate::executor) headers: HeaderMap,
    /// Decoded body of the response, or its beginning if it was too long.
    pub(in crate::executor) body: Body,
    /// Reason why the body is not decoded, if it is not. It says what the body is instead.
    pub(in crate::executor) decode_error: Option<DecodeError>,
    /// Secrets of the request, which the response may repeat.
    pub(in crate::executor) secrets: Secrets,
}

impl Response {
    /// Reads and decodes the body of a response, of which at most `limits.max_bytes` are kept. Of a
    /// longer one the end is kept too, if it comes soon; otherwise the connection is closed.
    ///
    /// The second value is [`PayloadError`] if the connection failed or closed before the end of the
    /// body, of which the response then holds the beginning.
    pub(super) async fn read(
        response: ClientResponse,
        secrets: Secrets,
        limits: ReadLimits,
        partial: &PartialResponse,
    ) -> (Self, Result<(), PayloadError>) {
        let codings = Codings::of(response.headers());
        let max_received_bytes = match &codings {
            Ok(codings) => codings.max_received_bytes(limits.max_bytes),
            Err(_) => limits.max_bytes,
        };
        // More of a compressed body cannot be decoded without what was dropped.
        let has_surplus = codings.as_ref().map_or(true, Codings::are_none);
        let deadline = has_surplus.then_some(limits.deadline);
        partial.start(&response, secrets);
        let reading = read_body(response, max_received_bytes, deadline, partial);
        let result = match limits.timeout {
            Some(timeout) => tokio::time::timeout(timeout, reading).await.unwrap_or_else(|_| {
                partial.mark_unfinished();
                Ok(())
            }),
            None => reading.await,
        };
        let mut response = partial.take();
        let received = std::mem::take(&mut response.body);
        (response.body, response.decode_error) = match codings {
            Ok(codings) => codings.decode(received, limits.max_bytes).await,
            Err(error) => (received, Some(error)),
        };
        (response, result)
    }

    /// Returns whether the status or the headers say where the body ends. If not, a connection that
    /// broke off looks like the end of the body.
    pub(in crate::executor) fn is_framed(&self) -> bool {
        self.status == StatusCode::NO_CONTENT
            || self.headers.contains_key(CONTENT_LENGTH)
            || self.headers.contains_key(TRANSFER_ENCODING)
    }
}

/// How much of a response body is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReadLimits {
    /// Maximum number of bytes that are kept, beside the end of a longer body.
    pub(super) max_bytes: usize,
    /// Time after which the body ends where it is.
    pub(super) timeout: Option<Duration>,
    /// End of the attempt, before which reading the end of a body that is too long must stop.
    pub(super) deadline: Instant,
}

/// The response of a call as far as it has arrived. It outlives the call, so that it is known what had
/// arrived when an attempt was stopped.
#[derive(Default)]
pub(in crate::executor) struct PartialResponse {
    response: RefCell<Response>,
    /// Whether the head has arrived and the body has not ended.
    is_arriving: Cell<bool>,
}

impl PartialResponse {
    /// Adds what has arrived to the outcome of an attempt that was stopped in the middle of a response.
    pub(in crate::executor) fn explain(&self, outcome: Outcome) -> Outcome {
        if self.is_arriving.get() {
            outcome.with_detail(self.response.borrow().detail())
        } else {
            outcome
        }
    }

    fn start(&self, response: &ClientResponse, secrets: Secrets) {
        let (status, headers) = (response.status(), response.headers().clone());
        self.response.replace(Response { status, headers, secrets, ..Response::default() });
        self.is_arriving.set(true);
    }

    /// Adds the next bytes of the body. Returns whether the body may have more.
    fn add(&self, chunk: &[u8], max_bytes: usize) -> bool {
        let body = &mut self.response.borrow_mut().body;
        body.add(chunk, max_bytes);
        !body.is_truncated
    }

    /// Records that the body has more bytes, which are not read.
    fn mark_unfinished(&self) {
        self.response.borrow_mut().body.excerpt.mark_unfinished();
    }

    /// Takes the response after its body has ended.
    fn take(&self) -> Response {
        self.is_arriving.set(false);
        self.response.take()
    }
}

/// Reads at most `max_bytes` of a body into `partial`. Reads on to find the end of a longer body if the
/// attempt's `deadline` is given.
async fn read_body(
    mut response: ClientResponse,
    max_bytes: usize,
    deadline: Option<Instant>,
    partial: &PartialResponse,
) -> Result<(), PayloadError> {
    if matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        // These responses have no body (RFC 9112, section 6.3). awc would wait for one if they have
        // a `content-length`.
        return Ok(());
    }
    let mut turn_pieces = 0;
    while let Some(chunk) = response.next().await {
        if !partial.add(&chunk?, max_bytes) {
            let is_complete = match deadline {
                Some(deadline) => {
                    let add = |chunk: &[u8]| {
                        partial.add(chunk, max_bytes);
                    };
                    surplus::read(&mut response, deadline, add).await
                }
                None => false,
            };
            if !is_complete {
                partial.mark_unfinished();
            }
            break;
        }
        turn_pieces += 1;
        if turn_pieces == TURN_PIECES {
            turn_pieces = 0;
            tokio::task::yield_now().await;
        }
    }
    Ok(())
}
