//! Signed tokens: made for a browser, and checked when they are used.

use std::sync::Arc;
use std::time::Duration;

use crate::actor::keyring::KeyEntry;
use crate::auth::token::{Claims, InvalidToken, SESSION, Subject};
use crate::job::problem::Problem;
use crate::job::{BatchId, JobId, Span, Timestamp};
use crate::server::error::Error;
use crate::server::handle::Handle;

/// Validity of a token for which the caller names none.
const DEFAULT_VALIDITY: Duration = Duration::from_secs(3_600);

/// Longest validity of a token.
const MAX_VALIDITY: Duration = Duration::from_secs(7 * 24 * 3_600);

/// A token that was just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedToken {
    /// Text of the token.
    pub token: String,
    /// Time at which it expires.
    pub expires_at: Timestamp,
}

impl Handle {
    /// Makes a token with which a browser may read one job and its events, without a key. It ends with the key
    /// of the principal. It is valid for `validity`, or for one hour.
    ///
    /// A token of a handle without a key, such as that of the application itself, is refused over HTTP once requests
    /// need a key. Make it with a handle that acts for a key then: [`Handle::acting_for`] with a principal whose
    /// `key` is the id of that key.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if the job does not exist, and [`Error::Invalid`] if the validity is not
    /// between 1 s and 7 d.
    pub async fn job_token(&self, id: JobId, validity: Option<Span>) -> Result<SignedToken, Error> {
        let validity = checked(validity)?;
        self.log(id, 0).await?;
        Ok(self.sign(Subject::Job(id), validity))
    }

    /// Makes a token with which a browser may read one batch and its events, as [`Handle::job_token`] does.
    ///
    /// # Errors
    /// The same as [`Handle::job_token`], for a batch.
    pub async fn batch_token(
        &self,
        id: BatchId,
        validity: Option<Span>,
    ) -> Result<SignedToken, Error> {
        let validity = checked(validity)?;
        self.batch(id).await?;
        Ok(self.sign(Subject::Batch(id), validity))
    }

    /// Makes the token of a session of the pages, which may do what the key of the principal may do.
    pub(crate) fn session_token(&self) -> SignedToken {
        self.sign(Subject::Session, SESSION)
    }

    /// Returns the claims of a token, and its key, if it was made with one.
    ///
    /// A token that was made without a key is valid as long as a request without a key is: until the first key is
    /// created, or for good if the request never needs one (`needs_no_key`).
    ///
    /// # Errors
    /// Returns [`InvalidToken`] if the token is not valid, its key has ended, or it has none and a key is needed.
    pub(crate) fn check_token(
        &self,
        token: &str,
        needs_no_key: bool,
    ) -> Result<(Claims, Option<Arc<KeyEntry>>), InvalidToken> {
        let (keyring, now) = (self.keyring(), self.now());
        let claims = keyring.signer().check(token, now)?;
        if claims.expires_at > now.plus(MAX_VALIDITY) {
            // The server makes no such token.
            return Err(InvalidToken);
        }
        let key = match claims.key {
            Some(id) => Some(keyring.find_id(id, now).ok_or(InvalidToken)?),
            None if keyring.needs_key() && !needs_no_key => return Err(InvalidToken),
            None => None,
        };
        Ok((claims, key))
    }

    fn sign(&self, subject: Subject, validity: Duration) -> SignedToken {
        let expires_at = self.now().plus(validity);
        let claims = Claims { subject, key: self.principal().key, expires_at };
        SignedToken { token: self.keyring().signer().sign(&claims), expires_at }
    }
}

/// Returns the validity of a token.
fn checked(validity: Option<Span>) -> Result<Duration, Error> {
    let validity = validity.map_or(DEFAULT_VALIDITY, Span::duration);
    if (Duration::from_secs(1)..=MAX_VALIDITY).contains(&validity) {
        return Ok(validity);
    }
    let problem = Problem::new("/expires_in", "must be between 1s and 7d");
    Err(Error::Invalid(vec![problem]))
}
