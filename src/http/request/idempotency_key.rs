//! The header `Idempotency-Key`: a repeated submission returns the jobs of the first one.

use actix_web::HttpRequest;
use sha2::{Digest, Sha256};

use crate::http::problem::Rejection;
use crate::job::submission::InvalidIdempotencyKey;
use crate::store::SubmissionKey;

const HEADER: &str = "idempotency-key";

/// Returns the key of a submission with this body, if it has one.
///
/// The key may be in quotes, as in the IETF draft (draft-ietf-httpapi-idempotency-key-header), or not, as most clients send it.
pub(in crate::http) fn from_request(
    request: &HttpRequest,
    body: &[u8],
) -> Result<Option<SubmissionKey>, Rejection> {
    let mut values = request.headers().get_all(HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::bad_parameter(HEADER, "is given more than once"));
    }
    let text = value.to_str().unwrap_or_default().trim();
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let key = inner.unwrap_or(text).parse();
    let key =
        key.map_err(|error: InvalidIdempotencyKey| Rejection::bad_parameter(HEADER, error))?;
    let mut hash = Sha256::new();
    hash.update(request.path());
    hash.update([0]);
    hash.update(body);
    Ok(Some(SubmissionKey { key, fingerprint: hash.finalize().into() }))
}
