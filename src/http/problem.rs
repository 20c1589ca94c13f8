//! Errors as problem details (RFC 9457), with JSON pointers to what is wrong.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};
use serde::Serialize;

use crate::job::problem::Problem;
use crate::server::Error;
use crate::store::Refusal;

/// After how many seconds a refused client should try again: load passes quickly, disks fill slowly.
const RETRY_OVERLOAD_SECS: u64 = 1;
const RETRY_FULL_SECS: u64 = 5;

/// An answer that is an error.
#[derive(Debug)]
pub(super) struct Rejection {
    status: StatusCode,
    kind: &'static str,
    detail: String,
    errors: Vec<Problem>,
    retry_after_secs: Option<u64>,
    allow: Option<&'static str>,
}

/// What stands in the body.
#[derive(Serialize)]
struct Details<'a> {
    #[serde(rename = "type")]
    kind: String,
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[Problem]>::is_empty")]
    errors: &'a [Problem],
}

/// Why one thing among many was refused.
#[derive(Serialize)]
pub(super) struct Refused {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    detail: String,
}

impl Rejection {
    /// The status and the reason, for an answer that tells of many things.
    pub(super) fn refused(self) -> (u16, Refused) {
        let (kind, title) = (self.urn(), self.title());
        (self.status.as_u16(), Refused { kind, title, detail: self.detail })
    }

    fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    fn urn(&self) -> String {
        format!("urn:longshore:problem:{}", self.kind)
    }

    pub(super) fn new(status: StatusCode, kind: &'static str, detail: impl fmt::Display) -> Self {
        let detail = detail.to_string();
        Self { status, kind, detail, errors: Vec::new(), retry_after_secs: None, allow: None }
    }

    /// The input is not what was asked for, at these places.
    pub(super) fn invalid(status: StatusCode, errors: Vec<Problem>) -> Self {
        let detail = match errors.as_slice() {
            [only] => only.to_string(),
            several => format!("{} things are wrong, see errors", several.len()),
        };
        Self { errors, ..Self::new(status, "invalid", detail) }
    }

    /// A query parameter or header is wrong.
    pub(super) fn bad_parameter(name: &str, why: impl fmt::Display) -> Self {
        Self::invalid(StatusCode::BAD_REQUEST, vec![Problem::new(format!("/{name}"), why)])
    }

    fn retry_after(self, secs: u64) -> Self {
        Self { retry_after_secs: Some(secs), ..self }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        let (status, kind) = match &refusal {
            Refusal::NoJob(_) | Refusal::NoBatch(_) => (StatusCode::NOT_FOUND, "not-found"),
            Refusal::Conflict { .. } => (StatusCode::CONFLICT, "conflict"),
            Refusal::StaleLease => (StatusCode::CONFLICT, "stale-lease"),
            Refusal::KeyReused => (StatusCode::UNPROCESSABLE_ENTITY, "idempotency-key-reused"),
            Refusal::TooManyQueues(_) => (StatusCode::UNPROCESSABLE_ENTITY, "too-many-queues"),
            Refusal::Rejected(why) => {
                tracing::error!(why, "the database refused a write that had passed all checks");
                let detail = "the write was refused by the database";
                return Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail);
            }
        };
        Self::new(status, kind, refusal)
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
            kind: self.urn(),
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

/// What a path answers that leads nowhere.
pub(super) async fn no_such_place(request: HttpRequest) -> Result<HttpResponse, Rejection> {
    let detail = format!("there is nothing at {}", request.path());
    Err(Rejection::new(StatusCode::NOT_FOUND, "not-found", detail))
}

/// What a path answers to a method that it does not take.
pub(super) async fn wrong_method(
    request: &HttpRequest,
    allow: &'static str,
) -> Result<HttpResponse, Rejection> {
    let detail = format!("{} does not take {}; it takes {allow}", request.path(), request.method());
    let rejection = Rejection::new(StatusCode::METHOD_NOT_ALLOWED, "wrong-method", detail);
    Err(Rejection { allow: Some(allow), ..rejection })
}
