//! Refuses the requests of OpenAI's client libraries.
//!
//! A library whose `base_url` is this server's `/v1` sends requests that look like ours: its
//! `batches.cancel("1")` is `POST /v1/batches/1/cancel`, which would cancel our batch 1.

use actix_web::http::header::HeaderMap;

use crate::api::problem::ProblemType;
use crate::http::problem::Rejection;

/// Start of the names of the headers that these libraries add to every request, such as
/// `X-Stainless-Lang: python`. Stainless is the generator of the libraries.
const HEADER_PREFIX: &str = "x-stainless-";

const DETAIL: &str = "this server has no OpenAI routes, and a request of an OpenAI client library is not \
    applied to its native routes; submit a job of the kind chat with POST /v1/jobs from a plain HTTP client";

/// Returns the refusal of a request that such a library has sent.
pub(super) fn refusal(headers: &HeaderMap) -> Option<Rejection> {
    // Names are in lower case, however they were sent.
    let is_from_library = headers.keys().any(|name| name.as_str().starts_with(HEADER_PREFIX));
    is_from_library.then(|| Rejection::new(ProblemType::NotFound, DETAIL))
}
