//! Errors as problem details (RFC 9457), with a JSON pointer to each invalid field.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

use crate::job::problem::Problem;
use crate::server::Error;
use crate::store::Refusal;

/// Seconds after which a refused client should try again: overload passes quickly.
const RETRY_OVERLOAD_SECS: u64 = 1;
/// Seconds after which a client should try again if nothing can be written: a disk is not freed quickly.
const RETRY_FULL_SECS: u64 = 5;

/// A response that reports an error.
#[derive(Debug)]
pub(super) struct Rejection {
    status: StatusCode,
    problem_type: &'static str,
    detail: String,
    errors: Vec<Problem>,
    retry_after_secs: Option<u64>,
    allow: Option<&'static str>,
}

/// The body of an error response.
#[derive(Serialize)]
struct Details<'a> {
    #[serde(rename = "type")]
    problem_type: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Problem]>::is_empty")]
    errors: &'a [Problem],
}

/// The problem of one entry of a list that was refused.
#[derive(Serialize)]
pub(super) struct EntryProblem {
    #[serde(rename = "type")]
    problem_type: String,
    title: &'static str,
    detail: String,
}

impl Rejection {
    /// Returns the status and the problem of one entry, for a response that reports on a list of entries.
    pub(super) fn entry_problem(self) -> (u16, EntryProblem) {
        let (problem_type, title) = (self.urn(), self.title());
        (self.status.as_u16(), EntryProblem { problem_type, title, detail: self.detail })
    }

    fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    fn urn(&self) -> String {
        format!("urn:longshore:problem:{}", self.problem_type)
    }

    pub(super) fn new(
        status: StatusCode,
        problem_type: &'static str,
        detail: impl fmt::Display,
    ) -> Self {
        let detail = detail.to_string();
        Self {
            status,
            problem_type,
            detail,
            errors: Vec::new(),
            retry_after_secs: None,
            allow: None,
        }
    }

    /// Reports invalid fields.
    pub(super) fn invalid(status: StatusCode, errors: Vec<Problem>) -> Self {
        let detail = match errors.as_slice() {
            [only] => only.to_string(),
            several => format!("{} fields are invalid; see errors", several.len()),
        };
        Self { errors, ..Self::new(status, "invalid", detail) }
    }

    /// Reports an invalid query parameter or header.
    pub(super) fn bad_parameter(name: &str, why: impl fmt::Display) -> Self {
        Self::invalid(StatusCode::BAD_REQUEST, vec![Problem::new(format!("/{name}"), why)])
    }

    fn retry_after(self, secs: u64) -> Self {
        Self { retry_after_secs: Some(secs), ..self }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let (status, problem_type) = match &refusal {
            Refusal::NoJob(_) | Refusal::NoBatch(_) => (StatusCode::NOT_FOUND, "not-found"),
            Refusal::Conflict { .. } => (StatusCode::CONFLICT, "conflict"),
            Refusal::StaleLease => (StatusCode::CONFLICT, "stale-lease"),
            Refusal::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused"),
            Refusal::TooManyQueues(_) => (StatusCode::UNPROCESSABLE_ENTITY, "too-many-queues"),
            Refusal::InvalidSettings { pointer, detail } => {
                let problem = Problem::new(pointer.clone(), detail.clone());
                return Self::invalid(StatusCode::UNPROCESSABLE_ENTITY, vec![problem]);
            }
            Refusal::ImpossibleRow(_) => {
                // The store has logged the row.
                let detail = "the database holds an impossible row; `longshore verify` shows it";
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
            }
            Refusal::Rejected(why) => {
                tracing::error!(why, "the database refused a write that had passed all checks");
                let detail = "the write was refused by the database";
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
            }
        };
        Self::new(status, problem_type, refusal)
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Invalid(errors) => Self::invalid(StatusCode::UNPROCESSABLE_ENTITY, errors),
            Error::Refused(refusal) => refusal.into(),
            Error::Overloaded => Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail)
                .retry_after(RETRY_OVERLOAD_SECS),
            Error::Busy => Self::new(StatusCode::SERVICE_UNAVAILABLE, "database-busy", detail)
                .retry_after(RETRY_FULL_SECS),
            Error::StorageFull => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "storage-full", detail)
                    .retry_after(RETRY_FULL_SECS)
            }
            Error::Draining => Self::new(StatusCode::SERVICE_UNAVAILABLE, "draining", detail)
                .retry_after(RETRY_OVERLOAD_SECS),
            Error::Stopped => Self::new(StatusCode::SERVICE_UNAVAILABLE, "stopped", detail)
                .retry_after(RETRY_OVERLOAD_SECS),
            Error::Unknown => {
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "outcome-unknown", detail)
            }
            Error::Unreadable => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail),
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl ResponseError for Rejection {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let details = Details {
            problem_type: self.urn(),
            title: self.title(),
            status: self.status.as_u16(),
            detail: &self.detail,
            errors: &self.errors,
        };
        let mut response = HttpResponseBuilder::new(self.status);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        if let Some(secs) = self.retry_after_secs {
            response.insert_header((RETRY_AFTER, secs));
        }
        if let Some(methods) = self.allow {
            response.insert_header((ALLOW, methods));
        }
        response.json(details)
    }
}

/// Answers a path for which there is no route.
pub(super) async fn not_found(request: HttpRequest) -> Result<HttpResponse, Rejection> {
    let detail = format!("there is no resource at {}", request.path());
    Err(Rejection::new(StatusCode::NOT_FOUND, "not-found", detail))
}

/// Answers a method that the resource does not support.
pub(super) async fn method_not_allowed(
    request: &HttpRequest,
    allow: &'static str,
) -> Result<HttpResponse, Rejection> {
    let detail = format!("{} does not support {}; use {allow}", request.path(), request.method());
    let rejection = Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail);
    Err(Rejection { allow: Some(allow), ..rejection })
}
