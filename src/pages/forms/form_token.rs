//! Form tokens: protection against forms that are sent twice, by a double click or a reload.
//!
//! Every rendered page has a random token in its forms. The token and the submitted jobs are hashed
//! into an idempotency key, so sending the same form again returns what it submitted before.

use actix_web::http::StatusCode;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::job::submission::InvalidIdempotencyKey;
use crate::pages::forms::fields::Fields;
use crate::pages::parts::hex::hex;
use crate::pages::response::error_page::PageError;
use crate::store::SubmissionKey;

/// Error when the key of a form is made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// The submission has no JSON form.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The text that was made is not a key.
    #[error(transparent)]
    Key(#[from] InvalidIdempotencyKey),
}

/// Returns a random token of 32 hexadecimal digits.
///
/// # Errors
/// Returns a 500 if the operating system provides no random numbers.
pub(crate) fn generate() -> Result<String, PageError> {
    let mut token = [0; 16];
    getrandom::fill(&mut token).map_err(|error| {
        tracing::error!(%error, "the operating system provides no random numbers");
        let why = "the form could not be created: the server has no random numbers";
        PageError::new(StatusCode::INTERNAL_SERVER_ERROR, "Internal error", why)
    })?;
    Ok(hex(&token))
}

/// Returns the idempotency key of a submission, if its form has a token.
///
/// The key is the SHA-256 hash of the token, a zero byte and the submission as JSON. An edited form
/// therefore has another key, and submits other jobs.
///
/// # Errors
/// Returns [`TokenError::Json`] if the submission cannot be serialized as JSON.
pub(crate) fn idempotency_key(
    fields: &Fields,
    submission: &impl Serialize,
) -> Result<Option<SubmissionKey>, TokenError> {
    let Some(token) = fields.trimmed("form_token") else { return Ok(None) };
    let text = serde_json::to_vec(submission)?;
    let digest = Sha256::new().chain_update(token).chain_update("\0").chain_update(text).finalize();
    let key = format!("form-{}", hex(&digest)).parse()?;
    Ok(Some(SubmissionKey::new(key, digest.into())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_depends_on_the_token_and_the_submission() {
        let (one, other) = (generate().unwrap(), generate().unwrap());
        assert_eq!(one.len(), 32);
        assert_ne!(one, other);
        let key = |token: &str, submission: &str| {
            let fields = Fields::parse(&format!("form_token={token}")).unwrap();
            idempotency_key(&fields, &submission).unwrap().map(|key| key.key)
        };
        assert_eq!(key(&one, "a"), key(&one, "a"));
        assert_ne!(key(&one, "a"), key(&one, "b"));
        assert_ne!(key(&one, "a"), key(&other, "a"));
        assert_eq!(key("", "a"), None);
    }
}
