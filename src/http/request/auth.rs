//! Authentication: on whose behalf a request is made, and whether it may use its route.
//!
//! It runs before the router and before a body is read, for every path. The route is found in the table of the
//! API by the path as the router decodes it, so a percent-encoded path cannot have another one here. Paths that
//! are not in a table, such as those of an application, need a key that may do everything, unless they say
//! otherwise ([`public`](crate::http::public), [`scoped`](crate::http::scoped)).

pub(super) mod session;

use std::net::IpAddr;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{AUTHORIZATION, FORWARDED, HeaderMap};
use actix_web::web::Data;

use crate::api::problem::ProblemType;
use crate::api::routes::access::Access;
use crate::api::routes::{FoundRoute, RouteName, find, pages, parameter};
use crate::auth::principal::Principal;
use crate::auth::scope::Scope;
use crate::http::connection::UnixPeer;
use crate::http::problem::Rejection;
use crate::http::request::credential::Credential;
use crate::http::request::read_token;
use crate::http::routes::access_of_name;
use crate::server::Handle;

/// Scheme of the header that carries a key, in lowercase.
const SCHEME: &[u8] = b"bearer ";

/// The route of a request, before the router has found it.
pub(super) struct Target {
    pub(super) access: Access,
    /// Pattern of the path, if it is in a table.
    pub(super) pattern: Option<&'static str>,
    pub(super) name: Option<RouteName>,
}

impl Target {
    pub(super) fn of(request: &ServiceRequest) -> Self {
        // Decoded as for the router.
        let (method, path) = (request.method().as_str(), request.match_info().as_str());
        match find(method, path) {
            Some(FoundRoute::Route(route)) => {
                let (pattern, name) = (Some(route.path), Some(route.name));
                return Self { access: route.access, pattern, name };
            }
            // The answer, 405, is the same for all.
            Some(FoundRoute::WrongMethod(routes)) => {
                let pattern = routes.first().map(|route| route.path);
                return Self { access: Access::AnyKey, pattern, name: None };
            }
            None => {}
        }
        let resource = request.resource_map().match_name(path);
        if resource == Some(pages::RESOURCE_NAME) {
            let page = pages::find(method, path);
            let access = page.map_or(Access::AllQueues, |page| page.access);
            return Self { access, pattern: page.map(|page| page.path), name: None };
        }
        let access = resource.and_then(access_of_name).unwrap_or(Access::AllQueues);
        Self { access, pattern: None, name: None }
    }

    /// Returns whether the path and method are those of a route of the API that needs a key.
    pub(super) fn is_of_api(&self) -> bool {
        self.name.is_some() && self.access != Access::Public
    }

    /// Returns the id or name in the path of a request.
    pub(super) fn id<'a>(&self, path: &'a str) -> Option<&'a str> {
        parameter(self.pattern?, path)
    }
}

/// Finds out on whose behalf a request is made, and adds a [`Handle`] that acts for it to its extensions. Returns
/// the key or token, if one is needed.
///
/// # Errors
/// Returns the refusal of a request without a valid key, or whose key may not use the route.
pub(super) fn authenticate(request: &ServiceRequest) -> Result<Option<Credential>, Rejection> {
    let Some(handle) = request.app_data::<Data<Handle>>() else {
        let detail = "the server has no handle, so no request can be authenticated";
        return Err(Rejection::new(ProblemType::Internal, detail));
    };
    if let Some(token) = read_token::of(request) {
        let (acting, credential) = read_token::admit(request, handle, &token)?;
        request.extensions_mut().insert(acting);
        return Ok(Some(credential.count(handle.now()).map_err(Rejection::over_rate)?));
    }
    if !handle.keyring().needs_key() {
        act_for(request, handle, Principal::TRUSTED);
        return Ok(None);
    }
    let access = Target::of(request).access;
    if access == Access::Public {
        act_for(request, handle, Principal::nobody());
        return Ok(None);
    }
    let Some(secret) = secret(request.headers())? else {
        if let Some(credential) = session::credential(request, handle)? {
            return admit(request, handle, access, credential).map(Some);
        }
        if handle.config().keyless_loopback && is_direct_and_local(request) {
            act_for(request, handle, Principal::TRUSTED);
            return Ok(None);
        }
        let detail = "a key is needed: send Authorization: Bearer with a key";
        return Err(Rejection::new(ProblemType::KeyNeeded, detail));
    };
    let entry = handle
        .keyring()
        .find(secret, handle.now())
        .map_err(|refusal| Rejection::new(ProblemType::InvalidKey, refusal))?;
    admit(request, handle, access, Credential::of_key(entry)).map(Some)
}

/// Admits a request with the key of this credential, if that may use the route.
fn admit(
    request: &ServiceRequest,
    handle: &Handle,
    access: Access,
    credential: Credential,
) -> Result<Credential, Rejection> {
    let principal = credential.key().map_or_else(Principal::nobody, |key| key.principal().clone());
    if !access.allows(&principal) {
        return Err(missing_scope(access, &principal));
    }
    let acting = match credential.key() {
        Some(key) => handle.acting_with(principal, key),
        None => handle.acting_for(principal),
    };
    request.extensions_mut().insert(acting);
    credential.count(handle.now()).map_err(Rejection::over_rate)
}

/// Gives the handlers of a request a handle that acts for `principal`. A handler without one refuses.
fn act_for(request: &ServiceRequest, handle: &Handle, principal: Principal) {
    request.extensions_mut().insert(handle.acting_for(principal));
}

fn missing_scope(access: Access, principal: &Principal) -> Rejection {
    let has = principal.scopes.iter().map(Scope::as_str).collect::<Vec<_>>().join(" and ");
    let bound = if principal.queues.is_all() { "" } else { ", with a queue pattern" };
    let admin =
        if matches!(access, Access::Scopes(_) | Access::EveryScope(_)) { " or admin" } else { "" };
    let admin = if access.to_string().contains("admin") { "" } else { admin };
    let detail =
        format!("this needs a key with the scope {access}{admin}; the key has {has}{bound}");
    Rejection::new(ProblemType::MissingScope, detail)
}

/// Returns the secret in the header `Authorization`, or `None` if there is no such header.
pub(super) fn secret(headers: &HeaderMap) -> Result<Option<&str>, Rejection> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        let why = "is given more than once; send one key";
        return Err(Rejection::bad_parameter("Authorization", why));
    }
    let bytes = value.as_bytes();
    let is_bearer =
        bytes.len() > SCHEME.len() && bytes[..SCHEME.len()].eq_ignore_ascii_case(SCHEME);
    let token = is_bearer.then(|| bytes[SCHEME.len()..].trim_ascii());
    match token.and_then(|token| std::str::from_utf8(token).ok()) {
        Some(token) => Ok(Some(token)),
        None => {
            let detail = "Authorization must be Bearer with a key";
            Err(Rejection::new(ProblemType::InvalidKey, detail))
        }
    }
}

/// Returns whether a request comes from this machine, and no proxy has passed it on.
fn is_direct_and_local(request: &ServiceRequest) -> bool {
    let is_local = match request.peer_addr() {
        Some(peer) => is_loopback(peer.ip()),
        None => request.conn_data::<UnixPeer>().is_some(),
    };
    is_local && !is_forwarded(request.headers())
}

fn is_loopback(address: IpAddr) -> bool {
    // `::ffff:127.0.0.1` is how a socket for both families shows an IPv4 address.
    address.to_canonical().is_loopback()
}

/// Returns whether a proxy has passed a request on.
fn is_forwarded(headers: &HeaderMap) -> bool {
    // Names are in lower case, however they were sent.
    headers.contains_key(FORWARDED)
        || headers.keys().any(|name| name.as_str().starts_with("x-forwarded-"))
}

/// Returns the refusal of a request whose key has ended while it was under way.
pub(super) fn key_ended() -> Rejection {
    Rejection::new(ProblemType::InvalidKey, "the key is not valid")
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::StatusCode;
    use actix_web::http::header::HeaderValue;

    fn read(values: &[&'static [u8]]) -> Result<Option<String>, StatusCode> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        let status = |rejection: Rejection| actix_web::ResponseError::status_code(&rejection);
        secret(&headers).map(|secret| secret.map(str::to_owned)).map_err(status)
    }

    #[test]
    fn the_scheme_may_have_any_case_and_the_key_space_around_it() {
        for value in [&b"Bearer k"[..], b"bearer k", b"BEARER   k  "] {
            assert_eq!(read(&[value]), Ok(Some("k".into())), "{value:?}");
        }
        assert_eq!(read(&[]), Ok(None));
        for value in [&b""[..], b"Bearer", b"Bearer ", b"Basic k", b"k", b"Bearerk", b"Bearer \xff"]
        {
            assert_eq!(read(&[value]), Err(StatusCode::UNAUTHORIZED), "{value:?}");
        }
        assert_eq!(read(&[b"Bearer k", b"Bearer k"]), Err(StatusCode::BAD_REQUEST));
    }

    #[test]
    fn every_sign_of_a_proxy_counts() {
        let forwarded = |name: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(name.parse().unwrap(), HeaderValue::from_static("x"));
            is_forwarded(&headers)
        };
        for name in ["Forwarded", "X-Forwarded-For", "x-forwarded-proto", "X-FORWARDED-ANYTHING"] {
            assert!(forwarded(name), "{name}");
        }
        assert!(!forwarded("x-forward") && !forwarded("via"));
        assert!(is_loopback("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!is_loopback("::ffff:10.0.0.1".parse().unwrap()));
    }
}
