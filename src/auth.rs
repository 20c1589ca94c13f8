//! Access: API keys, their scopes, the queues that they may use, and the secrets that sign webhooks. Pure; the
//! store keeps the keys and secrets.

pub mod access;
pub mod api_key;
pub(crate) mod hidden;
pub mod principal;
pub mod scope;
pub mod secret;
pub(crate) mod sender;
pub mod token;
pub(crate) mod viewer;
pub mod webhook;

/// Ids of API keys.
pub mod key_id {
    pub use crate::job::KeyId;
}
