//! Authentication: on whose behalf a request is made, and whether it may use its route.
//!
//! It runs before the router and before a body is read, for every path. The route is found in the table of the
//! API by the path as the router decodes it, so a percent-encoded path cannot have another one here. Paths that
//! are not in a table, such as those of an application, need a key that may do everything, unless they say
//! otherwise ([`public`](crate::http::public), [`scoped`](crate::http::scoped)).

mod bearer;
pub(in crate::http) mod credential;
pub(in crate::http) mod key_end;
pub(in crate::http) mod query_token;
pub(super) mod read_token;
pub(super) mod session;
pub(super) mod target;
mod trusted;

use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::web::Data;

use crate::actor::keyring::{KeyEntry, KeyRefusal};
use crate::api::problem::ProblemType;
use crate::api::routes::access::Access;
use crate::auth::principal::Principal;
use crate::auth::scope::Scope;
use crate::http::connection::VerifiedKey;
use crate::http::problem::Rejection;
use crate::http::request::auth::bearer::secret;
use crate::http::request::auth::credential::Credential;
use crate::http::request::auth::target::Target;
use crate::http::request::auth::trusted::is_trusted;
use crate::server::{Error, Handle};

/// Paths of the requests that create a key.
const KEYS: [&str; 2] = ["/v1/keys", "/keys"];

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
        return Ok(admit_without_key(request, handle));
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
        if is_trusted(request, handle) {
            act_for(request, handle, Principal::TRUSTED);
            return Ok(None);
        }
        return Err(Error::KeyNeeded.into());
    };
    let entry = verify(request, handle, secret)
        .map_err(|refusal| Rejection::new(ProblemType::InvalidKey, refusal))?;
    admit(request, handle, access, Credential::of_key(entry)).map(Some)
}

/// Admits a request that needs no key because none was ever created. Returns the credential that ends with that,
/// unless the same request would need none later either.
fn admit_without_key(request: &ServiceRequest, handle: &Handle) -> Option<Credential> {
    if is_trusted(request, handle) {
        act_for(request, handle, Principal::TRUSTED);
        return None;
    }
    request.extensions_mut().insert(handle.acting_without_key());
    // The request that creates the first key must get its answer: nothing else shows the secret. It does not wait, and
    // the handle refuses its change if another key came first.
    let creates_key = !request.method().is_safe()
        && KEYS.iter().any(|path| *path == request.match_info().as_str());
    (!creates_key).then(|| Credential::without_key(Arc::clone(handle.keyring())))
}

/// Admits a request with the key of this credential, if that may use the route.
fn admit(
    request: &ServiceRequest,
    handle: &Handle,
    access: Access,
    credential: Credential,
) -> Result<Credential, Rejection> {
    // A request that is refused counts as well.
    let credential = credential.count(handle.now()).map_err(Rejection::over_rate)?;
    let principal = credential.key().map_or_else(Principal::nobody, |key| key.principal().clone());
    if !access.allows(&principal) {
        return Err(missing_scope(access, &principal));
    }
    let acting = match credential.key() {
        Some(key) => handle.acting_with(principal, key),
        None => handle.acting_for(principal),
    };
    request.extensions_mut().insert(acting);
    Ok(credential)
}

/// Returns the key with this secret, which the connection may know from its last request.
fn verify(
    request: &ServiceRequest,
    handle: &Handle,
    secret: &str,
) -> Result<Arc<KeyEntry>, KeyRefusal> {
    let last = request.conn_data::<VerifiedKey>();
    if let Some(key) = last.and_then(|last| last.get(secret)) {
        key.accept(handle.now())?;
        return Ok(key);
    }
    let key = handle.keyring().find(secret, handle.now())?;
    if let Some(last) = last {
        last.set(secret, &key);
    }
    Ok(key)
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

/// Returns the refusal of a request whose key has ended while it was under way.
pub(super) fn ended(credential: &Credential) -> Rejection {
    let why = if credential.is_keyless() { Error::KeyNeeded } else { Error::KeyEnded };
    why.into()
}
