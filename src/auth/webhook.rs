//! Webhook secrets, and the signature of a webhook (Standard Webhooks 1.0).
//!
//! A secret has a name, which callbacks refer to. Its value signs the webhooks, and the receiver has the same
//! value to verify them. After a rotation the previous value signs as well for a while, so that receivers can
//! change to the new one at any time in between.

mod secret;
mod secrets;
mod signature;
mod stored;

pub use secret::{PREFIX, WebhookSecret};
pub use secrets::WebhookSecrets;
pub use signature::signature;
pub use stored::{
    MAX_OVERLAP, StoredWebhookSecret, WebhookSecretInfo, overlap_problem, patterns_problem,
};
