//! Error pages: what is wrong, and what the user can do about it.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;

use crate::api::problem::ProblemType;
use crate::api::routes::refusal_page::PageText;
use crate::auth::viewer::Viewer;
use crate::job::problem::Short;
use crate::pages::access::permissions::Permissions;
use crate::pages::parts::layout::{Layout, NavItem};
use crate::pages::response::render::{HEADERS, render_with_status};
use crate::server::{Error, Handle};

/// Maximum length of the text that describes an error, in bytes.
const MAX_DETAIL_BYTES: usize = 1024;

/// An error that is shown to the user as a page.
#[derive(Debug)]
pub(crate) struct PageError {
    status: StatusCode,
    title: &'static str,
    detail: String,
    allow: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "error.html")]
struct ErrorPage {
    layout: Layout,
    status: u16,
    detail: String,
    advice: &'static str,
}

impl PageError {
    pub(crate) fn new(status: StatusCode, title: &'static str, detail: impl fmt::Display) -> Self {
        let detail = Short::<_, MAX_DETAIL_BYTES>(detail).to_string();
        Self { status, title, detail, allow: None }
    }

    /// Returns a 404: the page, or what it should show, does not exist.
    pub(crate) fn not_found(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, "Not found", detail)
    }

    /// Returns a 400: the query string or the form is malformed.
    pub(crate) fn bad_request(detail: impl fmt::Display) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "Bad request", detail)
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

impl fmt::Display for PageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl From<Error> for PageError {
    fn from(error: Error) -> Self {
        let problem_type = ProblemType::from(&error);
        let status = StatusCode::from_u16(problem_type.status());
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let hidden = || "the database refused the write".into();
        let detail = error.client_message().unwrap_or_else(hidden);
        Self::new(status, title(problem_type), detail)
    }
}

/// Returns the title of the page that reports an error of the server.
fn title(problem_type: ProblemType) -> &'static str {
    match problem_type {
        ProblemType::Invalid => "Invalid input",
        ProblemType::NotFound => "Not found",
        ProblemType::Conflict | ProblemType::StaleLease => "Not allowed in this state",
        ProblemType::StorageFull => "The disk is full",
        ProblemType::Overloaded
        | ProblemType::DatabaseBusy
        | ProblemType::Draining
        | ProblemType::Stopped => "Temporarily unavailable",
        ProblemType::Internal | ProblemType::OutcomeUnknown => "Internal error",
        _ => "Request refused",
    }
}

impl PageError {
    /// Returns the answer to a request that ended with the error.
    pub(crate) fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let may = request.extensions().get::<Handle>().map(Permissions::of);
        let page = self.page(may.unwrap_or_else(Permissions::none));
        let mut response = render_with_status(self.status, &page);
        if let Some(methods) = self.allow {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
        }
        response
    }

    fn page(&self, may: Permissions) -> ErrorPage {
        ErrorPage {
            layout: Layout::fixed(may, self.title, NavItem::None),
            status: self.status.as_u16(),
            detail: sentence(&self.detail),
            advice: advice(self.status),
        }
    }
}

/// Renders what the HTTP layer has refused.
pub(crate) fn refusal_page(viewer: Viewer, status: u16, detail: &str) -> PageText {
    let (title, detail) = match status {
        401 => ("Sign in", "the session has ended, or you have not signed in"),
        _ => ("Request refused", detail),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let page = PageError::new(status, title, detail).page(Permissions::of_viewer(viewer));
    // The template always renders; without its text the status is all that is shown.
    PageText { headers: HEADERS, html: page.render().unwrap_or_default() }
}

/// Returns what the user can do about an error of this status.
fn advice(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => "What you sent had no effect. Sign in and send it again.",
        StatusCode::FORBIDDEN => {
            "Sign in with a key that may do this. If another site has sent you here, open the form on this \
             server again and submit it from there. A proxy in front of the server must pass the Host header \
             unchanged."
        }
        StatusCode::METHOD_NOT_ALLOWED | StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            "Use the forms of the pages, or the API under /v1."
        }
        StatusCode::NOT_FOUND => "Check the address. A job or batch may also have been deleted.",
        StatusCode::CONFLICT => "Reload the page to see the current state, then decide again.",
        StatusCode::PAYLOAD_TOO_LARGE => "Shorten the payload and submit the form again.",
        StatusCode::REQUEST_TIMEOUT | StatusCode::SERVICE_UNAVAILABLE => {
            "Wait a few seconds and try again."
        }
        StatusCode::INSUFFICIENT_STORAGE => "Free disk space on the server and try again.",
        StatusCode::INTERNAL_SERVER_ERROR => "The server's log has the details.",
        _ => "Go back, correct the input and try again.",
    }
}

/// Returns an error message as a sentence: it starts with a capital letter and ends with a full stop.
fn sentence(message: &str) -> String {
    let mut letters = message.chars();
    match letters.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), letters.as_str()),
        None => String::new(),
    }
}

/// Answers a path without a page.
pub(crate) async fn not_found(request: HttpRequest) -> HttpResponse {
    PageError::not_found(format_args!("there is no page at {}", request.path())).answer(&request)
}

/// Answers a request whose method its path does not support.
pub(crate) async fn wrong_method(request: HttpRequest, allow: &'static str) -> HttpResponse {
    let detail = format!("this address supports only the methods {allow}");
    let error = PageError::new(StatusCode::METHOD_NOT_ALLOWED, "Method not allowed", detail);
    PageError { allow: Some(allow), ..error }.answer(&request)
}
