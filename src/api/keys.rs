//! Forms of `/v1/keys`.

use serde::{Deserialize, Serialize};

use crate::auth::access::QueuePattern;
use crate::auth::api_key::{ApiKey, KeyName, NewKey};
use crate::auth::scope::Scopes;
use crate::job::{Span, Timestamp};

/// The list of all API keys, by ascending id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(expecting = "an object with keys")]
pub struct KeyList {
    /// All keys, also expired and revoked ones.
    pub keys: Vec<ApiKey>,
}

/// An API key to create.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a key as an object")]
pub struct KeyRequest {
    /// Name, which no key may have that is not revoked.
    pub name: KeyName,
    /// What the key may do; at least one scope.
    pub scopes: Scopes,
    /// Queues that the key may use; all if there is no pattern.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueuePattern>,
    /// Time after which the key is refused; never if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<Span>,
}

impl KeyRequest {
    /// Returns the key to create at `now`.
    pub fn new_key(self, now: Timestamp) -> NewKey {
        let Self { name, scopes, queues, expires_in } = self;
        let expires_at = expires_in.map(|expires_in| now.plus(expires_in.duration()));
        NewKey { name, scopes, queues, expires_at }
    }
}

/// A key that was just created. Only this answer has its secret.
///
/// It has no `Debug`, so that the secret cannot reach a log.
#[derive(Clone, Serialize, Deserialize)]
#[serde(expecting = "a key as an object")]
pub struct CreatedKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKey,
    /// Text that clients send as `Authorization: Bearer`.
    pub secret: String,
}
