//! Signed tokens: what a browser may hold in place of a key.
//!
//! A token says what it is for and until when, and is signed with a secret of the server, so it is not stored
//! (HMAC-SHA256, RFC 2104). It names the API key that it was made with, and ends with that key. Its text is
//! `lt_`, the claims as JSON in base64url, a full stop, and the signature in base64url.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::auth::key_id::KeyId;
use crate::job::{BatchId, JobId, Timestamp};

/// Start of every token.
pub const PREFIX: &str = "lt_";

/// Validity of a session of the pages.
pub const SESSION: Duration = Duration::from_secs(12 * 3_600);

/// Maximum length of a token; a longer text is not read.
const MAX_BYTES: usize = 512;

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// The pages, with what the key may do.
    Session,
    /// Reading one job and its events.
    Job(JobId),
    /// Reading one batch and its events.
    Batch(BatchId),
}

/// What a token says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What it is for.
    #[serde(rename = "sub")]
    pub subject: Subject,
    /// API key that it was made with; `None` if none was needed.
    #[serde(rename = "key", default, skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// Time at which it expires.
    #[serde(rename = "exp")]
    pub expires_at: Timestamp,
}

/// Error for a token that is not accepted. It does not say why, and does not repeat the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the token is not valid, or it has expired")]
pub struct InvalidToken;

/// Signs and checks tokens with the secret of the server.
#[derive(Clone)]
pub struct Signer([u8; 32]);

impl Signer {
    /// Returns the signer with this secret.
    pub fn new(secret: [u8; 32]) -> Self {
        Self(secret)
    }

    /// Returns the token with these claims.
    pub fn sign(&self, claims: &Claims) -> String {
        // Claims always have a JSON form; an empty text is no valid token.
        let claims = serde_json::to_vec(claims).unwrap_or_default();
        let claims = BASE64_URL_SAFE_NO_PAD.encode(claims);
        let signature = BASE64_URL_SAFE_NO_PAD.encode(self.mac(&claims).finalize().into_bytes());
        format!("{PREFIX}{claims}.{signature}")
    }

    /// Returns the claims of a token that is valid at `now`. The signature is compared in constant time.
    ///
    /// # Errors
    /// Returns [`InvalidToken`] if the server has not signed the text, or if it has expired.
    pub fn check(&self, token: &str, now: Timestamp) -> Result<Claims, InvalidToken> {
        let text = token.strip_prefix(PREFIX).filter(|text| text.len() <= MAX_BYTES);
        let (claims, signature) = text.and_then(|text| text.split_once('.')).ok_or(InvalidToken)?;
        let signature = decode(signature)?;
        self.mac(claims).verify_slice(&signature).map_err(|_why| InvalidToken)?;
        let claims: Claims =
            serde_json::from_slice(&decode(claims)?).map_err(|_why| InvalidToken)?;
        if claims.expires_at > now { Ok(claims) } else { Err(InvalidToken) }
    }

    fn mac(&self, text: &str) -> Hmac<Sha256> {
        // HMAC pads a short secret with zeros to the block of the hash. This constructor cannot fail.
        let mut block = [0; 64];
        block[..self.0.len()].copy_from_slice(&self.0);
        let mut mac = Hmac::<Sha256>::new(&block.into());
        mac.update(text.as_bytes());
        mac
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

fn decode(text: &str) -> Result<Vec<u8>, InvalidToken> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|_why| InvalidToken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn claims() -> Claims {
        Claims { subject: Subject::Job(JobId(7)), key: Some(KeyId(3)), expires_at: at(1_000) }
    }

    #[test]
    fn a_token_is_valid_until_it_expires() {
        let signer = Signer::new([1; 32]);
        let token = signer.sign(&claims());
        assert!(token.starts_with("lt_"), "{token}");
        assert_eq!(signer.check(&token, at(999)), Ok(claims()));
        assert_eq!(signer.check(&token, at(1_000)), Err(InvalidToken));
        let session = Claims { subject: Subject::Session, key: None, ..claims() };
        assert_eq!(signer.check(&signer.sign(&session), at(0)), Ok(session));
    }

    #[test]
    fn a_token_that_was_changed_or_signed_by_another_server_is_not_valid() {
        let signer = Signer::new([1; 32]);
        let token = signer.sign(&claims());
        assert_eq!(Signer::new([2; 32]).check(&token, at(0)), Err(InvalidToken));
        for index in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[index] = if changed[index] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(signer.check(&changed, at(0)), Err(InvalidToken), "{changed}");
        }
        let long = format!("lt_{}.{}", "A".repeat(5_000), "A".repeat(43));
        for text in ["", "lt_", "lt_.", &token[3..], &long, &format!("{token}A")] {
            assert_eq!(signer.check(text, at(0)), Err(InvalidToken), "{text}");
        }
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert_eq!(format!("{:?}", Signer::new([1; 32])), "Signer(..)");
    }
}
