//! Tokens for reading one job or batch, with which a page of an application shows its progress.

use std::sync::Arc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::Query;

use crate::api::problem::ProblemType;
use crate::api::routes::access::Access;
use crate::api::routes::{RouteName, parameter};
use crate::auth::access::QueueAccess;
use crate::auth::principal::Principal;
use crate::auth::scope::Scopes;
use crate::auth::token::{self, Subject};
use crate::http::problem::Rejection;
use crate::http::request::auth::bearer;
use crate::http::request::auth::credential::Credential;
use crate::http::request::auth::query_token::{InQuery, PARAMETER};
use crate::http::request::auth::target::Target;
use crate::http::request::auth::trusted::is_trusted;
use crate::server::Handle;

/// Returns the token of a request, if it has one: in `Authorization`, or in the query.
///
/// A route that needs no key looks at no token either. In the query of a path that is not one of the API, such as
/// one of the application, `token` is a parameter like others.
pub(in crate::http::request) fn of(request: &ServiceRequest) -> Option<String> {
    if let Some(token) = in_query(request)
        && Target::of(request).is_of_api()
    {
        request.extensions_mut().insert(InQuery);
        return Some(token);
    }
    if !request.headers().contains_key(AUTHORIZATION) {
        return None;
    }
    // A header that cannot be read is refused where a key is needed.
    let token = bearer::secret(request.headers()).ok().flatten();
    let token = token.filter(|token| token.starts_with(token::PREFIX))?;
    (Target::of(request).access != Access::Public).then(|| token.to_owned())
}

/// Returns the parameter of the query with a token.
fn in_query(request: &ServiceRequest) -> Option<String> {
    let query = request.query_string();
    if !query.contains("token=") {
        return None;
    }
    let pairs = Query::<Vec<(String, String)>>::from_query(query).ok()?.into_inner();
    pairs.into_iter().find(|(name, _)| name == PARAMETER).map(|(_, token)| token)
}

/// Returns what a request with this token may do, and until when.
///
/// # Errors
/// Returns the refusal if the token is not valid, or is for something else.
pub(in crate::http::request) fn admit(
    request: &ServiceRequest,
    handle: &Handle,
    token: &str,
) -> Result<(Handle, Credential), Rejection> {
    let (target, path) = (Target::of(request), request.match_info().as_str());
    let needs_no_key = is_trusted(request, handle);
    let (claims, key) = handle
        .check_token(token, needs_no_key)
        .map_err(|invalid| Rejection::new(ProblemType::InvalidKey, invalid))?;
    let id = target.pattern.and_then(|pattern| parameter(pattern, path));
    let (is_its_route, subject) = match (claims.subject, target.name) {
        (
            Subject::Job(job),
            Some(
                RouteName::GetJob
                | RouteName::JobEvents
                | RouteName::GetLog
                | RouteName::JobDeliveries,
            ),
        ) => (id == Some(&*job.to_string()), format!("job {job}")),
        (
            Subject::Batch(batch),
            Some(
                RouteName::GetBatch
                | RouteName::BatchEvents
                | RouteName::BatchResults
                | RouteName::BatchDeliveries,
            ),
        ) => (id == Some(&*batch.to_string()), format!("batch {batch}")),
        (Subject::Job(job), _) => (false, format!("job {job}")),
        (Subject::Batch(batch), _) => (false, format!("batch {batch}")),
        (Subject::Session, _) => (false, "the pages".into()),
    };
    if !is_its_route {
        let detail = match claims.subject {
            Subject::Session => "the token is that of a session, and only a cookie".to_owned(),
            _ => format!("the token is only for {subject} and its events"),
        };
        return Err(Rejection::new(ProblemType::MissingScope, detail));
    }
    let queues = key.as_ref().map_or(QueueAccess::All, |key| key.principal().queues.clone());
    let principal = Principal { key: claims.key, scopes: Scopes::default(), queues };
    let acting = match &key {
        Some(key) => handle.acting_with_token(principal, key),
        None => handle.acting_for(principal),
    };
    let valid_for = claims.expires_at.since(handle.now());
    let ends_with_first_key = key.is_none() && !needs_no_key;
    let mut credential = Credential::of_token(key, valid_for).with_usage_of_tokens();
    if ends_with_first_key {
        credential = credential.until_first_key(Arc::clone(handle.keyring()));
    }
    Ok((acting, credential))
}
