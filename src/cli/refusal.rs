//! The error response of a server that refuses a request.

use std::fmt;
use std::time::Duration;

use crate::api::problem::ProblemDetails;
use crate::cli::output::show;
use crate::job::outcome::truncate;

/// Maximum number of bytes shown of an error body that is not problem details.
const MAX_UNKNOWN_BYTES: usize = 500;

/// The reasons of a server that refused a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Problem details of the response, with its actual status.
    pub problem: ProblemDetails,
    /// Time to wait before the request is repeated, if the server sent `Retry-After`.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// Reads the body of an error response.
    ///
    /// A body that is not problem details becomes the `detail`, shortened if it is long.
    pub fn read(status: u16, body: &[u8]) -> Self {
        let problem = serde_json::from_slice(body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(body).trim().to_owned();
            let detail = Some(truncate(text, MAX_UNKNOWN_BYTES));
            ProblemDetails { detail, ..ProblemDetails::default() }
        });
        Self { problem: ProblemDetails { status, ..problem }, retry_after: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProblemDetails { status, title, detail, errors, .. } = &self.problem;
        write!(f, "the server refused the request with status {status}")?;
        // The title is a less exact form of the detail, so it is printed only without a detail.
        let summary = detail.as_deref().unwrap_or(title);
        if !summary.is_empty() {
            write!(f, ": {}", show::plain(summary))?;
        }
        if *status == 401 {
            f.write_str("; give a valid key with --key or LONGSHORE_KEY")?;
        }
        for field in errors {
            let pointer = if field.pointer.is_empty() { "(whole request)" } else { &field.pointer };
            let line = format!("{pointer}: {}", field.detail);
            // With a single invalid field the detail already says the same.
            if summary != line && summary != field.detail {
                write!(f, "\n  {}", show::plain(&line))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_invalid_field_is_reported_with_its_pointer() {
        let body = br#"{"type": "about:blank", "title": "Unprocessable Content", "status": 422,
            "detail": "2 fields are invalid; see errors",
            "errors": [{"pointer": "/queue", "detail": "not a name"}, {"pointer": "", "detail": "x"}]}"#;
        let text = Refusal::read(422, body).to_string();
        let expected = "the server refused the request with status 422: 2 fields are invalid; see errors\n  \
                        /queue: not a name\n  (whole request): x";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_single_invalid_field_is_reported_once() {
        let body = br#"{"detail": "/queue: not a name",
            "errors": [{"pointer": "/queue", "detail": "not a name"}]}"#;
        let text = Refusal::read(422, body).to_string();
        assert_eq!(text, "the server refused the request with status 422: /queue: not a name");
    }

    #[test]
    fn the_response_of_another_server_is_shown_unchanged() {
        let text = Refusal::read(404, b"no such page\n").to_string();
        assert_eq!(text, "the server refused the request with status 404: no such page");
    }
}
