//! The payload of an `http` job.

use std::collections::HashMap;
use std::fmt;

use awc::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use awc::http::Method;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::executor::context::Context;
use crate::executor::outbound::{Call, Target};
use crate::job::Json;
use crate::job::problem::{Problem, Problems, Quoted, escape};

/// Headers that belong to the connection or are derived from the request, so a job cannot set them.
const CONNECTION_HEADERS: [&str; 13] = [
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

/// Standard methods, which a payload may write in any case.
const STANDARD_METHODS: [&str; 9] =
    ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"];

/// Prefix of the headers in which this server identifies the job. A job cannot set them.
const RESERVED_PREFIX: &str = "longshore-";

/// The headers of a payload, as they are listed there. A map would lose a name that is listed twice.
#[derive(Default)]
struct HeaderFields(Vec<(String, String)>);

impl<'de> Deserialize<'de> for HeaderFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(HeaderFieldsVisitor)
    }
}

struct HeaderFieldsVisitor;

impl<'de> Visitor<'de> for HeaderFieldsVisitor {
    type Value = HeaderFields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with names and values of headers")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<HeaderFields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = entries.next_entry()? {
            fields.push(field);
        }
        Ok(HeaderFields(fields))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with url")]
struct HttpPayload {
    url: String,
    method: Option<String>,
    #[serde(default)]
    headers: HeaderFields,
    body: Option<Json>,
    body_base64: Option<String>,
}

/// A valid request of an `http` job.
pub(super) struct HttpRequest {
    target: Target,
    method: Method,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl HttpRequest {
    /// Reads a payload.
    ///
    /// # Errors
    /// Returns all problems of the payload, each with a JSON pointer into it.
    pub(super) fn read(payload: &Json) -> Result<Self, Vec<Problem>> {
        let payload: HttpPayload = payload.read_objects().map_err(|problem| vec![problem])?;
        let mut problems = Vec::new();
        let target = Target::parse(&payload.url);
        let target = target.map_err(|why| problems.push(Problem::new("/url", why))).ok();
        let mut headers = headers(&payload.headers, &mut problems);
        let body = body(&payload, &mut headers, &mut problems);
        let default = if body.is_none() { Method::GET } else { Method::POST };
        let method = method(payload.method.as_deref(), default, &mut problems);
        match target {
            Some(target) if problems.is_empty() => {
                Ok(Self { target, method, headers, body: body.unwrap_or_default() })
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
        let Self { target, method, headers, body } = self;
        Call { method, target, headers, body }.identify(payload, context)
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

fn headers(
    HeaderFields(fields): &HeaderFields,
    problems: &mut Vec<Problem>,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::with_capacity(fields.len());
    let mut found = Problems::default();
    let mut first_names: HashMap<HeaderName, &str> = HashMap::with_capacity(fields.len());
    for (name, value) in fields {
        let pointer = || format!("/headers/{}", escape(name));
        match header(name, value) {
            Ok(header) => match first_names.insert(header.0.clone(), name) {
                Some(first) => found.add(|| Problem::new(pointer(), repeated(first, name))),
                None => headers.push(header),
            },
            Err(why) => found.add(|| Problem::new(pointer(), why)),
        }
    }
    problems.extend(found.into_vec("/headers"));
    headers
}

/// Describes a header that is listed more than once. Names are compared without regard to case (RFC
/// 9110, section 5.1).
fn repeated(first: &str, second: &str) -> String {
    let (first_quoted, second_quoted) = (Quoted(first), Quoted(second));
    if first == second {
        return format!("{first_quoted} is listed more than once");
    }
    format!("{first_quoted} and {second_quoted} are the same header; list it once")
}

fn header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), &'static str> {
    let Ok(name) = HeaderName::from_bytes(name.as_bytes()) else {
        return Err("is not a valid header name");
    };
    if CONNECTION_HEADERS.contains(&name.as_str()) {
        return Err("is set by the HTTP client and cannot be set by a job");
    }
    if name.as_str().starts_with(RESERVED_PREFIX) {
        return Err("is set by this server and cannot be set by a job");
    }
    match HeaderValue::from_str(value) {
        Ok(value) => Ok((name, value)),
        Err(_) => Err("contains a character that is not allowed in a header"),
    }
}

/// Returns the body, if the payload has one. Adds a content type to `headers` if the job sets none.
fn body(
    payload: &HttpPayload,
    headers: &mut Vec<(HeaderName, HeaderValue)>,
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
