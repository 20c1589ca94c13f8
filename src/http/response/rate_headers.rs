//! Headers that report the limit on requests of a key (draft-ietf-httpapi-ratelimit-headers).

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::actor::key_usage::RequestRate;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STATE: HeaderName = HeaderName::from_static("ratelimit");

/// Adds the limit and what is left of it. For example with a limit of 100: `RateLimit-Policy:
/// "requests";q=100;w=1` and `RateLimit: "requests";r=42;t=1`, which means 42 more within one second.
pub(in crate::http) fn add(headers: &mut HeaderMap, rate: RequestRate) {
    let RequestRate { limit, left, .. } = rate;
    let texts = [
        (POLICY, format!("\"requests\";q={limit};w=1")),
        (STATE, format!("\"requests\";r={left};t=1")),
    ];
    for (name, text) in texts {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(name, value);
        }
    }
}
