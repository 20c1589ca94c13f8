//! Failures of attempts whose call was answered.

use awc::http::StatusCode;
use awc::http::header::LOCATION;

use crate::clock::Clock;
use crate::executor::outbound::call::CONNECTION;
use crate::executor::outbound::content_coding::DecodeError;
use crate::executor::outbound::response::Response;
use crate::executor::outbound::retry_after::retry_in;
use crate::executor::secrets::Secrets;
use crate::job::Pause;
use crate::job::outcome::{JobError, Outcome, truncate};

/// Error code of an attempt that failed because of the response status.
const HTTP_STATUS: &str = "http_status";
/// Error code of an attempt whose response cannot be read.
pub(in crate::executor) const BAD_ANSWER: &str = "bad_answer";
/// Maximum number of bytes of a response body or header in a message.
const MAX_EXCERPT_LEN: usize = 400;

impl Response {
    /// Returns whether another attempt may get a different status.
    pub(in crate::executor) fn has_temporary_status(&self) -> bool {
        let temporary = [
            StatusCode::REQUEST_TIMEOUT,
            // 425 Too Early (RFC 8470), which has no constant in this library.
            StatusCode::from_u16(425).unwrap_or(StatusCode::REQUEST_TIMEOUT),
            StatusCode::TOO_MANY_REQUESTS,
        ];
        self.status.is_server_error() || temporary.contains(&self.status)
    }

    /// Returns the outcome of an attempt that failed because of the status. `note` is added to it in
    /// the message.
    pub(in crate::executor) fn refusal(&self, retryable: bool, note: &str) -> Outcome {
        let mut message = format!("the server answered {}{note}", status_text(self.status));
        if let Some(location) = self.headers.get(LOCATION).filter(|_| self.status.is_redirection())
        {
            let location = self.excerpt(&String::from_utf8_lossy(location.as_bytes()));
            message.push_str(&format!(" and points to {location}; redirects are not followed"));
        }
        let excerpt = self.excerpt(&self.lossy_text());
        if !excerpt.is_empty() {
            message.push_str(": ");
            message.push_str(&excerpt);
        }
        self.failure(HTTP_STATUS, message, retryable)
    }

    /// Returns the outcome of an attempt that failed because of the response. The pause that the
    /// server requests is followed if the attempt is retryable.
    pub(in crate::executor) fn failure(
        &self,
        code: &str,
        message: String,
        retryable: bool,
    ) -> Outcome {
        Outcome::Failed {
            error: JobError::new(code, message),
            retryable,
            retry_in: retry_in(&self.headers, Clock::system().now())
                .filter(|_| retryable)
                .map(Pause::AtLeast),
            detail: self.detail().boxed(),
        }
    }

    /// Returns the outcome of an attempt whose response body cannot be decoded. It is retryable only
    /// if the connection may have broken off.
    pub(in crate::executor) fn undecodable(&self, error: &DecodeError) -> Outcome {
        // The server chooses the name of a coding, and may repeat a secret in it.
        let why = self.excerpt(&error.to_string());
        if self.is_framed() {
            self.failure(BAD_ANSWER, why, false)
        } else {
            self.failure(CONNECTION, format!("the response may be incomplete: {why}"), true)
        }
    }

    /// Returns the beginning of a text from the server, on one line and without secrets.
    pub(in crate::executor) fn excerpt(&self, text: &str) -> String {
        excerpt(text, &self.secrets)
    }
}

fn status_text(status: StatusCode) -> String {
    match status.canonical_reason() {
        Some(reason) => format!("{} {reason}", status.as_u16()),
        None => status.as_u16().to_string(),
    }
}

fn excerpt(text: &str, secrets: &Secrets) -> String {
    let text = secrets.hide(text);
    let is_break = |c: char| c.is_whitespace() || c.is_control();
    let words: Vec<&str> = text.split(is_break).filter(|word| !word.is_empty()).collect();
    truncate(words.join(" "), MAX_EXCERPT_LEN)
}
