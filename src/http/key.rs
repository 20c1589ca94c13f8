//! `Idempotency-Key`: a repeated submission gives the first one's jobs.

use actix_web::HttpRequest;
use sha2::{Digest, Sha256};

use crate::http::problem::Rejection;
use crate::store::IdempotencyKey;

const HEADER: &str = "idempotency-key";

/// The longest key, in bytes.
const MAX_LEN: usize = 255;

/// The key of a submission with this body, if it has one. It may stand in quotes, as the draft of
/// the header has it, or not, as most clients send it.
pub(super) fn of(request: &HttpRequest, body: &[u8]) -> Result<Option<IdempotencyKey>, Rejection> {
    let mut values = request.headers().get_all(HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::bad_parameter(HEADER, "stands twice"));
    }
    let text = value.to_str().unwrap_or_default().trim();
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let key = inner.unwrap_or(text);
    if key.is_empty() || key.len() > MAX_LEN {
        let why = format!("is 1 to {MAX_LEN} visible ASCII characters");
        return Err(Rejection::bad_parameter(HEADER, why));
    }
    let mut hash = Sha256::new();
    hash.update(request.path());
    hash.update([0]);
    hash.update(body);
    Ok(Some(IdempotencyKey { key: key.to_owned(), fingerprint: hash.finalize().into() }))
}
