//! One call to another server, from the request to the response or the failure.

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::header::{HeaderName, HeaderValue};
use awc::http::Method;
use bytes::Bytes;

use crate::config::Secret;
use crate::executor::outbound::Outbound;
use crate::executor::outbound::network::{NotAllowed, ProxyError};
use crate::executor::outbound::response::{PartialResponse, ReadLimits, Response};
use crate::executor::outbound::target::Target;
use crate::executor::secrets::Secrets;
use crate::job::Span;
use crate::job::outcome::Outcome;

/// Error code of a call that failed without a complete response.
pub(in crate::executor) const CONNECTION: &str = "connection";
/// Error code of a call to an address that is not allowed.
pub(in crate::executor) const ADDRESS_NOT_ALLOWED: &str = "address_not_allowed";
/// Maximum number of bytes that are read from the body of an error response.
const MAX_ERROR_BODY_BYTES: usize = 256 << 10;
/// Maximum wait for the body of an error response, which only adds detail to the failure.
const ERROR_BODY_TIMEOUT: Duration = Duration::from_secs(2);

/// A request to another server.
pub(in crate::executor) struct Call {
    /// Method of the request.
    pub(in crate::executor) method: Method,
    /// Server and resource.
    pub(in crate::executor) target: Target,
    /// Headers in addition to those of every call.
    pub(in crate::executor) headers: Vec<(HeaderName, HeaderValue)>,
    /// Secrets from the configuration that are in the headers. They are hidden wherever the server repeats them.
    pub(in crate::executor) credentials: Vec<Secret>,
    /// Body of the request; empty if it has none.
    pub(in crate::executor) body: Bytes,
}

impl Outbound {
    /// Makes a call and keeps at most `max_bytes` of the response body, or less if the status is not
    /// 2xx, and the end of a longer one. `deadline` is the end of the attempt. Dropping the future closes
    /// the connection; `partial` then holds what has arrived.
    ///
    /// # Errors
    /// Returns the outcome of the attempt if there is no complete response.
    pub(in crate::executor) async fn call(
        &self,
        call: Call,
        max_bytes: usize,
        deadline: Instant,
        partial: &PartialResponse,
    ) -> Result<Response, Outcome> {
        self.call_reading(call, Some(max_bytes), deadline, partial).await
    }

    /// Makes a call of which only the status matters. The body of any response may be incomplete, and adds
    /// only detail to a failure.
    ///
    /// # Errors
    /// Returns the outcome of the attempt if there is no response.
    pub(in crate::executor) async fn call_for_status(
        &self,
        call: Call,
        deadline: Instant,
        partial: &PartialResponse,
    ) -> Result<Response, Outcome> {
        self.call_reading(call, None, deadline, partial).await
    }

    async fn call_reading(
        &self,
        call: Call,
        max_bytes: Option<usize>,
        deadline: Instant,
        partial: &PartialResponse,
    ) -> Result<Response, Outcome> {
        self.check(&call.target).map_err(not_allowed)?;
        // The path and the query are omitted from messages, because they may contain secrets.
        let server = call.target.url.authority().to_owned();
        let secrets = Secrets::of_request(&call.target.url, &call.headers, &call.credentials);
        let mut request = self.request(call.method, &call.target);
        for (name, value) in call.headers {
            request = request.insert_header((name, value));
        }
        let sent = if call.body.is_empty() { request.send() } else { request.send_body(call.body) };
        let response =
            sent.await.map_err(|error| send_failure(&error, &server, self.connect_timeout))?;
        if let Some(max_bytes) = max_bytes.filter(|_| response.status().is_success()) {
            let limits = ReadLimits { max_bytes, timeout: None, deadline };
            let (response, result) = Response::read(response, secrets, limits, partial).await;
            return match result {
                Ok(()) => Ok(response),
                Err(error) => {
                    Err(body_failure(&error, &server).with_detail(response.detail()))
                }
            };
        }
        let timeout = Some(ERROR_BODY_TIMEOUT);
        let limits = ReadLimits { max_bytes: MAX_ERROR_BODY_BYTES, timeout, deadline };
        let reading = Response::read(response, secrets, limits, partial);
        // The status is known and decides the outcome, so the body may be incomplete.
        let (response, _) = reading.await;
        Ok(response)
    }
}

/// Returns the outcome of a call that got no response head.
fn send_failure(error: &SendRequestError, server: &str, connect_timeout: Duration) -> Outcome {
    let timeout = Span::new(connect_timeout);
    let message = match error {
        SendRequestError::Url(error) => {
            return Outcome::fatal("bad_payload", format!("cannot call {server}: {error}"));
        }
        SendRequestError::Http(error) => {
            return Outcome::fatal("bad_payload", format!("cannot call {server}: {error}"));
        }
        // awc reports this when the connection ends before the first byte of the response.
        SendRequestError::Connect(ConnectError::Disconnected) => {
            format!("{server} closed the connection before it answered")
        }
        SendRequestError::Connect(ConnectError::Timeout) => {
            format!("{server} did not accept the connection within {timeout}")
        }
        SendRequestError::Connect(ConnectError::Resolver(error)) => {
            format!("cannot resolve the address of {server}: {error}")
        }
        SendRequestError::Connect(ConnectError::Io(error)) => match inner(error) {
            Some(error) => return not_allowed(*error),
            None => return connect_failure(error, server),
        },
        SendRequestError::Connect(error) => format!("cannot connect to {server}: {error}"),
        SendRequestError::Send(error) => format!("the connection to {server} failed: {error}"),
        SendRequestError::Response(error) => match error.source().and_then(|e| e.downcast_ref()) {
            Some(error) => head_failure(error, server),
            None => format!("the response from {server} is not valid HTTP: {error}"),
        },
        other => format!("the call to {server} failed: {other}"),
    };
    Outcome::retryable(CONNECTION, message)
}

/// Returns the outcome of a call to an address that is not allowed.
fn not_allowed(error: NotAllowed) -> Outcome {
    Outcome::fatal(ADDRESS_NOT_ALLOWED, error.to_string())
}

/// Returns the outcome of a call whose connection was not opened.
fn connect_failure(error: &io::Error, server: &str) -> Outcome {
    let message = format!("cannot connect to {server}: {error}");
    match inner(error) {
        Some(ProxyError::Unauthorized) => Outcome::fatal(CONNECTION, message),
        _ => Outcome::retryable(CONNECTION, message),
    }
}

/// Returns the error that is wrapped in an error of a connection, if it has this type.
fn inner<E: Error + 'static>(error: &io::Error) -> Option<&E> {
    error.get_ref().and_then(|error| error.downcast_ref())
}

/// Returns the message for a response head that is invalid or incomplete.
fn head_failure(error: &io::Error, server: &str) -> String {
    match error.kind() {
        io::ErrorKind::InvalidData => {
            format!("the response from {server} is not valid HTTP: {error}")
        }
        _ => format!("the response from {server} is incomplete: {error}"),
    }
}

/// Returns the outcome of a call whose response body is incomplete.
fn body_failure(error: &PayloadError, server: &str) -> Outcome {
    let error: &dyn std::fmt::Display = match error {
        // awc wraps errors of the connection in this variant.
        PayloadError::Incomplete(Some(error)) => error,
        other => other,
    };
    Outcome::retryable(CONNECTION, format!("the response from {server} is incomplete: {error}"))
}
