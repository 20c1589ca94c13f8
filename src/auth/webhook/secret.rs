//! The value of a webhook secret.

use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

/// Start of the text of every webhook secret.
pub const PREFIX: &str = "whsec_";

/// The value of a webhook secret: 256 random bits. Its text is `whsec_` with the bits in base64, as in Standard
/// Webhooks 1.0. It is shown once, when the secret is created or rotated, and never by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct WebhookSecret([u8; 32]);

impl WebhookSecret {
    /// Returns the secret with these bits.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bits of the secret. Only the signature and the store need them.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the text of the secret. Send or print it only to the user who has created or rotated the secret.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_as_the_published_libraries_read_it() {
        let secret = WebhookSecret::from_bytes(std::array::from_fn(|index| index as u8));
        assert_eq!(secret.reveal(), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    }

    #[test]
    fn debug_output_does_not_show_a_secret() {
        let secret = WebhookSecret::from_bytes([7; 32]);
        assert_eq!(format!("{secret:?}"), "WebhookSecret(..)");
    }
}
