//! What the server says when it refuses a request.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::cli::show;
use crate::job::outcome::cut;

/// How much is shown of an answer that is no problem details, in bytes.
const MAX_FOREIGN_LEN: usize = 500;

/// Problem details (RFC 9457), with the list of `errors` that Longshore adds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// The status of the answer.
    pub status: u16,
    /// What kind of problem it is.
    pub title: String,
    /// What it is this time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Each thing that is wrong, with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<RefusedField>,
    /// How long to wait before asking again, where the server said so.
    #[serde(skip)]
    pub retry_after: Option<Duration>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RefusedField {
    /// A JSON pointer into what was sent; empty for the whole.
    pub pointer: String,
    /// What.
    pub detail: String,
}

impl Refusal {
    /// Reads the body of an answer with an error status; one that is no problem details is shown
    /// as it came.
    pub fn read(status: u16, body: &[u8]) -> Self {
        let refusal = serde_json::from_slice::<Self>(body).unwrap_or_else(|_| Self {
            detail: Some(cut(String::from_utf8_lossy(body).trim().to_owned(), MAX_FOREIGN_LEN)),
            ..Self::default()
        });
        Self { status, ..refusal }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the server refused the request with status {}", self.status)?;
        // The title says what the detail says, less exactly.
        let said = self.detail.as_deref().unwrap_or(&self.title);
        if !said.is_empty() {
            write!(f, ": {}", show::plain(said))?;
        }
        for field in &self.errors {
            let place = if field.pointer.is_empty() { "(whole)" } else { &field.pointer };
            let told = format!("{place}: {}", field.detail);
            // Of a single error the detail says it all.
            if said != told && said != field.detail {
                write!(f, "\n  {}", show::plain(&told))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_told_with_its_place() {
        let body = br#"{"type": "about:blank", "title": "Unprocessable Content", "status": 422,
            "detail": "2 fields are wrong",
            "errors": [{"pointer": "/queue", "detail": "not a name"}, {"pointer": "", "detail": "x"}]}"#;
        let told = Refusal::read(422, body).to_string();
        let expected = "the server refused the request with status 422: 2 fields are wrong\n  \
                        /queue: not a name\n  (whole): x";
        assert_eq!(told, expected);
    }

    #[test]
    fn a_single_reason_is_told_once() {
        let body = br#"{"detail": "/queue: not a name",
            "errors": [{"pointer": "/queue", "detail": "not a name"}]}"#;
        let told = Refusal::read(422, body).to_string();
        assert_eq!(told, "the server refused the request with status 422: /queue: not a name");
    }

    #[test]
    fn an_answer_of_another_server_is_shown_as_it_came() {
        let told = Refusal::read(404, b"no such page\n").to_string();
        assert_eq!(told, "the server refused the request with status 404: no such page");
    }
}
