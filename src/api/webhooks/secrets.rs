//! Forms of `/v1/webhook-secrets`.

use serde::{Deserialize, Serialize};

use crate::auth::access::QueuePattern;
use crate::auth::webhook::WebhookSecretInfo;
use crate::job::{Span, WebhookSecretName};

/// The list of all webhook secrets, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "an object with webhook_secrets")]
pub struct WebhookSecretList {
    /// All webhook secrets, without their values.
    pub webhook_secrets: Vec<WebhookSecretInfo>,
}

/// A webhook secret to create.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "a webhook secret as an object")]
pub struct WebhookSecretRequest {
    /// Name, which no other webhook secret may have.
    pub name: WebhookSecretName,
    /// Queues whose jobs may be signed with the secret; all if there is no pattern.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub queues: Vec<QueuePattern>,
}

/// A rotation of a webhook secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "an object with overlap")]
pub struct RotationRequest {
    /// Time for which the previous value signs as well, 0 s to 30 d; [`DEFAULT_OVERLAP`] if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Span>,
}

/// Time for which the previous value of a rotated secret signs as well, if the request does not set it: one day.
pub const DEFAULT_OVERLAP: Span = Span::from_secs(24 * 3_600);

/// A webhook secret that was just created or rotated. Only this answer has its value.
///
/// It has no `Debug`, so that the value cannot reach a log.
#[derive(Clone, Serialize, Deserialize)]
#[serde(expecting = "a webhook secret as an object")]
pub struct RevealedWebhookSecret {
    /// Name and times of the secret.
    #[serde(flatten)]
    pub info: WebhookSecretInfo,
    /// Text of the value, with which the receiver verifies webhooks: `whsec_` and base64.
    pub secret: String,
}
