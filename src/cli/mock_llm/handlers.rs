//! What the model server answers.

use std::io;
use std::time::Duration;

use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{ContentType, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, web};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::Options;
use super::completion::{Request, error_body};
use super::fault::Fault;
use super::script::{Keys, Script};
use super::stats::{Call, Counter, End};
use crate::clock::Clock;
use crate::job::problem::parse_json;

/// The request header that asks for a fault.
const FAULT_HEADER: &str = "x-mock-fault";
/// The wait told beside a 429 or 503 that was not asked for in the body, in seconds.
const RETRY_AFTER_SECS: &str = "1";
/// How many delays the body of a slow answer takes.
const SLOW_DELAYS: u32 = 10;
/// In how many parts it comes.
const SLOW_PARTS: usize = 20;
/// How long a half-sent answer rests before its connection closes: enough for the half to leave.
const CUT_PAUSE: Duration = Duration::from_millis(10);

/// What all connections share.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) options: Options,
    pub(super) counter: Counter,
    pub(super) keys: Keys,
    pub(super) clock: Clock,
}

/// Adds the server's paths.
pub(super) fn configure(services: &mut web::ServiceConfig) {
    services
        .route("/v1/chat/completions", web::post().to(complete))
        .route("/v1/models", web::get().to(models))
        .route("/stats", web::get().to(stats))
        .route("/stats/reset", web::post().to(reset));
}

async fn models(model: web::Data<Model>) -> HttpResponse {
    let created = model.clock.now().millis() / 1_000;
    let mock =
        json!({"id": "mock", "object": "model", "created": created, "owned_by": "longshore"});
    HttpResponse::Ok().json(json!({"object": "list", "data": [mock]}))
}

async fn stats(model: web::Data<Model>) -> HttpResponse {
    HttpResponse::Ok().json(model.counter.snapshot())
}

async fn reset(model: web::Data<Model>) -> HttpResponse {
    model.counter.reset();
    model.keys.clear();
    HttpResponse::NoContent().finish()
}

async fn complete(head: HttpRequest, body: Bytes, model: web::Data<Model>) -> HttpResponse {
    let call = model.counter.begin();
    let request: Request = match parse_json(&body) {
        Ok(request) => request,
        Err(problem) => return bad_request(call, &problem.to_string()),
    };
    if request.stream == Some(true) {
        return bad_request(call, "this model does not stream; leave out `stream`");
    }
    let script = request.mock.clone().unwrap_or_default();
    match choose_fault(&head, &request, &script, &model, call.number()) {
        Ok(fault) => answer(&request, &script, fault, &model, call).await,
        Err(why) => bad_request(call, &why),
    }
}

/// The request's own wish comes before the server's rules.
fn choose_fault(
    head: &HttpRequest,
    request: &Request,
    script: &Script,
    model: &Model,
    number: u64,
) -> Result<Option<Fault>, String> {
    if let Some(word) = head.headers().get(FAULT_HEADER) {
        let fault = word.to_str().unwrap_or_default().parse::<Fault>();
        return fault.map(Some).map_err(|error| format!("{FAULT_HEADER}: {error}"));
    }
    if let Some(fault) = script.fault(&request.question(), &model.keys)? {
        return Ok(Some(fault));
    }
    let rule = model.options.faults.iter().find(|rule| rule.strikes(number));
    Ok(rule.map(|rule| rule.fault))
}

async fn answer(
    request: &Request,
    script: &Script,
    fault: Option<Fault>,
    model: &Model,
    call: Call,
) -> HttpResponse {
    if let Some(Fault::Status(status)) = fault {
        return refuse(call, status, script);
    }
    let delay = script.delay.map_or(model.options.delay, |delay| delay.duration());
    if !delay.is_zero() {
        actix_web::rt::time::sleep(delay).await;
    }
    let created = model.clock.now().millis() / 1_000;
    let completion = request.completion(call.number(), created);
    match fault {
        Some(Fault::Hangup) => hang_up(call, None),
        Some(Fault::Cut) => hang_up(call, Some(completion.to_string())),
        Some(Fault::Slow) => dribble(call, completion.to_string(), delay),
        Some(Fault::Garbage) => json_text(call, "<html>not what you asked for"),
        Some(Fault::Status(_)) | None => json_text(call, completion.to_string()),
    }
}

fn json_text(call: Call, body: impl Into<Bytes>) -> HttpResponse {
    // Counted before the answer leaves, or the client's next call could seem to overlap this one.
    call.end(End::Status(200));
    HttpResponse::Ok().content_type(ContentType::json()).body(body.into())
}

fn bad_request(call: Call, message: &str) -> HttpResponse {
    call.end(End::Status(400));
    HttpResponse::BadRequest().json(error_body("invalid_request_error", message))
}

fn refuse(call: Call, status: u16, script: &Script) -> HttpResponse {
    call.end(End::Status(status));
    let code = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(code);
    if matches!(status, 429 | 503) {
        match script.retry_after_ms {
            Some(millis) => response.insert_header(("retry-after-ms", millis.to_string())),
            None => {
                let wait = script.retry_after.as_deref().unwrap_or(RETRY_AFTER_SECS);
                response.insert_header((RETRY_AFTER, wait))
            }
        };
    }
    let kind = if status == 429 { "rate_limit_error" } else { "mock_error" };
    response.json(error_body(kind, "this failure was asked for"))
}

/// Closes the connection: before anything is written, or halfway through `body`.
///
/// A body that fails when it is first asked makes actix-web drop the connection with the head
/// still unsent; one that pauses before it fails lets the head and the first half out. The head
/// tells the whole length, so that a careful client sees what is missing.
fn hang_up(call: Call, body: Option<String>) -> HttpResponse {
    call.end(End::Hangup);
    let whole_len = body.as_ref().map_or(1, String::len) as u64;
    let half = body.map(|mut body| {
        body.truncate(body.floor_char_boundary(body.len() / 2));
        Bytes::from(body)
    });
    let first = half.into_iter().map(Ok::<_, io::Error>);
    let end = stream::once(async move {
        if whole_len > 1 {
            actix_web::rt::time::sleep(CUT_PAUSE).await;
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    });
    let parts = SizedStream::new(whole_len, stream::iter(first).chain(end));
    HttpResponse::Ok().content_type(ContentType::json()).body(parts)
}

/// Sends the head at once and the body in small parts over [`SLOW_DELAYS`] delays.
fn dribble(call: Call, body: String, delay: Duration) -> HttpResponse {
    let pause = delay * SLOW_DELAYS / SLOW_PARTS as u32;
    let part_len = body.len().div_ceil(SLOW_PARTS).max(1);
    let rest = (Bytes::from(body), Some(call));
    let parts = stream::unfold(rest, move |(mut rest, mut call)| async move {
        if rest.is_empty() {
            return None;
        }
        actix_web::rt::time::sleep(pause).await;
        let part = rest.split_to(part_len.min(rest.len()));
        if rest.is_empty()
            && let Some(call) = call.take()
        {
            call.end(End::Status(200));
        }
        Some((Ok::<_, io::Error>(part), (rest, call)))
    });
    HttpResponse::Ok().content_type(ContentType::json()).streaming(parts)
}
