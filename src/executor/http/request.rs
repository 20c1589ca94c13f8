//! The payload of an `http` job.

use std::collections::BTreeMap;

use awc::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use awc::http::{Method, Uri};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::executor::context::Context;
use crate::executor::outbound::Call;
use crate::job::Json;
use crate::job::problem::{Problem, escape};

/// Headers that belong to the connection or that follow from the rest of the request.
const NOT_THE_JOBS: [&str; 13] = [
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

/// The methods that are meant however they are written.
const STANDARD_METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// What begins the names of the headers in which we tell of the job.
const OWN_PREFIX: &str = "longshore-";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    url: String,
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Json>,
    body_base64: Option<String>,
}

/// A request that passed every check.
pub(super) struct Request {
    uri: Uri,
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Request {
    /// Reads a payload.
    ///
    /// # Errors
    /// Every problem, with its place in the payload.
    pub(super) fn read(payload: &Json) -> Result<Self, Vec<Problem>> {
        let payload: Payload = payload.read().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let uri = uri(&payload.url, &mut problems);
        let mut headers = headers(&payload.headers, &mut problems);
        let body = body(&payload, &mut headers, &mut problems);
        let default = if body.is_none() { Method::GET } else { Method::POST };
        let method = method(payload.method.as_deref(), default, &mut problems);
        if !problems.is_empty() {
            return Err(problems);
        }
        Ok(Self { uri, method, headers, body: body.unwrap_or_default() })
    }

    /// The call, with headers that tell the other server which job and attempt it comes from.
    pub(super) fn into_call(self, payload: &Json, context: &Context) -> Call {
        let mut headers = self.headers;
        let own = [
            ("longshore-job", context.job().to_string()),
            ("longshore-attempt", context.attempt().to_string()),
            ("idempotency-key", idempotency_key(payload, context)),
        ];
        for (name, value) in own {
            let name = HeaderName::from_static(name);
            let is_set = headers.iter().any(|(known, _)| *known == name);
            if let (false, Ok(value)) = (is_set, HeaderValue::from_str(&value)) {
                headers.push((name, value));
            }
        }
        Call { method: self.method, uri: self.uri, headers, body: self.body }
    }
}

/// The same for every attempt of a job.
///
/// The payload is part of it because the ids of another database begin at 1 as well: a server that
/// remembers keys would answer a new job as it answered an unlike older one.
fn idempotency_key(payload: &Json, context: &Context) -> String {
    let digest = Sha256::digest(payload.as_str().as_bytes());
    let digits: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    format!("longshore-{}-{digits}", context.job())
}

fn uri(text: &str, problems: &mut Vec<Problem>) -> Uri {
    match check_uri(text) {
        Ok(uri) => uri,
        Err(why) => {
            problems.push(Problem::new("/url", why));
            Uri::default()
        }
    }
}

/// Reads an absolute `http` or `https` URL.
pub(in crate::executor) fn check_uri(text: &str) -> Result<Uri, String> {
    if !text.is_ascii() {
        return Err("holds letters outside ASCII; write them percent-encoded".into());
    }
    let uri: Uri = text.parse().map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err("begins with http:// or https://".into());
    }
    let Some(authority) = uri.authority() else { return Err("names no host".into()) };
    if authority.as_str().contains('@') {
        return Err("holds a user or password; send them in a header".into());
    }
    if authority.host().is_empty() {
        return Err("names no host".into());
    }
    let rest = authority.as_str().get(authority.host().len()..).unwrap_or_default();
    if !rest.is_empty() && authority.port_u16().is_none_or(|port| port == 0) {
        return Err("names a port that is not one".into());
    }
    Ok(uri)
}

/// Methods are told apart by their case, and servers know these in capitals only.
fn method(text: Option<&str>, default: Method, problems: &mut Vec<Problem>) -> Method {
    let Some(text) = text else { return default };
    let standard = STANDARD_METHODS.into_iter().find(|method| text.eq_ignore_ascii_case(method));
    match Method::from_bytes(standard.unwrap_or(text).as_bytes()) {
        Ok(Method::CONNECT) => {
            problems.push(Problem::new("/method", "CONNECT makes a tunnel, not a call"));
            default
        }
        Ok(method) => method,
        Err(_) => {
            problems.push(Problem::new("/method", "is not a method, such as GET or POST"));
            default
        }
    }
}

fn headers(
    texts: &BTreeMap<String, String>,
    problems: &mut Vec<Problem>,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::with_capacity(texts.len());
    for (name, value) in texts {
        match header(name, value) {
            Ok(header) => headers.push(header),
            Err(why) => problems.push(Problem::new(format!("/headers/{}", escape(name)), why)),
        }
    }
    headers
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err("is not the name of a header");
    };
    if NOT_THE_JOBS.contains(&name.as_str()) {
        return Err("is set by the connection, not by the job");
    }
    if name.as_str().starts_with(OWN_PREFIX) {
        return Err("is set by the server");
    }
    match HeaderValue::from_str(value) {
        Ok(value) => Ok((name, value)),
        Err(_) => Err("holds a character that no header may hold"),
    }
}

/// The body, if the payload has one, and its content type where the job sets none.
fn body(
    payload: &Payload,
    headers: &mut Vec<(HeaderName, HeaderValue)>,
    problems: &mut Vec<Problem>,
) -> Option<Bytes> {
    let (body, content_type) = match (&payload.body, &payload.body_base64) {
        (Some(_), Some(_)) => {
            problems
                .push(Problem::new("/body_base64", "stands beside body; one of them is enough"));
            return None;
        }
        (Some(json), None) => match json.read::<String>() {
            Ok(text) => (Bytes::from(text), Some("text/plain; charset=utf-8")),
            Err(_) => (Bytes::from(json.as_str().to_owned()), Some("application/json")),
        },
        (None, Some(text)) => match BASE64_STANDARD.decode(text) {
            Ok(bytes) => (Bytes::from(bytes), None),
            Err(error) => {
                problems.push(Problem::new("/body_base64", format!("is not base64: {error}")));
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
