//! Problem details (RFC 9457), with the list of `errors` that Longshore adds.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::job::problem::{MAX_PROBLEMS, Problem};

/// Seconds after which a refused client should try again: overload passes quickly.
const RETRY_OVERLOAD_SECS: u64 = 1;
/// Seconds after which a client should try again if nothing can be written: a disk is not freed quickly.
const RETRY_FULL_SECS: u64 = 5;

/// Maximum size of all errors of an answer, as JSON. With the other fields, an answer with the detail
/// and a list of errors has at most 64 KiB.
const MAX_ERRORS_BYTES: usize = 60 << 10;

/// Type of a problem. It decides the HTTP status and whether to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemType {
    /// Fields, parameters or headers are invalid; `errors` lists them.
    Invalid,
    /// The query string cannot be decoded.
    BadQuery,
    /// The body could not be received.
    BadBody,
    /// The request comes from a page of another site.
    ForeignSite,
    /// The `Host` header names an unknown host.
    ForeignHost,
    /// The request has no API key, and needs one.
    KeyNeeded,
    /// The API key is not valid, or is damaged.
    InvalidKey,
    /// The API key does not have the scope that the route needs.
    MissingScope,
    /// The API key does not allow it: it may only use some queues.
    Forbidden,
    /// The API key is over one of its limits.
    KeyLimit,
    /// The resource does not exist.
    NotFound,
    /// The resource does not support the method.
    WrongMethod,
    /// The body did not arrive in time.
    TooSlow,
    /// The state of the job or batch does not allow the action.
    Conflict,
    /// The worker no longer holds the lease.
    StaleLease,
    /// The body is too large.
    TooLarge,
    /// The media type of the body is not supported.
    MediaType,
    /// The idempotency key was used with another request.
    IdempotencyKeyReused,
    /// The server has the maximum number of queues.
    TooManyQueues,
    /// The server has the maximum number of API keys.
    TooManyKeys,
    /// The server has the maximum number of webhook secrets.
    TooManyWebhookSecrets,
    /// The server failed; the cause is in its log.
    Internal,
    /// It is unknown whether the change was stored.
    OutcomeUnknown,
    /// Too many requests are in progress.
    Overloaded,
    /// Another process holds the database.
    DatabaseBusy,
    /// The server is about to stop and leases no more jobs.
    Draining,
    /// The server has been stopped.
    Stopped,
    /// The disk is full.
    StorageFull,
}

impl ProblemType {
    /// Returns the HTTP status. An [`Invalid`](Self::Invalid) text that is not JSON, query parameter
    /// or header is answered with 400 instead.
    pub fn status(self) -> u16 {
        match self {
            Self::BadQuery | Self::BadBody => 400,
            Self::KeyNeeded | Self::InvalidKey => 401,
            Self::ForeignSite | Self::ForeignHost | Self::MissingScope | Self::Forbidden => 403,
            Self::KeyLimit => 429,
            Self::NotFound => 404,
            Self::WrongMethod => 405,
            Self::TooSlow => 408,
            Self::Conflict | Self::StaleLease => 409,
            Self::TooLarge => 413,
            Self::MediaType => 415,
            Self::Invalid
            | Self::IdempotencyKeyReused
            | Self::TooManyQueues
            | Self::TooManyKeys
            | Self::TooManyWebhookSecrets => 422,
            Self::Internal | Self::OutcomeUnknown => 500,
            Self::Overloaded | Self::DatabaseBusy | Self::Draining | Self::Stopped => 503,
            Self::StorageFull => 507,
        }
    }

    /// Returns the number of seconds after which the client should try again, if it should.
    pub fn retry_after_secs(self) -> Option<u64> {
        match self {
            Self::Overloaded | Self::Draining | Self::Stopped | Self::KeyLimit => {
                Some(RETRY_OVERLOAD_SECS)
            }
            Self::DatabaseBusy | Self::StorageFull => Some(RETRY_FULL_SECS),
            _ => None,
        }
    }

    /// Returns the value of `WWW-Authenticate` (RFC 6750), if the answer needs one.
    pub fn challenge(self) -> Option<&'static str> {
        match self {
            Self::KeyNeeded => Some("Bearer"),
            Self::InvalidKey => Some("Bearer error=\"invalid_token\""),
            Self::MissingScope => Some("Bearer error=\"insufficient_scope\""),
            _ => None,
        }
    }

    /// Returns the URI that identifies the type.
    pub fn urn(self) -> &'static str {
        match self {
            Self::Invalid => "urn:longshore:problem:invalid",
            Self::BadQuery => "urn:longshore:problem:bad-query",
            Self::BadBody => "urn:longshore:problem:bad-body",
            Self::ForeignSite => "urn:longshore:problem:foreign-site",
            Self::ForeignHost => "urn:longshore:problem:foreign-host",
            Self::KeyNeeded => "urn:longshore:problem:key-needed",
            Self::InvalidKey => "urn:longshore:problem:invalid-key",
            Self::MissingScope => "urn:longshore:problem:missing-scope",
            Self::Forbidden => "urn:longshore:problem:forbidden",
            Self::KeyLimit => "urn:longshore:problem:key-limit",
            Self::NotFound => "urn:longshore:problem:not-found",
            Self::WrongMethod => "urn:longshore:problem:wrong-method",
            Self::TooSlow => "urn:longshore:problem:too-slow",
            Self::Conflict => "urn:longshore:problem:conflict",
            Self::StaleLease => "urn:longshore:problem:stale-lease",
            Self::TooLarge => "urn:longshore:problem:too-large",
            Self::MediaType => "urn:longshore:problem:media-type",
            Self::IdempotencyKeyReused => "urn:longshore:problem:idempotency-key-reused",
            Self::TooManyQueues => "urn:longshore:problem:too-many-queues",
            Self::TooManyKeys => "urn:longshore:problem:too-many-keys",
            Self::TooManyWebhookSecrets => "urn:longshore:problem:too-many-webhook-secrets",
            Self::Internal => "urn:longshore:problem:internal",
            Self::OutcomeUnknown => "urn:longshore:problem:outcome-unknown",
            Self::Overloaded => "urn:longshore:problem:overloaded",
            Self::DatabaseBusy => "urn:longshore:problem:database-busy",
            Self::Draining => "urn:longshore:problem:draining",
            Self::Stopped => "urn:longshore:problem:stopped",
            Self::StorageFull => "urn:longshore:problem:storage-full",
        }
    }
}

/// Body of an error response. A client accepts a body with any of the fields missing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProblemDetails {
    /// URI of the [`ProblemType`].
    #[serde(rename = "type")]
    pub problem_type: Cow<'static, str>,
    /// Summary of the problem type: the reason phrase of the status.
    pub title: Cow<'static, str>,
    /// HTTP status of the response.
    pub status: u16,
    /// Description of this occurrence of the problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Invalid fields of the request.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Problem>,
}

/// Problem of one entry of a list that was refused, beside the status of the entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryProblem {
    /// URI of the [`ProblemType`].
    #[serde(rename = "type")]
    pub problem_type: &'static str,
    /// Summary of the problem type: the reason phrase of the status.
    pub title: &'static str,
    /// Description of this occurrence of the problem.
    pub detail: String,
    /// Invalid fields of the entry.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Problem>,
}

/// Returns the errors that an answer lists. If there are too many, the last one says how many are
/// omitted.
pub fn listed(errors: Vec<Problem>) -> Vec<Problem> {
    let number: usize = errors.iter().map(Problem::number).sum();
    let mut left = MAX_ERRORS_BYTES;
    let fits = |error: &Problem| {
        let rest = left.checked_sub(size_in_answer(error));
        left = rest.unwrap_or_default();
        rest.is_some()
    };
    let single = errors.into_iter().filter(|error| !error.is_omission());
    let mut listed: Vec<Problem> = single.take(MAX_PROBLEMS).take_while(fits).collect();
    if listed.len() < number {
        listed.push(Problem::omission("", number - listed.len()));
    }
    listed
}

/// Returns the size of an error in the JSON of an answer, in bytes.
fn size_in_answer(error: &Problem) -> usize {
    let size = |byte: u8| match byte {
        0..b' ' => 6,
        b'"' | b'\\' => 2,
        _ => 1,
    };
    let text = error.pointer.bytes().chain(error.detail.bytes());
    text.map(size).sum::<usize>() + r#"{"pointer":"","detail":""},"#.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_errors_is_bounded_in_number_and_in_bytes() {
        let errors = |count: usize, detail: &str| listed(vec![Problem::new("/a", detail); count]);
        assert_eq!(errors(100, "is wrong").len(), 100);
        let many = errors(250, "is wrong");
        assert_eq!((many.len(), many[100].detail.as_str()), (101, "and 150 more"));
        let long = errors(100, &"\u{1}\"".repeat(1_000));
        let size = serde_json::to_string(&long).unwrap().len();
        assert!((50 << 10..64 << 10).contains(&size), "{size}");
        let last = long.last().unwrap();
        assert_eq!(last.detail, format!("and {} more", 101 - long.len()));
    }
}
