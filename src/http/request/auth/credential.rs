//! Credentials: the key or token with which a request was admitted.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::actor::key_usage::RequestRate;
use crate::actor::keyring::{KeyEntry, Keyring};
use crate::job::Timestamp;

/// The key or token with which a request was admitted. The request ends with it.
#[derive(Clone)]
pub(in crate::http) struct Credential {
    key: Option<Arc<KeyEntry>>,
    /// The keyring of a request that needs no key until the first one is created, and ends then.
    keyless: Option<Arc<Keyring>>,
    /// Time at which the token expires. The expiry of a key is part of its entry.
    token_expires_at: Option<Instant>,
    /// Whether requests count for the tokens of the key instead of the key itself.
    counts_for_tokens: bool,
    /// State of the limit on requests of the key, if it has one.
    rate: Option<RequestRate>,
}

impl Credential {
    pub(in crate::http) fn of_key(key: Arc<KeyEntry>) -> Self {
        Self { key: Some(key), ..Self::none() }
    }

    /// Returns the credential of a request without a key. It ends when the first key is created.
    pub(in crate::http) fn without_key(keyring: Arc<Keyring>) -> Self {
        Self::none().until_first_key(keyring)
    }

    /// Lets a credential without a key end when the first one is created.
    pub(in crate::http::request) fn until_first_key(self, keyring: Arc<Keyring>) -> Self {
        Self { keyless: Some(keyring), ..self }
    }

    fn none() -> Self {
        Self {
            key: None,
            keyless: None,
            token_expires_at: None,
            counts_for_tokens: false,
            rate: None,
        }
    }

    /// Lets requests count for the tokens of the key instead of the key itself.
    pub(in crate::http::request) fn with_usage_of_tokens(self) -> Self {
        Self { counts_for_tokens: true, ..self }
    }

    /// Counts the request for the limit of its key.
    ///
    /// # Errors
    /// Returns the state of the limit if the request is over it.
    pub(in crate::http) fn count(mut self, now: Timestamp) -> Result<Self, RequestRate> {
        let usage = self.key.as_ref().map(|key| match self.counts_for_tokens {
            true => key.token_usage(),
            false => key.usage(),
        });
        self.rate = usage.and_then(|usage| usage.count_request(now));
        match self.rate {
            Some(rate) if rate.is_over => Err(rate),
            _ => Ok(self),
        }
    }

    /// Returns the state of the limit on requests.
    pub(in crate::http) fn rate(&self) -> Option<RequestRate> {
        self.rate
    }

    /// Returns the credential of a token that is valid for this time, made with `key`.
    pub(in crate::http) fn of_token(key: Option<Arc<KeyEntry>>, valid_for: Duration) -> Self {
        Self { key, token_expires_at: Some(Instant::now() + valid_for), ..Self::none() }
    }

    /// Returns the key, also that with which a token was made.
    pub(in crate::http) fn key(&self) -> Option<&Arc<KeyEntry>> {
        self.key.as_ref()
    }

    /// Returns whether the request was admitted without a key.
    pub(in crate::http) fn is_keyless(&self) -> bool {
        self.keyless.is_some()
    }

    /// Returns whether the key or token has ended, or a key is needed now.
    pub(in crate::http) fn has_ended(&self) -> bool {
        self.key.as_ref().is_some_and(|key| key.has_ended())
            || self.keyless.as_ref().is_some_and(|keyring| keyring.needs_key())
            || self.token_expires_at.is_some_and(|at| at <= Instant::now())
    }

    /// Waits until the key or token ends, or a key is needed.
    pub(in crate::http) async fn ended(&self) {
        let key_ended = async {
            match (&self.key, &self.keyless) {
                (Some(key), _) => key.ended().await,
                (None, Some(keyring)) => keyring.key_needed().await,
                (None, None) => pending().await,
            }
        };
        if self.token_expires_at.is_none() {
            // Most requests have a key and no token, and wait for nothing else.
            return key_ended.await;
        }
        let token_expired = async {
            match self.token_expires_at {
                Some(at) => tokio::time::sleep_until(at).await,
                None => pending().await,
            }
        };
        tokio::select! {
            () = key_ended => {}
            () = token_expired => {}
        }
    }
}
