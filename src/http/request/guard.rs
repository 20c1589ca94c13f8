//! Refuses requests that a browser sends for pages of other sites (cross-site request forgery and DNS
//! rebinding), and requests that were meant for another API.

use std::borrow::Cow;
use std::net::IpAddr;

use actix_web::Error;
use actix_web::HttpRequest;
use actix_web::ResponseError;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use actix_web::middleware::Next;
use actix_web::web::Data;

use crate::api::problem::ProblemType;
use crate::http::problem::Rejection;
use crate::http::request::client::origin_of;
use crate::http::request::openai_client;
use crate::http::response::weighed::{AnswerBody, weigh};
use crate::job::problem::Quoted;
use crate::server::Handle;

/// Names the relation of the page that sent a request to this server.
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Passes a request on, unless it must be refused whatever its path is. Every answer is weighed here.
pub(in crate::http) async fn admit<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<AnswerBody>, Error> {
    match refusal(&request) {
        Some(rejection) => Ok(weigh(request.into_response(rejection.error_response()))),
        None => Ok(weigh(next.call(request).await?)),
    }
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
    if is_foreign(headers, &host) && !is_followed_link(request.method(), headers) {
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

/// Returns whether a browser sent the request for a page of another host than `host`.
fn is_foreign(headers: &HeaderMap, host: &str) -> bool {
    let fetch_site = headers.get(SEC_FETCH_SITE).map(|value| value.as_bytes());
    if matches!(fetch_site, Some(b"cross-site" | b"same-site")) {
        return true;
    }
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let parts = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
    parts.is_none_or(|(scheme, own)| {
        without_default_port(scheme, own) != without_default_port(scheme, host)
    })
}

/// Returns a host without the port that a browser omits for the scheme.
fn without_default_port<'a>(scheme: &str, host: &'a str) -> &'a str {
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return host,
    };
    host.strip_suffix(port).unwrap_or(host)
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

    #[test]
    fn an_origin_is_compared_by_its_host_and_port() {
        let is_own = |origin: &'static str, host: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, HeaderValue::from_static(origin));
            !is_foreign(&headers, host)
        };
        assert!(is_own("https://jobs.example", "jobs.example"));
        assert!(is_own("https://jobs.example", "jobs.example:443"));
        assert!(is_own("http://127.0.0.1:7373", "127.0.0.1:7373"));
        for (origin, host) in [
            ("http://jobs.example", "jobs.example:443"),
            ("https://jobs.example:8443", "jobs.example"),
            ("https://jobs.example", "other.example"),
            ("null", "jobs.example"),
            ("https://jobs.example", ""),
        ] {
            assert!(!is_own(origin, host), "{origin} {host}");
        }
    }
}
