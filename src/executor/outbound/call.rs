//! One call to another server, from its request to its answer or its failure.

use std::error::Error;
use std::io;
use std::time::Duration;

use awc::error::{ConnectError, PayloadError, SendRequestError};
use awc::http::header::{HeaderName, HeaderValue};
use awc::http::{Method, Uri};
use bytes::Bytes;

use crate::executor::encoded::Body;
use crate::executor::outbound::answer::{self, Answer};
use crate::executor::outbound::{Outbound, refusal};
use crate::executor::secrets::Secrets;
use crate::job::Span;
use crate::job::outcome::Outcome;

/// The code of a failure between us and the other server.
const CONNECTION: &str = "connection";
/// How much of the body of a refusal is read, in bytes.
const MAX_REFUSAL_BYTES: usize = 4096;
/// How long the body of a refusal is waited for; what counts is the status.
const REFUSAL_PATIENCE: Duration = Duration::from_secs(2);

/// A request to another server.
pub(in crate::executor) struct Call {
    /// The method.
    pub(in crate::executor) method: Method,
    /// Absolute, `http` or `https`.
    pub(in crate::executor) uri: Uri,
    /// The headers besides those of every call.
    pub(in crate::executor) headers: Vec<(HeaderName, HeaderValue)>,
    /// The body; empty for none.
    pub(in crate::executor) body: Bytes,
}

impl Outbound {
    /// Makes a call and reads at most `max_bytes` of its answer. Any status but 2xx is a failure.
    ///
    /// Dropping the future closes the connection.
    pub(in crate::executor) async fn call(
        &self,
        call: Call,
        max_bytes: usize,
    ) -> Result<Answer, Outcome> {
        let server = server_of(&call.uri);
        let secrets = Secrets::of_headers(&call.headers);
        let mut request = self.request(call.method, call.uri);
        for (name, value) in call.headers {
            request = request.insert_header((name, value));
        }
        let sent = if call.body.is_empty() { request.send() } else { request.send_body(call.body) };
        let response = sent.await.map_err(|error| unsent(&error, &server, self.connect_timeout))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_success() {
            let body = answer::read(response, max_bytes).await;
            let body = body.map_err(|error| broken(&error, &server))?;
            return Ok(Answer { status, headers, body });
        }
        let reading = answer::read(response, MAX_REFUSAL_BYTES);
        let body = match tokio::time::timeout(REFUSAL_PATIENCE, reading).await {
            Ok(Ok(body)) => body,
            // The status is known, and that is what decides.
            Ok(Err(_)) | Err(_) => Body::default(),
        };
        Err(refusal::outcome(status, &headers, &body, &secrets))
    }
}

/// The server of a URL, for messages: the rest of a URL may hold what is not to be shown.
fn server_of(uri: &Uri) -> String {
    uri.authority().map_or_else(String::new, ToString::to_string)
}

/// The outcome of a call that got no answer.
fn unsent(error: &SendRequestError, server: &str, connect_timeout: Duration) -> Outcome {
    let timeout = Span::new(connect_timeout);
    let message = match error {
        SendRequestError::Url(error) => {
            return Outcome::fatal("bad_payload", format!("cannot call {server}: {error}"));
        }
        SendRequestError::Http(error) => {
            return Outcome::fatal("bad_payload", format!("cannot call {server}: {error}"));
        }
        // What awc says when the connection ends where an answer should begin.
        SendRequestError::Connect(ConnectError::Disconnected) => {
            format!("{server} closed the connection before it answered")
        }
        SendRequestError::Connect(ConnectError::Timeout) => {
            format!("{server} did not take the connection within {timeout}")
        }
        SendRequestError::Connect(ConnectError::Resolver(error)) => {
            format!("cannot find {server}: {error}")
        }
        SendRequestError::Connect(error) => format!("cannot connect to {server}: {error}"),
        SendRequestError::Send(error) => format!("the connection to {server} broke: {error}"),
        SendRequestError::Response(error) => match error.source().and_then(|e| e.downcast_ref()) {
            Some(error) => unanswered(error, server),
            None => format!("{server} answered with what is not HTTP: {error}"),
        },
        other => format!("the call to {server} failed: {other}"),
    };
    Outcome::retryable(CONNECTION, message)
}

/// What is to be said where the head of an answer did not come as it should.
fn unanswered(error: &io::Error, server: &str) -> String {
    match error.kind() {
        io::ErrorKind::InvalidData => format!("{server} answered with what is not HTTP: {error}"),
        _ => format!("the answer of {server} broke off: {error}"),
    }
}

/// The outcome of a call whose answer broke off.
fn broken(error: &PayloadError, server: &str) -> Outcome {
    let error: &dyn std::fmt::Display = match error {
        // Whatever is the matter with a connection is wrapped in this.
        PayloadError::Incomplete(Some(error)) => error,
        other => other,
    };
    Outcome::retryable(CONNECTION, format!("the answer of {server} broke off: {error}"))
}
