//! Refuses requests that a browser sends for pages of other sites (cross-site request forgery and DNS
//! rebinding), requests that were meant for another API, and requests without a valid key.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::Error;
use actix_web::HttpRequest;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use actix_web::middleware::Next;
use actix_web::web::Data;

use crate::api::problem::ProblemType;
use crate::auth::sender::Sender;
use crate::http::problem::Rejection;
use crate::http::request::audit::Audit;
use crate::http::request::auth::credential::Credential;
use crate::http::request::auth::key_end::unless_ended;
use crate::http::request::auth::session;
use crate::http::request::client::origin_of;
use crate::http::request::waits::may_wait;
use crate::http::request::{auth, cors, openai_client};
use crate::http::response::rate_headers;
use crate::http::response::weighed::{AnswerBody, end_with, weigh};
use crate::job::problem::Quoted;
use crate::server::Handle;

/// Names the relation of the page that sent a request to this server.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Passes a request on, unless it must be refused whatever its path is. Every answer is weighed here.
pub(in crate::http) async fn admit<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<AnswerBody>, Error> {
    let origin = cors::allowed_origin(&request);
    if origin.is_some() && cors::is_preflight(&request) {
        return Ok(cors::allow(weigh(request.into_response(cors::preflight())), origin));
    }
    let authenticated = match refusal(&request) {
        Some(rejection) => Err(rejection),
        None => auth::authenticate(&request),
    };
    let credential = match authenticated {
        Ok(credential) => credential,
        Err(rejection) => {
            let refused = session::refused(&request, &rejection);
            return Ok(cors::allow(weigh(request.into_response(refused)), origin));
        }
    };
    let audit = Audit::start(&request, credential.as_ref(), session::key);
    let answered = match credential.as_ref().filter(|_| may_wait(&request)) {
        None => next.call(request).await,
        Some(credential) => match unless_ended(credential, next.call(request)).await {
            Some(answered) => answered,
            None => Err(auth::ended(credential).into()),
        },
    };
    if let Some(audit) = audit {
        audit.answered(match &answered {
            Ok(response) => response.status().as_u16(),
            Err(error) => error.as_response_error().status_code().as_u16(),
        });
    }
    let mut response = weigh(answered?);
    if let Some(rate) = credential.as_ref().and_then(Credential::rate) {
        rate_headers::add(response.headers_mut(), rate);
    }
    Ok(cors::allow(end_with(response, credential), origin))
}

/// Returns why a request is refused.
///
/// Browsers name the origin of a request (`Sec-Fetch-Site`, `Origin`); other clients do not. A page whose own
/// host name was made to resolve to this server (DNS rebinding) looks like one of ours, except
/// for that name in `Host`.
fn refusal(request: &ServiceRequest) -> Option<Rejection> {
    let headers = request.headers();
    let handle = request.app_data::<Data<Handle>>();
    let host = handle.map_or_else(Cow::default, |handle| host_of(request.request(), handle));
    let is_foreign = sender_of(request) == Sender::OtherSite;
    let is_link = is_followed_link(request.method(), headers);
    if is_foreign && !is_link && !cors::may_read(request) {
        let detail = "the request comes from a page of another site";
        return Some(Rejection::new(ProblemType::ForeignSite, detail));
    }
    let names = handle.map(|handle| &handle.config().hosts);
    let name =
        headers.contains_key(HOST).then(|| foreign_name(&host, names.map_or(&[], Vec::as_slice)));
    if let Some(name) = name.flatten() {
        let name = Quoted(&name);
        let detail = format_args!(
            "the host name {name} is not allowed; add it to `hosts` in the configuration"
        );
        return Some(Rejection::new(ProblemType::ForeignHost, detail));
    }
    openai_client::refusal(headers)
}

/// Returns the name by which the client called the server: `Host`, or what a trusted proxy says that it was.
fn host_of<'a>(request: &'a HttpRequest, handle: &Handle) -> Cow<'a, str> {
    if handle.config().trusted_proxies.is_empty() {
        let host = request.headers().get(HOST).map_or(&b""[..], HeaderValue::as_bytes);
        return String::from_utf8_lossy(host);
    }
    origin_of(request, handle).host.into()
}

/// Returns the name in `host` if it is not an IP address, not a name of this machine and not one of
/// `names`.
fn foreign_name(host: &str, names: &[String]) -> Option<String> {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|letter| letter.is_ascii_digit()) => name,
        _ => host,
    };
    let name = without_port.trim_start_matches('[').trim_end_matches(']');
    if name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok() {
        return None;
    }
    let name = name.to_ascii_lowercase();
    let is_known = name.ends_with(".localhost") || names.contains(&name);
    (!is_known).then_some(name)
}

/// Returns whether the user followed a link to a page. That changes nothing, and the other site cannot
/// read the response, because pages cannot be framed.
fn is_followed_link(method: &Method, headers: &HeaderMap) -> bool {
    let has_value =
        |name: &str, word: &[u8]| headers.get(name).is_some_and(|value| value.as_bytes() == word);
    method == Method::GET
        && headers.get(ORIGIN).is_none()
        && has_value("sec-fetch-mode", b"navigate")
        && has_value("sec-fetch-dest", b"document")
}

/// Returns who sent a request. A request without a header that says so is that of a program, and allowed unless
/// it has the cookie of a session.
pub(super) fn sender_of(request: &ServiceRequest) -> Sender {
    let value = |name| request.headers().get(name).map(HeaderValue::as_bytes);
    let (site, origin) = (value(SEC_FETCH_SITE), value(ORIGIN));
    let handle = request.app_data::<Data<Handle>>().filter(|_| origin.is_some());
    let Some(handle) = handle else { return Sender::of(site, origin, ("", "")) };
    let own = origin_of(request.request(), handle);
    Sender::of(site, origin, (own.scheme, &own.host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_of_this_machine_are_its_own() {
        let foreign = |host: &'static str| foreign_name(host, &["jobs.example".to_owned()]);
        for own in ["127.0.0.1:7373", "[::1]:80", "localhost", "a.localhost:1", "Jobs.Example:80"] {
            assert_eq!(foreign(own), None, "{own}");
        }
        for other in ["evil.example:7373", "127.0.0.1.evil.example", "localhost.evil.example", ""] {
            assert!(foreign(other).is_some(), "{other}");
        }
    }
}
