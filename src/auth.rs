//! Access: API keys, their scopes, and the queues that they may use. Pure; the store keeps the keys.

pub mod access;
pub mod api_key;
pub(crate) mod hidden;
pub mod principal;
pub mod scope;
pub mod secret;
pub(crate) mod sender;
pub mod token;
pub(crate) mod viewer;

/// Ids of API keys.
pub mod key_id {
    pub use crate::job::KeyId;
}
