//! Changes of webhook secrets, for random sequences of operations.

use longshore::auth::webhook::WebhookSecret;
use longshore::job::Span;
use longshore::store::Write;
use proptest::prelude::*;

/// Change of a webhook secret. A value is given by its byte, an overlap in seconds.
#[derive(Debug, Clone)]
pub(super) enum WebhookSecretChange {
    Create(u8),
    Rotate(u8, u64),
    Delete,
}

pub(super) fn webhook_secret_change() -> impl Strategy<Value = WebhookSecretChange> {
    prop_oneof![
        any::<u8>().prop_map(WebhookSecretChange::Create),
        (any::<u8>(), 0..3_u64).prop_map(|(byte, secs)| WebhookSecretChange::Rotate(byte, secs)),
        Just(WebhookSecretChange::Delete),
    ]
}

impl WebhookSecretChange {
    /// Returns the write for the secret with this number.
    pub(super) fn write(&self, number: u8) -> Write {
        let name = format!("secret-{number}").parse().unwrap();
        let value = |byte: &u8| WebhookSecret::from_bytes([*byte; 32]);
        match self {
            Self::Create(byte) => {
                let queues = ["shop.*", "mail"].iter().take(usize::from(byte % 3));
                let queues = queues.map(|text| text.parse().unwrap()).collect();
                Write::CreateWebhookSecret(name, value(byte), queues)
            }
            Self::Rotate(byte, secs) => {
                Write::RotateWebhookSecret(name, value(byte), Span::from_secs(*secs))
            }
            Self::Delete => Write::DeleteWebhookSecret(name),
        }
    }
}
