//! Sessions: the cookie that stands for a key in a browser, and what a browser is shown without one.

use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{ACCEPT, CACHE_CONTROL, COOKIE, HeaderName, HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpResponse, ResponseError};

use crate::actor::keyring::KeyEntry;
use crate::api::problem::ProblemType;
use crate::api::routes::find;
use crate::api::routes::pages::{LOGIN, RESOURCE_NAME, SESSION_COOKIE, login_path};
use crate::api::routes::refusal_page::{PageText, RefusalPage};
use crate::auth::principal::Principal;
use crate::auth::sender::Sender;
use crate::auth::token::Subject;
use crate::auth::viewer::Viewer;
use crate::http::problem::Rejection;
use crate::http::request::auth::credential::Credential;
use crate::http::request::guard::sender_of;
use crate::server::Handle;

/// Returns the credential of the session of a request, or `None` if it has no valid session.
///
/// # Errors
/// Returns the refusal of a request that changes something and was not sent by a page of this server: a browser
/// adds the cookie whatever page sends the request.
pub(super) fn credential(
    request: &ServiceRequest,
    handle: &Handle,
) -> Result<Option<Credential>, Rejection> {
    let Some(credential) = valid(request, handle) else { return Ok(None) };
    if request.method().is_safe() || sender_of(request) == Sender::OwnPage {
        return Ok(Some(credential));
    }
    let detail = "a request with the cookie of a session must come from a page of this server: \
        Sec-Fetch-Site or Origin must say so; programs send a key in Authorization";
    Err(Rejection::new(ProblemType::ForeignSite, detail))
}

/// Returns the credential of the first cookie with a valid session. Other servers under the same host name may
/// have set one of the same name.
fn valid(request: &ServiceRequest, handle: &Handle) -> Option<Credential> {
    let headers = request.headers().get_all(COOKIE);
    let mut tokens = headers.filter_map(|value| value.to_str().ok()).flat_map(tokens);
    tokens.find_map(|token| {
        let (claims, key) = handle.check_token(token, false).ok()?;
        let is_session = claims.subject == Subject::Session;
        let key = key.filter(|_| is_session)?;
        Some(Credential::of_token(Some(key), claims.expires_at.since(handle.now())))
    })
}

/// Returns the key of the session of a request, wherever the request comes from.
pub(in crate::http::request) fn key(request: &ServiceRequest) -> Option<Arc<KeyEntry>> {
    let handle = request.app_data::<Data<Handle>>()?;
    valid(request, handle)?.key().cloned()
}

/// Returns the values of the cookies of sessions in the header `Cookie` (RFC 6265, section 4.2.1).
fn tokens(cookies: &str) -> impl Iterator<Item = &str> {
    let pairs = cookies.split(';').filter_map(|cookie| cookie.trim().split_once('='));
    pairs.filter(|(name, _)| *name == SESSION_COOKIE).map(|(_, value)| value)
}

/// Returns the answer to a refused request. A browser that opens a page is shown a page: the one to sign in if a
/// key is needed, or else one that says why.
pub(in crate::http::request) fn refused(
    request: &ServiceRequest,
    rejection: &Rejection,
) -> HttpResponse {
    let is_read = matches!(request.method().as_str(), "GET" | "HEAD");
    if !wants_page(request) {
        return rejection.error_response();
    }
    if rejection.is_of(ProblemType::KeyNeeded) && is_read {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        return HttpResponse::SeeOther()
            .insert_header((LOCATION, login_path(path)))
            .insert_header((CACHE_CONTROL, "no-store"))
            .finish();
    }
    let page = request.app_data::<RefusalPage>();
    let handle = request.app_data::<Data<Handle>>();
    let (Some(page), Some(handle)) = (page, handle) else { return rejection.error_response() };
    // With the headers of the refusal, such as the time after which to try again.
    let mut response = rejection.error_response();
    let PageText { headers, html } =
        (page.0)(viewer(request, handle), response.status().as_u16(), &rejection.to_string());
    for (name, value) in headers {
        let name = HeaderName::from_static(name);
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response.set_body(BoxBody::new(html))
}

/// Returns whether a browser asks for a page: it accepts HTML, and the path is not one of the API.
fn wants_page(request: &ServiceRequest) -> bool {
    let path = request.match_info().as_str();
    let accepted = request.headers().get(ACCEPT).map_or(&b""[..], |value| value.as_bytes());
    accepted.windows(9).any(|part| part == b"text/html")
        && !path.starts_with("/v1/")
        && find(request.method().as_str(), path).is_none()
        && request.resource_map().match_name(LOGIN) == Some(RESOURCE_NAME)
}

/// Returns for whom the page about a refusal is made.
fn viewer(request: &ServiceRequest, handle: &Handle) -> Viewer {
    if !handle.needs_key() {
        return Viewer { principal: Principal::TRUSTED, key_name: None };
    }
    let credential = valid(request, handle);
    let key = credential.as_ref().and_then(Credential::key);
    Viewer {
        principal: key.map_or_else(Principal::nobody, |key| key.principal().clone()),
        key_name: key.map(|key| key.name().clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_cookie_of_the_session_counts() {
        let found = |cookies: &'static str| tokens(cookies).collect::<Vec<_>>();
        assert_eq!(found("longshore_session=a.b"), ["a.b"]);
        assert_eq!(found("x=1; longshore_session=a; y;longshore_session=b=c ; z=2"), ["a", "b=c"]);
        for other in ["", ";", "longshore_session", "xlongshore_session=a", "Longshore_Session=a"] {
            assert!(found(other).is_empty(), "{other}");
        }
    }
}
