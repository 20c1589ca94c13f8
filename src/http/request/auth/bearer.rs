//! The header `Authorization`, which carries a key or token.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use crate::api::problem::ProblemType;
use crate::http::problem::Rejection;

/// Scheme of the header that carries a key, in lowercase.
const SCHEME: &[u8] = b"bearer ";

/// Returns the secret in the header `Authorization`, or `None` if there is no such header.
pub(in crate::http::request) fn secret(headers: &HeaderMap) -> Result<Option<&str>, Rejection> {
    let mut values = headers.get_all(AUTHORIZATION);
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        let why = "is given more than once; send one key";
        return Err(Rejection::bad_parameter("Authorization", why));
    }
    let bytes = value.as_bytes();
    let is_bearer =
        bytes.len() > SCHEME.len() && bytes[..SCHEME.len()].eq_ignore_ascii_case(SCHEME);
    let token = is_bearer.then(|| bytes[SCHEME.len()..].trim_ascii());
    match token.and_then(|token| std::str::from_utf8(token).ok()) {
        Some(token) => Ok(Some(token)),
        None => {
            let detail = "Authorization must be Bearer with a key";
            Err(Rejection::new(ProblemType::InvalidKey, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::StatusCode;
    use actix_web::http::header::HeaderValue;

    fn read(values: &[&'static [u8]]) -> Result<Option<String>, StatusCode> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
        }
        let status = |rejection: Rejection| actix_web::ResponseError::status_code(&rejection);
        secret(&headers).map(|secret| secret.map(str::to_owned)).map_err(status)
    }

    #[test]
    fn the_scheme_may_have_any_case_and_the_key_space_around_it() {
        for value in [&b"Bearer k"[..], b"bearer k", b"BEARER   k  "] {
            assert_eq!(read(&[value]), Ok(Some("k".into())), "{value:?}");
        }
        assert_eq!(read(&[]), Ok(None));
        for value in [&b""[..], b"Bearer", b"Bearer ", b"Basic k", b"k", b"Bearerk", b"Bearer \xff"]
        {
            assert_eq!(read(&[value]), Err(StatusCode::UNAUTHORIZED), "{value:?}");
        }
        assert_eq!(read(&[b"Bearer k", b"Bearer k"]), Err(StatusCode::BAD_REQUEST));
    }
}
