//! The signature of a webhook.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::auth::webhook::WebhookSecret;

/// Returns the value of the header `webhook-signature`: one signature for each secret, separated by spaces. The
/// receiver accepts the webhook if any of them is right.
///
/// A signature is `v1,` and the HMAC-SHA256 of `ID.TIMESTAMP.BODY` in base64. `id` is the value of the header
/// `webhook-id`, `timestamp_s` that of `webhook-timestamp`, in seconds since 1970, and `body` the bytes that are
/// sent.
pub fn signature(secrets: &[WebhookSecret], id: &str, timestamp_s: i64, body: &[u8]) -> String {
    let start = format!("{id}.{timestamp_s}.");
    let signed = secrets.iter().map(|secret| {
        let mut mac = new_mac(secret);
        mac.update(start.as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    });
    signed.collect::<Vec<_>>().join(" ")
}

fn new_mac(secret: &WebhookSecret) -> Hmac<Sha256> {
    // HMAC pads a short secret with zeros to the block of the hash. This constructor cannot fail.
    let mut block = [0; 64];
    block[..32].copy_from_slice(secret.as_bytes());
    Hmac::new(&block.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const TIMESTAMP_S: i64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    /// Returns a secret of the published test vectors: `whsec_` with 24 bytes in base64. HMAC pads a secret
    /// with zeros, so that 8 of them at its end change nothing.
    fn published(text: &str) -> WebhookSecret {
        let mut bytes = [0; 32];
        bytes[..24].copy_from_slice(&BASE64_STANDARD.decode(text).unwrap());
        WebhookSecret::from_bytes(bytes)
    }

    #[test]
    fn the_signature_is_that_of_the_published_test_vector() {
        let secret = published("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let expected = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(signature(&[secret], ID, TIMESTAMP_S, BODY), expected);
    }

    #[test]
    fn each_secret_has_a_signature_in_the_given_order() {
        let secrets = [1, 2].map(|byte| WebhookSecret::from_bytes([byte; 32]));
        let both = signature(&secrets, ID, TIMESTAMP_S, BODY);
        let alone = |at: usize| signature(&secrets[at..=at], ID, TIMESTAMP_S, BODY);
        assert_eq!(both, format!("{} {}", alone(0), alone(1)));
        assert_ne!(alone(0), alone(1));
        assert_eq!(signature(&[], ID, TIMESTAMP_S, BODY), "");
    }

    #[test]
    fn id_time_and_body_are_signed() {
        let secret = [WebhookSecret::from_bytes([7; 32])];
        let right = signature(&secret, "msg_1", 5, b"{}");
        for other in [
            signature(&secret, "msg_2", 5, b"{}"),
            signature(&secret, "msg_1", 6, b"{}"),
            signature(&secret, "msg_1", 5, b"{ }"),
        ] {
            assert_ne!(other, right);
        }
    }
}
