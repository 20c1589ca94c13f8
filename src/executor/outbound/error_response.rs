//! Outcomes of responses with a status other than 2xx.

use awc::http::StatusCode;
use awc::http::header::{HeaderMap, LOCATION};

use crate::clock::Clock;
use crate::executor::encoded::Body;
use crate::executor::outbound::retry_after::retry_in;
use crate::executor::secrets::Secrets;
use crate::job::retry::Pause;
use crate::job::outcome::{JobError, Outcome, truncate};

/// Error code of an attempt that failed because of the response status.
const HTTP_STATUS: &str = "http_status";
/// Maximum number of bytes of a response body or header in a message.
const MAX_EXCERPT_LEN: usize = 400;

/// Returns the outcome of an attempt whose call was answered with `status`.
pub(super) fn outcome(
    status: StatusCode,
    headers: &HeaderMap,
    body: &Body,
    secrets: &Secrets,
) -> Outcome {
    let retryable = is_retryable(status);
    Outcome::Failed {
        error: JobError::new(HTTP_STATUS, message(status, headers, body, secrets)),
        retryable,
        retry_in: retry_in(headers, Clock::system().now())
            .filter(|_| retryable)
            .map(Pause::AtLeast),
        detail: None,
    }
}

/// Returns whether another attempt may get a different status.
fn is_retryable(status: StatusCode) -> bool {
    let temporary = [
        StatusCode::REQUEST_TIMEOUT,
        // 425 Too Early (RFC 8470), which has no constant in this library.
        StatusCode::from_u16(425).unwrap_or(StatusCode::REQUEST_TIMEOUT),
        StatusCode::TOO_MANY_REQUESTS,
    ];
    status.is_server_error() || temporary.contains(&status)
}

fn message(status: StatusCode, headers: &HeaderMap, body: &Body, secrets: &Secrets) -> String {
    let mut message = format!("the server answered {}", status_text(status));
    if let Some(location) = headers.get(LOCATION).filter(|_| status.is_redirection()) {
        let location = excerpt(location.as_bytes(), secrets);
        message.push_str(&format!(" and points to {location}; redirects are not followed"));
    }
    let excerpt = excerpt(&body.bytes, secrets);
    if !excerpt.is_empty() {
        message.push_str(": ");
        message.push_str(&excerpt);
    }
    message
}

fn status_text(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

/// Returns the beginning of a text from the server, on one line and without secrets.
fn excerpt(bytes: &[u8], secrets: &Secrets) -> String {
    let text = secrets.hide(&String::from_utf8_lossy(bytes));
    let is_break = |c: char| c.is_whitespace() || c.is_control();
    let words: Vec<&str> = text.split(is_break).filter(|word| !word.is_empty()).collect();
    truncate(words.join(" "), MAX_EXCERPT_LEN)
}
