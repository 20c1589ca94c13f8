//! How requests go out and answers come in.

use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, RETRY_AFTER};
use awc::error::{ConnectError, SendRequestError};
use awc::{ClientRequest, ClientResponse, Connector};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::absence::Absence;
use super::form::Reply;
use crate::cli::error::CliError;
use crate::cli::refusal::Refusal;
use crate::job::Json;
use crate::job::problem::parse_json;

/// The longest that one request waits for a job or a batch to end; a longer wait asks again.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take, beyond the wait that was asked for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer read: a job with the largest payload and result that can be configured.
const MAX_ANSWER_BYTES: usize = 640 << 20;
/// How Longshore tells of an error (RFC 9457).
const PROBLEM_TYPE: &str = "application/problem+json";
/// How it tells what happens (HTML standard, section 9.2).
const EVENTS_TYPE: &str = "text/event-stream";
/// The pause before a waiting request that ended early is made again.
const EARLY_PAUSE: Duration = Duration::from_millis(250);
/// The pause before a server that is away is asked again.
const AWAY_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause before a request that was refused for overload is made again.
const MAX_OVERLOAD_PAUSE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct WaitQuery {
    /// Whole seconds with their unit, such as `30s`.
    wait: String,
}

/// The connection to one server.
pub(super) struct Transport {
    http: awc::Client,
    base_url: String,
    absence: Absence,
}

impl Transport {
    /// A connection to the server at `base_url`. Nothing is sent yet.
    pub(super) fn new(base_url: &str) -> Self {
        let connector = Connector::new().timeout(CONNECT_TIMEOUT);
        let builder = awc::Client::builder().connector(connector).disable_redirects();
        let base_url = base_url.trim_end_matches('/').into();
        Self { http: builder.finish(), base_url, absence: Absence::default() }
    }

    /// Where the server is.
    pub(super) fn base_url(&self) -> &str {
        &self.base_url
    }

    pub(super) fn patch(&self, path: &str) -> ClientRequest {
        self.http.patch(format!("{}{path}", self.base_url))
    }

    /// Sends a request without a body.
    pub(super) async fn send<T: DeserializeOwned>(
        &self,
        request: ClientRequest,
    ) -> Result<Reply<T>, CliError> {
        self.exchange(request, Bytes::new(), Duration::ZERO).await
    }

    /// Sends a request with a body, whose type its head tells.
    pub(super) async fn send_body<T: DeserializeOwned>(
        &self,
        request: ClientRequest,
        body: Vec<u8>,
    ) -> Result<Reply<T>, CliError> {
        self.exchange(request, body.into(), Duration::ZERO).await
    }

    pub(super) fn get(&self, path: &str) -> ClientRequest {
        self.http.get(format!("{}{path}", self.base_url))
    }

    pub(super) fn post(&self, path: &str) -> ClientRequest {
        self.http.post(format!("{}{path}", self.base_url))
    }

    pub(super) fn with_query(
        &self,
        request: ClientRequest,
        query: &impl Serialize,
    ) -> Result<ClientRequest, CliError> {
        request.query(query).map_err(|error| CliError::Usage(error.to_string()))
    }

    /// Asks again and again until something is over or the time is. Where a server that answered
    /// before goes away, it is waited for a while; `tell` has the error once.
    pub(super) async fn wait_until<T: DeserializeOwned>(
        &self,
        path: &str,
        timeout: Option<Duration>,
        is_over: impl Fn(&T) -> bool,
        tell: &dyn Fn(&CliError),
    ) -> Result<Reply<T>, CliError> {
        let began = Instant::now();
        loop {
            let left = timeout.map(|timeout| timeout.saturating_sub(began.elapsed()));
            let wait = left.map_or(MAX_WAIT, |left| left.min(MAX_WAIT));
            // Whether a server is there is soon known only if it need not wait.
            let held = if self.absence.is_over() { wait } else { Duration::ZERO };
            let asked = Instant::now();
            let pause = match self.wait_once(path, held).await {
                Ok(reply) if is_over(&reply.value) || wait.is_zero() => return Ok(reply),
                // A server that is shutting down answers before the wait is over.
                Ok(_) if asked.elapsed() < held => EARLY_PAUSE,
                Ok(_) => Duration::ZERO,
                Err(CliError::Refused(refusal)) if refusal.status == 503 && !wait.is_zero() => {
                    refusal.retry_after.unwrap_or(EARLY_PAUSE).min(MAX_OVERLOAD_PAUSE)
                }
                Err(error) if !wait.is_zero() && self.bears(&error, tell) => AWAY_PAUSE,
                Err(error) => return Err(error),
            };
            actix_web::rt::time::sleep(left.map_or(pause, |left| pause.min(left))).await;
        }
    }

    /// Whether this error may pass by itself, as the server may come back. Of a row of such
    /// errors `tell` has the first.
    pub(super) fn bears(&self, error: &CliError, tell: &dyn Fn(&CliError)) -> bool {
        let is_away = matches!(error, CliError::Unreachable { .. });
        let is_borne = is_away && self.absence.is_bearable(Instant::now());
        if is_borne && self.absence.is_news() {
            tell(error);
        }
        is_borne
    }

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

    pub(super) async fn send_json<T: DeserializeOwned>(
        &self,
        request: ClientRequest,
        body: &impl Serialize,
    ) -> Result<Reply<T>, CliError> {
        let body = serde_json::to_vec(body).map_err(|error| CliError::Usage(error.to_string()))?;
        let request = request.insert_header((CONTENT_TYPE, "application/json"));
        self.send_body(request, body).await
    }

    async fn exchange<T: DeserializeOwned>(
        &self,
        request: ClientRequest,
        body: Bytes,
        wait: Duration,
    ) -> Result<Reply<T>, CliError> {
        let response = self.answer(request, body, ANSWER_TIMEOUT + wait).await?;
        let body = self.read_body(response).await?;
        let value = parse_json(&body).map_err(|problem| self.bad_answer(problem))?;
        let text = std::str::from_utf8(&body).map_err(|error| self.bad_answer(error))?;
        Ok(Reply { value, json: Json::trusted(text) })
    }

    /// Opens a stream of events from the one after `last_id` on; none where there will be no more.
    pub(super) async fn listen(
        &self,
        path: &str,
        last_id: Option<&str>,
    ) -> Result<Option<ClientResponse>, CliError> {
        let mut request = self.get(path).insert_header((ACCEPT, EVENTS_TYPE));
        if let Some(last_id) = last_id {
            request = request.insert_header(("Last-Event-ID", last_id));
        }
        let response = self.answer(request, Bytes::new(), ANSWER_TIMEOUT).await?;
        let is_events = header(&response, CONTENT_TYPE.as_str())
            .is_some_and(|media_type| media_type.starts_with(EVENTS_TYPE));
        match response.status() {
            StatusCode::NO_CONTENT => Ok(None),
            _ if is_events => Ok(Some(response)),
            status => Err(self.bad_answer(format!("status {status} without events"))),
        }
    }

    /// Sends a request and waits for the head of its answer; one that is an error is read whole.
    async fn answer(
        &self,
        request: ClientRequest,
        body: Bytes,
        timeout: Duration,
    ) -> Result<ClientResponse, CliError> {
        let sent = request.timeout(timeout).send_body(body).await;
        let response = sent.map_err(|error| self.unreachable(&error))?;
        self.absence.end();
        let status = response.status().as_u16();
        if status < 400 {
            return Ok(response);
        }
        let retry_after = retry_after(&response);
        let is_problem = header(&response, CONTENT_TYPE.as_str())
            .is_some_and(|media_type| media_type.starts_with(PROBLEM_TYPE));
        let body = self.read_body(response).await?;
        // A proxy that finds no server behind it says so in its own way, and is asked again later.
        if !is_problem && !matches!(status, 502..=504) {
            let why =
                format!("status {status} without problem details; this is not a Longshore server");
            return Err(self.bad_answer(why));
        }
        Err(CliError::Refused(Refusal { retry_after, ..Refusal::read(status, &body) }))
    }

    async fn read_body<S>(&self, response: ClientResponse<S>) -> Result<Bytes, CliError>
    where
        S: futures_util::Stream<Item = Result<Bytes, awc::error::PayloadError>> + Unpin,
    {
        let whole_len = content_length(&response);
        let mut response = response.timeout(ANSWER_TIMEOUT);
        let body = response.body().limit(MAX_ANSWER_BYTES).await;
        let body = body.map_err(|error| self.bad_answer(error))?;
        // awc takes the end of the connection for the end of the body.
        match whole_len {
            Some(whole_len) if body.len() < whole_len => {
                Err(self.bad_answer("the connection was closed before its end"))
            }
            _ => Ok(body),
        }
    }

    fn unreachable(&self, error: &SendRequestError) -> CliError {
        let why = match error {
            SendRequestError::Connect(ConnectError::Disconnected) => {
                "the connection was closed before an answer came".into()
            }
            SendRequestError::Connect(error) => error.to_string(),
            SendRequestError::Url(error) => return CliError::Usage(format!("--url: {error}")),
            error => error.to_string(),
        };
        self.absence.go_on(Instant::now());
        CliError::Unreachable { url: self.base_url.clone(), why }
    }

    fn bad_answer(&self, why: impl std::fmt::Display) -> CliError {
        CliError::BadAnswer { url: self.base_url.clone(), why: why.to_string() }
    }
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
