//! Errors as problem details (RFC 9457), with a JSON pointer to each invalid field.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder, ResponseError};

use crate::actor::key_usage::RequestRate;
use crate::api::problem::{EntryProblem, ProblemDetails, ProblemType, listed};
use crate::http::response::rate_headers;
use crate::job::problem::{Problem, Short};
use crate::server::Error;
use crate::store::Refusal;

/// Maximum length of the text that describes an error, in bytes: a pointer and a detail.
const MAX_DETAIL_BYTES: usize = 520;

/// A response that reports an error. It is bounded: its texts are cut, and its list of errors is
/// shortened.
#[derive(Debug)]
pub(super) struct Rejection {
    problem_type: ProblemType,
    status: StatusCode,
    detail: String,
    errors: Vec<Problem>,
    allow: Option<String>,
    /// State of the limit on requests that the request is over.
    rate: Option<RequestRate>,
}

impl Rejection {
    pub(super) fn new(problem_type: ProblemType, detail: impl fmt::Display) -> Self {
        let status = StatusCode::from_u16(problem_type.status());
        Self {
            problem_type,
            status: status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            detail: Short::<_, MAX_DETAIL_BYTES>(detail).to_string(),
            errors: Vec::new(),
            allow: None,
            rate: None,
        }
    }

    /// Reports that a key is over its limit on requests.
    pub(super) fn over_rate(rate: RequestRate) -> Self {
        let detail = format_args!(
            "the key may send {} requests in a second, which is its limit",
            rate.limit
        );
        Self { rate: Some(rate), ..Self::new(ProblemType::KeyLimit, detail) }
    }

    /// Reports invalid fields.
    pub(super) fn invalid(status: StatusCode, errors: Vec<Problem>) -> Self {
        let detail = match errors.as_slice() {
            [only] if !only.is_omission() => only.to_string(),
            several => {
                let number: usize = several.iter().map(Problem::number).sum();
                format!("{number} fields are invalid; see errors")
            }
        };
        Self { status, errors: listed(errors), ..Self::new(ProblemType::Invalid, detail) }
    }

    /// Reports an invalid query parameter or header.
    pub(super) fn bad_parameter(name: &str, why: impl fmt::Display) -> Self {
        Self::invalid(StatusCode::BAD_REQUEST, vec![Problem::new(format!("/{name}"), why)])
    }

    /// Returns the status and the problem of one entry, for a response that reports on a list of entries.
    pub(super) fn entry_problem(self) -> (u16, EntryProblem) {
        let (problem_type, title) = (self.problem_type.urn(), self.title());
        let (detail, errors) = (self.detail, self.errors);
        (self.status.as_u16(), EntryProblem { problem_type, title, detail, errors })
    }

    pub(super) fn is_of(&self, problem_type: ProblemType) -> bool {
        self.problem_type == problem_type
    }

    fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }

    fn details(&self) -> ProblemDetails {
        ProblemDetails {
            problem_type: self.problem_type.urn().into(),
            title: self.title().into(),
            status: self.status.as_u16(),
            detail: Some(self.detail.clone()),
            errors: self.errors.clone(),
        }
    }
}

impl From<Refusal> for Rejection {
    fn from(refusal: Refusal) -> Self {
        Error::Refused(refusal).into()
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        let problem_type = ProblemType::from(&error);
        match error {
            Error::Invalid(errors) => Self::invalid(StatusCode::UNPROCESSABLE_ENTITY, errors),
            error => {
                let hidden = || "the write was refused by the database".into();
                Self::new(problem_type, error.client_message().unwrap_or_else(hidden))
            }
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
        let mut response = HttpResponseBuilder::new(self.status);
        response.insert_header((CONTENT_TYPE, "application/problem+json"));
        if let Some(secs) = self.problem_type.retry_after_secs() {
            response.insert_header((RETRY_AFTER, secs));
        }
        if let Some(methods) = &self.allow {
            response.insert_header((ALLOW, methods.as_str()));
        }
        if let Some(challenge) = self.problem_type.challenge() {
            response.insert_header((WWW_AUTHENTICATE, challenge));
        }
        let mut response = response.json(self.details());
        if let Some(rate) = self.rate {
            rate_headers::add(response.headers_mut(), rate);
        }
        response
    }
}

/// Answers a path for which there is no route.
pub(super) async fn not_found(request: HttpRequest) -> Result<HttpResponse, Rejection> {
    let detail = format_args!("there is no resource at {}", request.path());
    Err(Rejection::new(ProblemType::NotFound, detail))
}

/// Returns the answer to a method that the resource does not support. `allow` lists those that it
/// supports.
pub(super) fn method_not_allowed(request: &HttpRequest, allow: String) -> Rejection {
    let (path, method) = (Short::<_>(request.path()), Short::<_>(request.method()));
    let detail = format_args!("{path} does not support {method}; use {allow}");
    let rejection = Rejection::new(ProblemType::WrongMethod, detail);
    Rejection { allow: Some(allow), ..rejection }
}
