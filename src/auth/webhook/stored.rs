//! Webhook secrets as they are stored and listed.

use serde::{Deserialize, Serialize};

use crate::auth::access::QueuePattern;
use crate::auth::api_key::MAX_PATTERNS;
use crate::auth::webhook::WebhookSecret;
use crate::job::{Span, Timestamp, WebhookSecretName};

/// Longest time for which the previous value of a rotated secret signs as well.
pub const MAX_OVERLAP: Span = Span::from_secs(30 * 24 * 3_600);

/// A webhook secret without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(expecting = "a webhook secret as an object")]
pub struct WebhookSecretInfo {
    /// Name, to which callbacks refer.
    pub name: WebhookSecretName,
    /// Queues whose jobs may be signed with the secret; all if there is no pattern.
    #[serde(default)]
    pub queues: Vec<QueuePattern>,
    /// Time at which the secret was created.
    pub created_at: Timestamp,
    /// Time of the last rotation; `None` if there was none.
    pub rotated_at: Option<Timestamp>,
    /// Time until which the value before the last rotation signs as well; `None` if there is no such value.
    pub previous_until: Option<Timestamp>,
}

/// A stored webhook secret: with its value, and the one before the last rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredWebhookSecret {
    /// Name and times of the secret.
    pub info: WebhookSecretInfo,
    /// Value that signs.
    pub secret: WebhookSecret,
    /// Value that signs as well until `previous_until`.
    pub previous: Option<WebhookSecret>,
}

impl StoredWebhookSecret {
    /// Returns a secret that is created at `now`.
    pub fn new(name: WebhookSecretName, secret: WebhookSecret, now: Timestamp) -> Self {
        let queues = Vec::new();
        let (rotated_at, previous_until) = (None, None);
        let info = WebhookSecretInfo { name, queues, created_at: now, rotated_at, previous_until };
        Self { info, secret, previous: None }
    }

    /// Returns the secret bound to the queues of these patterns; to none if the list is empty.
    #[must_use]
    pub fn for_queues(self, queues: Vec<QueuePattern>) -> Self {
        Self { info: WebhookSecretInfo { queues, ..self.info }, ..self }
    }

    /// Replaces the value at `now`. The one before signs as well for the time `overlap`, and an earlier one no
    /// longer.
    #[must_use]
    pub fn rotated(self, secret: WebhookSecret, overlap: Span, now: Timestamp) -> Self {
        let has_overlap = overlap.millis() > 0;
        let info = WebhookSecretInfo {
            rotated_at: Some(now),
            previous_until: has_overlap.then(|| now.plus(overlap.duration())),
            ..self.info
        };
        Self { info, secret, previous: has_overlap.then_some(self.secret) }
    }

    /// Returns the values that sign at `now`, the latest first.
    pub fn current(&self, now: Timestamp) -> Vec<WebhookSecret> {
        let is_valid = self.info.previous_until.is_some_and(|until| now < until);
        let previous = self.previous.iter().filter(|_| is_valid);
        std::iter::once(&self.secret).chain(previous).cloned().collect()
    }
}

/// Returns what is wrong with the queue patterns of a secret.
pub fn patterns_problem(queues: &[QueuePattern]) -> Option<String> {
    (queues.len() > MAX_PATTERNS).then(|| format!("must list at most {MAX_PATTERNS} patterns"))
}

/// Returns what is wrong with the overlap of a rotation.
pub fn overlap_problem(overlap: Span) -> Option<&'static str> {
    (overlap > MAX_OVERLAP).then_some("must be at most 30d")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: i64) -> Timestamp {
        Timestamp::from_millis(secs * 1_000)
    }

    fn value(byte: u8) -> WebhookSecret {
        WebhookSecret::from_bytes([byte; 32])
    }

    #[test]
    fn two_values_sign_after_a_rotation_and_one_after_its_overlap() {
        let first = StoredWebhookSecret::new("shop".parse().unwrap(), value(1), at(0));
        assert_eq!(first.current(at(5)), [value(1)]);
        let second = first.rotated(value(2), Span::from_secs(60), at(10));
        assert_eq!(second.info.previous_until, Some(at(70)));
        assert_eq!(second.current(at(69)), [value(2), value(1)]);
        assert_eq!(second.current(at(70)), [value(2)]);
        // A second rotation within the overlap: the first value signs no longer.
        let third = second.rotated(value(3), Span::from_secs(60), at(20));
        assert_eq!(third.current(at(30)), [value(3), value(2)]);
    }

    #[test]
    fn a_rotation_without_overlap_keeps_no_previous_value() {
        let first = StoredWebhookSecret::new("shop".parse().unwrap(), value(1), at(0));
        let second = first.rotated(value(2), Span::from_secs(0), at(10));
        assert_eq!((second.previous.clone(), second.info.previous_until), (None, None));
        assert_eq!(second.current(at(10)), [value(2)]);
    }

    #[test]
    fn an_overlap_has_a_bound() {
        assert_eq!(overlap_problem(MAX_OVERLAP), None);
        let longer = Span::new(MAX_OVERLAP.duration() + std::time::Duration::from_millis(1));
        assert_eq!(overlap_problem(longer), Some("must be at most 30d"));
        assert_eq!(MAX_OVERLAP, "30d".parse().unwrap());
    }
}
