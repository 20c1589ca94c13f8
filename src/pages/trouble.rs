//! Pages that say what is wrong.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use askama::Template;

use crate::pages::answer::{Answered, with_status};
use crate::pages::dress::{Dress, Place};
use crate::server::Error;
use crate::store::Refusal;

/// An answer that is a page about what is wrong.
#[derive(Debug)]
pub(super) struct Trouble {
    status: StatusCode,
    title: &'static str,
    detail: String,
    allow: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "trouble.html")]
struct TroublePage<'a> {
    dress: Dress,
    status: u16,
    detail: &'a str,
}

impl Trouble {
    pub(super) fn new(status: StatusCode, title: &'static str, detail: impl fmt::Display) -> Self {
        Self { status, title, detail: detail.to_string(), allow: None }
    }

    /// There is nothing of the kind.
    pub(super) fn none(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", detail)
    }

    /// What was asked cannot be read.
    pub(super) fn bad(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "That cannot be read", detail)
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        let (status, title) = match &error {
            Error::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "That is not valid"),
            Error::Refused(Refusal::NoJob(_) | Refusal::NoBatch(_)) => {
                (StatusCode::NOT_FOUND, "Not found")
            }
            Error::Refused(Refusal::Conflict { .. } | Refusal::StaleLease) => {
                (StatusCode::CONFLICT, "That does not go")
            }
            Error::Refused(Refusal::KeyReused | Refusal::TooManyQueues(_)) => {
                (StatusCode::UNPROCESSABLE_ENTITY, "That does not go")
            }
            Error::Refused(Refusal::Rejected(why)) => {
                tracing::error!(why, "the database refused a write that had passed all checks");
                (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong")
            }
            Error::StorageFull => (StatusCode::INSUFFICIENT_STORAGE, "The disk is full"),
            Error::Overloaded | Error::Busy | Error::Draining | Error::Stopped => {
                (StatusCode::SERVICE_UNAVAILABLE, "Not now")
            }
            Error::Unknown | Error::Unreadable => {
                (StatusCode::INTERNAL_SERVER_ERROR, "Something went wrong")
            }
        };
        let is_inner = matches!(error, Error::Refused(Refusal::Rejected(_)));
        let detail =
            if is_inner { "the database refused the write".into() } else { error.to_string() };
        Self { status, title, detail, allow: None }
    }
}

impl ResponseError for Trouble {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let page = TroublePage {
            dress: Dress::still(self.title, Place::Elsewhere),
            status: self.status.as_u16(),
            detail: &self.detail,
        };
        let mut response = with_status(self.status, &page);
        if let Some(methods) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
        }
        response
    }
}

/// What a path answers that leads nowhere.
pub(super) async fn nowhere(request: HttpRequest) -> Answered {
    Err(Trouble::none(format!("there is nothing at {}", request.path())))
}

/// What a path answers to a method that it does not take.
pub(super) async fn wrong_method(allow: &'static str) -> Answered {
    let detail = format!("this address takes {allow} only");
    let trouble = Trouble::new(StatusCode::METHOD_NOT_ALLOWED, "That does not go", detail);
    Err(Trouble { allow: Some(allow), ..trouble })
}
