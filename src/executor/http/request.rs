//! The payload of an `http` job.

use awc::http::Method;
use awc::http::header::{CONTENT_TYPE, HeaderValue};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;

use crate::config::Secret;
use crate::executor::context::Context;
use crate::executor::http::bound_secrets::BoundSecrets;
use crate::executor::http::headers::{HeaderFields, HeaderReader};
use crate::executor::outbound::{Call, Target};
use crate::executor::provider::{Headers, Provider, Providers};
use crate::job::Json;
use crate::job::problem::Problem;

/// Standard methods, which a payload may write in any case.
const STANDARD_METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with url, or with provider and path")]
struct HttpPayload {
    url: Option<String>,
    provider: Option<String>,
    path: Option<String>,
    method: Option<String>,
    #[serde(default)]
    headers: HeaderFields,
    body: Option<Json>,
    body_base64: Option<String>,
}

/// A valid request of an `http` job.
pub(super) struct HttpRequest<'a> {
    /// Provider to call, if the payload names one.
    pub(super) provider: Option<&'a Provider>,
    target: Target,
    method: Method,
    headers: Headers,
    /// Secrets from the configuration that are in the headers.
    credentials: Vec<Secret>,
    body: Bytes,
}

impl<'a> HttpRequest<'a> {
    /// Reads a payload, and fills in the secrets that it names.
    ///
    /// # Errors
    /// Returns all problems of the payload, each with a JSON pointer into it.
    pub(super) fn read(
        payload: &Json,
        providers: &'a Providers,
        secrets: &BoundSecrets,
    ) -> Result<Self, Vec<Problem>> {
        let payload: HttpPayload = payload.read_objects().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let (provider, target) = destination(&payload, providers, &mut problems);
        let mut reader =
            HeaderReader { secrets, target: target.as_ref(), provider, used: Vec::new() };
        let mut headers = reader.read(&payload.headers, &mut problems);
        let mut credentials = reader.used;
        if let Some(provider) = provider {
            provider.add_headers(&mut headers);
            credentials.extend(provider.key().cloned());
        }
        let body = body(&payload, &mut headers, &mut problems);
        let default = if body.is_none() { Method::GET } else { Method::POST };
        let method = method(payload.method.as_deref(), default, &mut problems);
        if method == Method::TRACE && !credentials.is_empty() {
            let why = "must not be TRACE with a secret, because its answer repeats the request";
            problems.push(Problem::new("/method", why));
        }
        match target {
            Some(target) if problems.is_empty() => {
                let body = body.unwrap_or_default();
                Ok(Self { provider, target, method, headers, credentials, body })
            }
            _ => Err(problems),
        }
    }

    /// Returns the server and the resource.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Returns the call, with headers that identify the job and the attempt to the other server.
    pub(super) fn into_call(self, payload: &Json, context: &Context) -> Call {
        let Self { provider: _, target, method, headers, credentials, body } = self;
        Call { method, target, headers, credentials, body }.identify(payload, context)
    }
}

/// Returns where a request is sent: to `url`, or to `path` at `provider`.
fn destination<'a>(
    payload: &HttpPayload,
    providers: &'a Providers,
    problems: &mut Vec<Problem>,
) -> (Option<&'a Provider>, Option<Target>) {
    let mut problem = |pointer: &str, why: String| problems.push(Problem::new(pointer, why));
    match (&payload.url, &payload.provider, &payload.path) {
        (Some(url), None, None) => {
            (None, Target::parse(url).map_err(|why| problem("/url", why)).ok())
        }
        (Some(_), provider, path) => {
            for (pointer, _) in [("/provider", provider), ("/path", path)]
                .into_iter()
                .filter(|(_, field)| field.is_some())
            {
                problem(pointer, "cannot be combined with url".into());
            }
            (None, None)
        }
        (None, Some(name), path) => {
            let provider = providers.named(name).map_err(|why| problem("/provider", why)).ok();
            let Some(path) = path else {
                problem("/path", "is required with provider".into());
                return (provider, None);
            };
            let target = provider.map(|provider| provider.target(path));
            let target = target.and_then(|target| target.map_err(|why| problem("/path", why)).ok());
            (provider, target)
        }
        (None, None, Some(_)) => {
            problem("/provider", format!("is required with path; {}", providers.names()));
            (None, None)
        }
        (None, None, None) => {
            problem("", "must have url, or provider and path".into());
            (None, None)
        }
    }
}

/// Returns the method of a request.
///
/// Method names are case-sensitive (RFC 9110, section 9.1), and servers know the standard ones in
/// upper case only, so `get` becomes `GET`. Other names are sent as they are written.
fn method(text: Option<&str>, default: Method, problems: &mut Vec<Problem>) -> Method {
    let Some(text) = text else { return default };
    let standard = STANDARD_METHODS.into_iter().find(|method| text.eq_ignore_ascii_case(method));
    match Method::from_bytes(standard.unwrap_or(text).as_bytes()) {
        Ok(Method::CONNECT) => {
            problems.push(Problem::new("/method", "must not be CONNECT, which opens a tunnel"));
            default
        }
        Ok(method) => method,
        Err(_) => {
            problems.push(Problem::new("/method", "must be an HTTP method such as GET or POST"));
            default
        }
    }
}

/// Returns the body, if the payload has one. Adds a content type to `headers` if it has none.
fn body(
    payload: &HttpPayload,
    headers: &mut Headers,
    problems: &mut Vec<Problem>,
) -> Option<Bytes> {
    let (body, content_type) = match (&payload.body, &payload.body_base64) {
        (Some(_), Some(_)) => {
            problems.push(Problem::new("/body_base64", "cannot be combined with body"));
            return None;
        }
        (Some(json), None) => match json.read::<String>() {
            Ok(text) => (Bytes::from(text), Some("text/plain; charset=utf-8")),
            Err(_) => (Bytes::from(json.as_str().to_owned()), Some("application/json")),
        },
        (None, Some(text)) => match BASE64_STANDARD.decode(text) {
            Ok(bytes) => (Bytes::from(bytes), None),
            Err(error) => {
                problems
                    .push(Problem::new("/body_base64", format!("is not valid base64: {error}")));
                return None;
            }
        },
        (None, None) => return None,
    };
    if let Some(content_type) = content_type
        && !headers.iter().any(|(name, _)| name == CONTENT_TYPE)
    {
        headers.push((CONTENT_TYPE, HeaderValue::from_static(content_type)));
    }
    Some(body)
}
