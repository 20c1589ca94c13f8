//! The HTTP handlers of the model server.

use std::io::{self, Write};
use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, ContentType, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};

use super::Options;
use super::completion::{Request, error_body};
use super::fault::Fault;
use super::script::{KeyCounters, Script};
use super::stats::{Call, CallCounter, CallEnd};
use crate::clock::Clock;
use crate::job::problem::encoding::text_start;
use crate::job::problem::parse_json;

/// Request header that requests a fault.
const FAULT_HEADER: &str = "x-mock-fault";
/// Default value of `Retry-After` on a 429 or 503, in seconds.
const RETRY_AFTER_SECS: &str = "1";
/// Time that the body of a slow response takes, as a multiple of the delay.
const SLOW_DELAYS: u32 = 10;
/// Number of parts in which the body of a slow response is sent.
const SLOW_PARTS: usize = 20;
/// Pause before the connection of a cut response is closed, so that the first half is sent.
const CUT_PAUSE: Duration = Duration::from_millis(10);

/// The state that all connections share.
#[derive(Debug)]
pub(super) struct MockState {
    pub(super) options: Options,
    pub(super) counter: CallCounter,
    pub(super) keys: KeyCounters,
    pub(super) clock: Clock,
}

/// Adds the routes of the server.
pub(super) fn configure(services: &mut web::ServiceConfig) {
    services
        .route("/v1/chat/completions", web::post().to(complete))
        .route("/v1/models", web::get().to(models))
        .route("/stats", web::get().to(stats))
        .route("/stats/reset", web::post().to(reset));
}

async fn models(state: web::Data<MockState>) -> HttpResponse {
    let created = state.clock.now().millis() / 1_000;
    let mock =
        json!({"id": "mock", "object": "model", "created": created, "owned_by": "longshore"});
    HttpResponse::Ok().json(json!({"object": "list", "data": [mock]}))
}

async fn stats(state: web::Data<MockState>) -> HttpResponse {
    HttpResponse::Ok().json(state.counter.snapshot())
}

async fn reset(state: web::Data<MockState>) -> HttpResponse {
    state.counter.reset();
    state.keys.clear();
    HttpResponse::NoContent().finish()
}

async fn complete(head: HttpRequest, body: Bytes, state: web::Data<MockState>) -> HttpResponse {
    let call = state.counter.start_call();
    let text = text_start(&body).map_or(&body[..], |start| &body[start..]);
    let request: Request = match parse_json(text) {
        Ok(request) => request,
        Err(problem) => return bad_request(call, &problem.to_string()),
    };
    if request.stream == Some(true) {
        return bad_request(call, "this model does not stream; omit `stream`");
    }
    let script = request.mock.clone().unwrap_or_default();
    match choose_fault(&head, &request, &script, &state, call.number()) {
        Ok(fault) => answer(&request, &script, fault, &state, call).await,
        Err(why) => bad_request(call, &why),
    }
}

/// Returns the fault of a call. The header takes precedence, then the script in the body, then the
/// rules of the server.
fn choose_fault(
    head: &HttpRequest,
    request: &Request,
    script: &Script,
    state: &MockState,
    number: u64,
) -> Result<Option<Fault>, String> {
    if let Some(word) = head.headers().get(FAULT_HEADER) {
        let fault = word.to_str().unwrap_or_default().parse::<Fault>();
        return fault.map(Some).map_err(|error| format!("{FAULT_HEADER}: {error}"));
    }
    if let Some(fault) = script.fault(&request.question(), &state.keys)? {
        return Ok(Some(fault));
    }
    let rule = state.options.faults.iter().find(|rule| rule.affects(number));
    Ok(rule.map(|rule| rule.fault))
}

/// Sends the response to a valid call, with its fault if it has one.
async fn answer(
    request: &Request,
    script: &Script,
    fault: Option<Fault>,
    state: &MockState,
    call: Call,
) -> HttpResponse {
    match fault {
        Some(Fault::Status(status)) => return refuse(call, status, script),
        Some(Fault::Quota) => return refuse_without_quota(call),
        _ => {}
    }
    let delay = script.delay.map_or(state.options.delay, |delay| delay.duration());
    if !delay.is_zero() {
        actix_web::rt::time::sleep(delay).await;
    }
    let created = state.clock.now().millis() / 1_000;
    let completion = request.completion(call.number(), created);
    match fault {
        Some(Fault::Hangup) => hang_up(call, None),
        Some(Fault::Cut) => hang_up(call, Some(completion.to_string())),
        Some(Fault::Slow) => send_slowly(call, completion.to_string(), delay),
        Some(Fault::Garbage) => json_text(call, "<html>this is not JSON"),
        Some(Fault::Error) => json_text(call, reported_error().to_string()),
        Some(Fault::Empty) => json_text(call, without_choices(completion).to_string()),
        Some(Fault::Gzip) => compressed(call, &completion.to_string()),
        Some(Fault::Status(_) | Fault::Quota) | None => json_text(call, completion.to_string()),
    }
}

fn json_text(call: Call, body: impl Into<Bytes>) -> HttpResponse {
    // The end is counted before the response is sent. Otherwise the client's next call could start
    // first, and the two would be counted as running at once.
    call.end(CallEnd::Status(200));
    HttpResponse::Ok().content_type(ContentType::json()).body(body.into())
}

/// Returns the body of an answer that reports an error although its status is 200.
fn reported_error() -> Value {
    json!({"error": {"message": "the model is busy", "code": 502}})
}

fn without_choices(mut completion: Value) -> Value {
    completion["choices"] = json!([]);
    completion
}

fn compressed(call: Call, body: &str) -> HttpResponse {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    // Writing to a vector does not fail.
    let written = encoder.write_all(body.as_bytes()).and_then(|()| encoder.finish());
    call.end(CallEnd::Status(200));
    HttpResponse::Ok()
        .content_type(ContentType::json())
        .insert_header((CONTENT_ENCODING, "gzip"))
        .body(written.unwrap_or_default())
}

fn refuse_without_quota(call: Call) -> HttpResponse {
    call.end(CallEnd::Status(429));
    let mut body = error_body("insufficient_quota", "the account has no money left");
    body["error"]["code"] = "insufficient_quota".into();
    HttpResponse::TooManyRequests().json(body)
}

fn bad_request(call: Call, message: &str) -> HttpResponse {
    call.end(CallEnd::Status(400));
    HttpResponse::BadRequest().json(error_body("invalid_request_error", message))
}

fn refuse(call: Call, status: u16, script: &Script) -> HttpResponse {
    call.end(CallEnd::Status(status));
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(code);
    if matches!(status, 429 | 503) {
        match script.retry_after_ms {
            Some(millis) => response.insert_header(("retry-after-ms", millis.to_string())),
            None => {
                let secs = script.retry_after.as_deref().unwrap_or(RETRY_AFTER_SECS);
                response.insert_header((RETRY_AFTER, secs))
            }
        };
    }
    let kind = if status == 429 { "rate_limit_error" } else { "mock_error" };
    response.json(error_body(kind, "this failure was requested"))
}

/// Closes the connection before anything is written, or halfway through `body`.
///
/// If a body fails when it is first polled, actix-web closes the connection before it sends the
/// head. If the body pauses before it fails, the head and the first half are sent. The
/// `Content-Length` is that of the complete body, so that a client can detect the missing half.
fn hang_up(call: Call, body: Option<String>) -> HttpResponse {
    call.end(CallEnd::Hangup);
    let full_len = body.as_ref().map_or(1, String::len) as u64;
    let half = body.map(|mut body| {
        body.truncate(body.floor_char_boundary(body.len() / 2));
        Bytes::from(body)
    });
    let first = half.into_iter().map(Ok::<_, io::Error>);
    let end = stream::once(async move {
        if full_len > 1 {
            actix_web::rt::time::sleep(CUT_PAUSE).await;
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    });
    let parts = SizedStream::new(full_len, stream::iter(first).chain(end));
    HttpResponse::Ok().content_type(ContentType::json()).body(parts)
}

/// Sends the head at once and the body in small parts over [`SLOW_DELAYS`] delays.
fn send_slowly(call: Call, body: String, delay: Duration) -> HttpResponse {
    let pause = delay * SLOW_DELAYS / SLOW_PARTS as u32;
    let part_len = body.len().div_ceil(SLOW_PARTS).max(1);
    let unsent = (Bytes::from(body), Some(call));
    let parts = stream::unfold(unsent, move |(mut unsent, mut call)| async move {
        if unsent.is_empty() {
            return None;
        }
        actix_web::rt::time::sleep(pause).await;
        let part = unsent.split_to(part_len.min(unsent.len()));
        if unsent.is_empty()
            && let Some(call) = call.take()
        {
            call.end(CallEnd::Status(200));
        }
        Some((Ok::<_, io::Error>(part), (unsent, call)))
    });
    HttpResponse::Ok().content_type(ContentType::json()).streaming(parts)
}
