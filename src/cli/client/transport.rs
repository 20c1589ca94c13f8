//! Sends requests to one server and decodes its responses.

use std::path::Path;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use awc::error::{ConnectError, SendRequestError};
use awc::{ClientRequest, ClientResponse};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::connector;
use super::outage::Outage;
use super::reply::Reply;
use crate::cli::error::CliError;
use crate::cli::refusal::Refusal;
use crate::job::Json;
use crate::job::problem::parse_json;

/// Longest time that one request waits for a job or a batch to end. A longer wait takes several.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// Maximum time for a response, in addition to the requested wait.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
/// Maximum size of a response. A job with the largest configurable payload and result fits.
const MAX_RESPONSE_BYTES: usize = 640 << 20;
/// Media type of Longshore's errors (RFC 9457).
const PROBLEM_TYPE: &str = "application/problem+json";
/// Media type of event streams (HTML standard, section 9.2).
const EVENTS_TYPE: &str = "text/event-stream";
/// Pause before repeating a request whose wait ended early, or that was refused without `Retry-After`.
const EARLY_PAUSE: Duration = Duration::from_millis(250);
/// Pause between requests to a server that cannot be reached.
const OUTAGE_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause before repeating a request that was refused because of overload.
const MAX_OVERLOAD_PAUSE: Duration = Duration::from_secs(10);

/// The query string of a request that waits.
#[derive(Serialize)]
struct WaitQuery {
    /// Maximum wait in whole seconds with the unit, such as `30s`.
    wait: String,
}

/// The connection to one server.
pub(super) struct Transport {
    http: awc::Client,
    /// URL of the server, as the user gave it, without a slash at the end.
    base_url: String,
    /// URL to which paths are appended in requests.
    request_url: String,
    outage: Outage,
}

impl Transport {
    /// Creates a transport to the server at `base_url` without connecting. `key` is sent with each request.
    pub(super) fn new(
        base_url: &str,
        ca: Option<&Path>,
        key: Option<&str>,
    ) -> Result<Self, CliError> {
        let (http, request_url) = connector::client(base_url, ca, key)?;
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { http, base_url, request_url, outage: Outage::default() })
    }

    /// Returns the URL of a path of the server, to show it. That of a Unix socket has a colon before the path.
    pub(super) fn url(&self, path: &str) -> String {
        let is_unix = self.base_url.starts_with(connector::UNIX);
        format!("{}{}{path}", self.base_url, if is_unix { ":" } else { "" })
    }

    /// Returns the base URL of the server, without a slash at the end.
    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Builds a PATCH request for a path of the server.
    pub(super) fn patch(&self, path: &str) -> ClientRequest {
        self.http.patch(format!("{}{path}", self.request_url))
    }

    /// Sends a request without a body.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        request: ClientRequest,
    ) -> Result<Reply<T>, CliError> {
        self.exchange(request, Bytes::new(), Duration::ZERO).await
    }

    /// Sends a request with a body. The request must carry the `Content-Type` already.
    pub(super) async fn send_body<T: DeserializeOwned>(
        &self,
        request: ClientRequest,
        body: Vec<u8>,
    ) -> Result<Reply<T>, CliError> {
        self.exchange(request, body.into(), Duration::ZERO).await
    }

    /// Sends a request without a body, whose response has none either.
    pub(super) async fn send_for_nothing(&self, request: ClientRequest) -> Result<(), CliError> {
        let response = self.send_request(request, Bytes::new(), RESPONSE_TIMEOUT).await?;
        self.read_body(response).await.map(drop)
    }

    /// Builds a GET request for a path of the server.
    pub(super) fn get(&self, path: &str) -> ClientRequest {
        self.http.get(format!("{}{path}", self.request_url))
    }

    /// Builds a POST request for a path of the server.
    pub(super) fn post(&self, path: &str) -> ClientRequest {
        self.http.post(format!("{}{path}", self.request_url))
    }

    /// Builds a DELETE request for a path of the server.
    pub(super) fn delete(&self, path: &str) -> ClientRequest {
        self.http.delete(format!("{}{path}", self.request_url))
    }

    /// Adds a query string to a request.
    pub(super) fn with_query(
        &self,
        request: ClientRequest,
        query: &impl Serialize,
    ) -> Result<ClientRequest, CliError> {
        request.query(query).map_err(|error| CliError::Usage(error.to_string()))
    }

    /// Repeats a waiting request until `is_over` returns true or `timeout` has passed. Returns the
    /// last reply.
    ///
    /// An outage of a server that answered before is waited out. `on_outage` is called once per
    /// outage, with its first error.
    pub(super) async fn wait_until<T: DeserializeOwned>(
        &self,
        path: &str,
        timeout: Option<Duration>,
        is_over: impl Fn(&T) -> bool,
        on_outage: &dyn Fn(&CliError),
    ) -> Result<Reply<T>, CliError> {
        let started = Instant::now();
        loop {
            let left = timeout.map(|timeout| timeout.saturating_sub(started.elapsed()));
            let wait = left.map_or(MAX_WAIT, |left| left.min(MAX_WAIT));
            // During an outage requests do not wait, so that a server that is back is noticed soon.
            let server_wait = if self.outage.is_reachable() { wait } else { Duration::ZERO };
            let sent = Instant::now();
            let pause = match self.wait_once(path, server_wait).await {
                Ok(reply) if is_over(&reply.value) || wait.is_zero() => return Ok(reply),
                // A server that is shutting down answers before the wait is over.
                Ok(_) if sent.elapsed() < server_wait => EARLY_PAUSE,
                Ok(_) => Duration::ZERO,
                Err(CliError::Refused(refusal))
                    if refusal.problem.status == 503 && !wait.is_zero() =>
                {
                    refusal.retry_after.unwrap_or(EARLY_PAUSE).min(MAX_OVERLOAD_PAUSE)
                }
                Err(error) if !wait.is_zero() && self.may_recover(&error, on_outage) => {
                    OUTAGE_PAUSE
                }
                Err(error) => return Err(error),
            };
            actix_web::rt::time::sleep(left.map_or(pause, |left| pause.min(left))).await;
        }
    }

    /// Returns whether to try again after this error because the server may come back.
    ///
    /// `on_outage` is called with the first such error of an outage.
    pub(super) fn may_recover(&self, error: &CliError, on_outage: &dyn Fn(&CliError)) -> bool {
        let is_unreachable = matches!(error, CliError::Unreachable { .. });
        let may_recover = is_unreachable && self.outage.may_recover(Instant::now());
        if may_recover && self.outage.should_report() {
            on_outage(error);
        }
        may_recover
    }

    /// Sends one request that waits at the server for up to `wait`.
    async fn wait_once<T: DeserializeOwned>(
        &self,
        path: &str,
        wait: Duration,
    ) -> Result<Reply<T>, CliError> {
        let secs = wait.as_millis().div_ceil(1_000);
        let query = WaitQuery { wait: format!("{secs}s") };
        let request = self.with_query(self.get(path), &query)?;
        self.exchange(request, Bytes::new(), wait).await
    }

    /// Sends a request with a JSON body.
    pub(super) async fn send_json<T: DeserializeOwned>(
        &self,
        request: ClientRequest,
        body: &impl Serialize,
    ) -> Result<Reply<T>, CliError> {
        let body = serde_json::to_vec(body).map_err(|error| CliError::Usage(error.to_string()))?;
        let request = request.insert_header((CONTENT_TYPE, "application/json"));
        self.send_body(request, body).await
    }

    /// Sends a request and decodes the JSON body of the response.
    async fn exchange<T: DeserializeOwned>(
        &self,
        request: ClientRequest,
        body: Bytes,
        wait: Duration,
    ) -> Result<Reply<T>, CliError> {
        let response = self.send_request(request, body, RESPONSE_TIMEOUT + wait).await?;
        let body = self.read_body(response).await?;
        let value = parse_json(&body).map_err(|problem| self.bad_response(problem))?;
        let text = std::str::from_utf8(&body).map_err(|error| self.bad_response(error))?;
        Ok(Reply { value, json: Json::trusted(text) })
    }

    /// Opens a stream of the events after `last_id`; returns `None` if there will be no more.
    pub(super) async fn open_events(
        &self,
        path: &str,
        last_id: Option<&str>,
    ) -> Result<Option<ClientResponse>, CliError> {
        let mut request = self.get(path).insert_header((ACCEPT, EVENTS_TYPE));
        if let Some(last_id) = last_id {
            request = request.insert_header(("Last-Event-ID", last_id));
        }
        let response = self.send_request(request, Bytes::new(), RESPONSE_TIMEOUT).await?;
        let is_events = header(&response, CONTENT_TYPE.as_str())
            .is_some_and(|media_type| media_type.starts_with(EVENTS_TYPE));
        match response.status() {
            StatusCode::NO_CONTENT => Ok(None),
            _ if is_events => Ok(Some(response)),
            status => Err(self.bad_response(format!("status {status} without an event stream"))),
        }
    }

    /// Sends a request and returns the response when its head has arrived.
    ///
    /// The body of an error response is read and returned as the error.
    async fn send_request(
        &self,
        request: ClientRequest,
        body: Bytes,
        timeout: Duration,
    ) -> Result<ClientResponse, CliError> {
        let sent = request.timeout(timeout).send_body(body).await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        self.outage.record_answer();
        let status = response.status().as_u16();
        if status < 400 {
            return Ok(response);
        }
        let retry_after = retry_after(&response);
        let is_problem = header(&response, CONTENT_TYPE.as_str())
            .is_some_and(|media_type| media_type.starts_with(PROBLEM_TYPE));
        let body = self.read_body(response).await?;
        // A proxy that cannot reach its server answers in a form of its own. That error may pass.
        if !is_problem && !matches!(status, 502..=504) {
            let why =
                format!("status {status} without problem details; this is not a Longshore server");
            return Err(self.bad_response(why));
        }
        Err(CliError::Refused(Refusal { retry_after, ..Refusal::read(status, &body) }))
    }

    /// Reads the body of a response and checks that it is complete.
    async fn read_body<S>(&self, response: ClientResponse<S>) -> Result<Bytes, CliError>
    where
        S: futures_util::Stream<Item = Result<Bytes, awc::error::PayloadError>> + Unpin,
    {
        let expected_len = content_length(&response);
        let mut response = response.timeout(RESPONSE_TIMEOUT);
        let body = response.body().limit(MAX_RESPONSE_BYTES).await;
        let body = body.map_err(|error| self.bad_response(error))?;
        // awc reports a body as complete when the connection is closed before its end.
        match expected_len {
            Some(expected_len) if body.len() < expected_len => {
                Err(self.bad_response("the connection was closed before the end of the body"))
            }
            _ => Ok(body),
        }
    }

    /// Converts an error of awc and records that the server could not be reached.
    fn unreachable(&self, error: &SendRequestError) -> CliError {
        let why = match error {
            SendRequestError::Connect(ConnectError::Disconnected) => {
                "the connection was closed before a response arrived".into()
            }
            SendRequestError::Connect(error) => with_hint(error.to_string()),
            SendRequestError::Url(error) => return CliError::Usage(format!("--url: {error}")),
            error => error.to_string(),
        };
        self.outage.record_failure(Instant::now());
        CliError::Unreachable { url: self.base_url.clone(), why }
    }

    fn bad_response(&self, why: impl std::fmt::Display) -> CliError {
        CliError::BadResponse { url: self.base_url.clone(), why: why.to_string() }
    }
}

/// Adds to an error of a connection what the user can do about it.
fn with_hint(why: String) -> String {
    const UNTRUSTED: [&str; 2] = ["UnknownIssuer", "BadSignature"];
    if why.contains("CaUsedAsEndEntity") {
        return format!(
            "{why}: the server shows a certificate that is marked as that of an authority, as a self-signed \
             one usually is; make it with -addext basicConstraints=critical,CA:FALSE and give it with --ca, or \
             sign a certificate for the server with it"
        );
    }
    if UNTRUSTED.iter().any(|reason| why.contains(reason)) {
        return format!(
            "{why}: the certificate of the server is not trusted; give the file of its authority with \
             --ca or LONGSHORE_CA"
        );
    }
    if why.contains("InvalidContentType") {
        return format!("{why}: the server does not use TLS at this port; use a URL with http://");
    }
    why
}

fn header<'a, S>(response: &'a ClientResponse<S>, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}

fn content_length<S>(response: &ClientResponse<S>) -> Option<usize> {
    header(response, "content-length")?.parse().ok()
}

fn retry_after<S>(response: &ClientResponse<S>) -> Option<Duration> {
    header(response, RETRY_AFTER.as_str())?.parse().ok().map(Duration::from_secs)
}
