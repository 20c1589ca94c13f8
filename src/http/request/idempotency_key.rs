//! The header `Idempotency-Key`: a repeated submission returns the jobs of the first one.

use actix_web::HttpRequest;
use actix_web::http::header::HeaderName;
use sha2::{Digest, Sha256};

use crate::http::problem::Rejection;
use crate::job::IdempotencyKey;
use crate::job::submission::InvalidIdempotencyKey;
use crate::server::SubmissionKey;
use crate::server::fingerprint::Fingerprint;

const NAME: &str = "idempotency-key";
const HEADER: HeaderName = HeaderName::from_static(NAME);

/// The key of a request.
pub(in crate::http) struct RequestKey {
    key: IdempotencyKey,
    path: String,
}

impl RequestKey {
    /// Returns the key of a submission with this body. `fingerprint` computes the fingerprint of its
    /// value from the path.
    pub(in crate::http) fn of(
        self,
        body: &[u8],
        fingerprint: impl FnOnce(&str) -> Fingerprint,
    ) -> SubmissionKey {
        let Self { key, path } = self;
        let hash = Sha256::new().chain_update(&path).chain_update([0]).chain_update(body);
        let byte_fingerprint = hash.finalize().into();
        SubmissionKey { key, owner: None, fingerprint: fingerprint(&path), byte_fingerprint }
    }
}

/// Returns the key of a request, if it has one.
///
/// The key may be in quotes, as in the IETF draft (draft-ietf-httpapi-idempotency-key-header), or not, as most clients send it.
pub(in crate::http) fn from_request(
    request: &HttpRequest,
) -> Result<Option<RequestKey>, Rejection> {
    let mut values = request.headers().get_all(HEADER);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Rejection::bad_parameter(NAME, "is given more than once"));
    }
    let text = value.to_str().unwrap_or_default().trim();
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let key = inner.unwrap_or(text).parse();
    let key = key.map_err(|error: InvalidIdempotencyKey| Rejection::bad_parameter(NAME, error))?;
    Ok(Some(RequestKey { key, path: request.path().to_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn the_fingerprint_of_the_bytes_is_that_of_version_0_2_0() {
        let request = TestRequest::with_uri("/v1/jobs?wait=1").insert_header((NAME, "\"k\""));
        let request = request.to_http_request();
        let key = from_request(&request).unwrap().unwrap();
        let key = key.of(b"{\"kind\": \"echo\"}", |path| {
            assert_eq!(path, "/v1/jobs");
            [7; 32]
        });
        let bytes: Fingerprint = Sha256::digest(b"/v1/jobs\0{\"kind\": \"echo\"}").into();
        assert_eq!((key.key.as_str(), key.fingerprint), ("k", [7; 32]));
        assert_eq!(key.byte_fingerprint, bytes);
    }
}
