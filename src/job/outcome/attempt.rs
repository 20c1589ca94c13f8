//! Attempts of a job: when each ran, how it ended, and what is known about its end.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::job::payload::Json;
use crate::job::{State, Timestamp};

/// Maximum size of a text of an [`AttemptDetail`], in bytes.
pub const MAX_TEXT_BYTES: usize = 16 << 10;
/// Maximum size of the text that is kept of a refused result, in bytes.
pub const MAX_RESULT_EXCERPT_BYTES: usize = 64 << 10;

/// One attempt of a job. Attempts that were released do not count and are not listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "FlatAttempt")]
pub struct Attempt {
    /// Number of the attempt, counted from 1.
    pub attempt: u32,
    /// `running`, `completed`, `failed` or `cancelled`.
    pub state: State,
    /// Time at which the attempt started; unknown for attempts of versions before 0.3.
    pub started_at: Option<Timestamp>,
    /// Time at which the attempt ended; `None` while it runs.
    pub ended_at: Option<Timestamp>,
    /// Name of the remote worker that ran the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worker: Option<String>,
    /// Error code of the attempt, unless it runs or has completed.
    pub code: Option<String>,
    /// Error message of the attempt, unless it runs or has completed.
    pub message: Option<String>,
    /// What else is known about its end.
    #[serde(flatten)]
    pub detail: AttemptDetail,
}

/// The fields of an [`Attempt`] as they are read. A flattened struct cannot be read here, because serde
/// copies its fields first, and a copy of [`AttemptDetail::data`] is no longer the text that it was.
#[derive(Deserialize)]
struct FlatAttempt {
    attempt: u32,
    state: State,
    started_at: Option<Timestamp>,
    ended_at: Option<Timestamp>,
    worker: Option<String>,
    code: Option<String>,
    message: Option<String>,
    response: Option<ResponseDetail>,
    exit: Option<ExitDetail>,
    traceback: Option<String>,
    data: Option<Json>,
    result: Option<String>,
    request_id: Option<String>,
}

impl From<FlatAttempt> for Attempt {
    fn from(flat: FlatAttempt) -> Self {
        let FlatAttempt { response, exit, traceback, data, result, request_id, .. } = flat;
        Self {
            attempt: flat.attempt,
            state: flat.state,
            started_at: flat.started_at,
            ended_at: flat.ended_at,
            worker: flat.worker,
            code: flat.code,
            message: flat.message,
            detail: AttemptDetail { response, exit, traceback, data, result, request_id },
        }
    }
}

/// What is known about the end of an attempt, beside its error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AttemptDetail {
    /// Response of the called server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response: Option<ResponseDetail>,
    /// End and output of a program.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitDetail>,
    /// Stack trace of the code that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traceback: Option<String>,
    /// Further data about the error, as the worker reported it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Json>,
    /// Start and end of a result that could not be stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// The provider's id of the call, to quote in a support request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

/// Response of a called server. It has `body` or `body_base64`, or neither if the body is empty or was
/// not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseDetail {
    /// HTTP status.
    pub status: u16,
    /// Headers by name in lower case; values of a header that occurs more than once are joined by `, `.
    pub headers: BTreeMap<String, String>,
    /// Body, if it is text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Start of the body in base64, if it is not text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
}

/// End and output of a program.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitDetail {
    /// Exit status; `None` if a signal ended the program.
    pub status: Option<i32>,
    /// Number of the signal that ended the program.
    pub signal: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error, without progress reports.
    pub stderr: String,
}

impl AttemptDetail {
    /// Returns whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Returns the size of its texts, in bytes.
    pub fn bytes(&self) -> usize {
        let Self { response, exit, traceback, data, result, request_id } = self;
        let texts = [traceback, result, request_id].into_iter().flatten();
        texts.map(String::len).sum::<usize>()
            + response.as_ref().map_or(0, ResponseDetail::bytes)
            + exit.as_ref().map_or(0, |exit| exit.stdout.len() + exit.stderr.len())
            + data.as_ref().map_or(0, |data| data.as_str().len())
    }

    /// Returns the detail, or `None` if nothing is known.
    pub fn boxed(self) -> Option<Box<Self>> {
        (!self.is_empty()).then(|| Box::new(self))
    }
}

impl ResponseDetail {
    fn bytes(&self) -> usize {
        let headers = self.headers.iter().map(|(name, value)| name.len() + value.len());
        let body = [&self.body, &self.body_base64].into_iter().flatten().map(String::len);
        headers.chain(body).sum()
    }
}

impl ExitDetail {
    /// Returns how the program ended, in words.
    pub fn summary(&self) -> String {
        match (self.status, self.signal) {
            (Some(status), _) => format!("exit status {status}"),
            (None, Some(signal)) => format!("ended by signal {signal}"),
            (None, None) => "the end of the program is unknown".into(),
        }
    }
}

/// Shortens a text to about `max_bytes`: keeps its start and its end, and says how many bytes between
/// them were omitted.
///
/// ```
/// # use longshore::job::attempt::head_and_tail;
/// assert_eq!(head_and_tail("0123456789", 10), "0123456789");
/// assert_eq!(head_and_tail("0123456789", 4), "01\n[6 bytes omitted]\n89");
/// ```
pub fn head_and_tail(text: &str, max_bytes: usize) -> String {
    if text.len() <= max_bytes {
        return text.to_owned();
    }
    let head = &text[..text.floor_char_boundary(max_bytes / 2)];
    let tail = &text[text.ceil_char_boundary(text.len() - max_bytes / 2)..];
    let omitted = text.len() - head.len() - tail.len();
    format!("{head}\n[{omitted} bytes omitted]\n{tail}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_start_and_its_end_between_characters() {
        assert_eq!(head_and_tail("ääää", 6), "ä\n[4 bytes omitted]\nä");
        assert_eq!(head_and_tail("ääää", 0), "\n[8 bytes omitted]\n");
    }

    #[test]
    fn an_attempt_is_one_flat_object() {
        let data = Some(Json::trusted(r#"{"n": 1.50}"#));
        let traceback = Some("at line 1".into());
        let detail = AttemptDetail { traceback, data, ..Default::default() };
        let attempt = Attempt {
            attempt: 1,
            state: State::Failed,
            started_at: None,
            ended_at: Some(Timestamp::from_millis(0)),
            worker: None,
            code: Some("panic".into()),
            message: Some("boom".into()),
            detail,
        };
        let json = serde_json::to_string(&attempt).unwrap();
        let expected = concat!(
            r#"{"attempt":1,"state":"failed","started_at":null,"ended_at":"1970-01-01T00:00:00.000Z","#,
            r#""code":"panic","message":"boom","traceback":"at line 1","data":{"n": 1.50}}"#
        );
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_str::<Attempt>(&json).unwrap(), attempt);
    }
}
