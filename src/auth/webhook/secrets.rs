//! The webhook secrets of a server, in memory.

use std::collections::BTreeMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use crate::auth::access::QueueAccess;
use crate::auth::webhook::{StoredWebhookSecret, WebhookSecret, WebhookSecretInfo};
use crate::job::{Timestamp, WebhookSecretName};

/// The webhook secrets of a server, which its threads share. They are read from the store at the start, and changed
/// after each commit that changes them.
#[derive(Debug, Default)]
pub struct WebhookSecrets(RwLock<BTreeMap<WebhookSecretName, StoredWebhookSecret>>);

impl WebhookSecrets {
    /// Returns the set of these secrets.
    pub fn new(stored: Vec<StoredWebhookSecret>) -> Self {
        let by_name = stored.into_iter().map(|stored| (stored.info.name.clone(), stored));
        Self(RwLock::new(by_name.collect()))
    }

    /// Returns whether there is a secret with the name.
    pub fn exists(&self, name: &WebhookSecretName) -> bool {
        self.read().contains_key(name)
    }

    /// Returns the queues whose webhooks the secret signs; none if there is no such secret.
    pub fn queues(&self, name: &WebhookSecretName) -> Option<QueueAccess> {
        self.read().get(name).map(|stored| QueueAccess::of(&stored.info.queues))
    }

    /// Returns the values that sign at `now`, the latest first: one, or two while a rotation overlaps. Returns none
    /// if there is no secret with the name.
    pub fn current(&self, name: &WebhookSecretName, now: Timestamp) -> Vec<WebhookSecret> {
        self.read().get(name).map(|stored| stored.current(now)).unwrap_or_default()
    }

    /// Returns all secrets without their values, by name.
    pub fn list(&self) -> Vec<WebhookSecretInfo> {
        self.read().values().map(|stored| stored.info.clone()).collect()
    }

    /// Adds a secret that was stored, or replaces the one with its name.
    pub fn put(&self, stored: StoredWebhookSecret) {
        self.write().insert(stored.info.name.clone(), stored);
    }

    /// Removes a secret that was deleted.
    pub fn remove(&self, name: &WebhookSecretName) {
        self.write().remove(name);
    }

    /// A poisoned lock is safe to use: a secret is added or removed in one step.
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<WebhookSecretName, StoredWebhookSecret>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<WebhookSecretName, StoredWebhookSecret>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Span;

    #[test]
    fn a_change_counts_for_the_next_reader() {
        let name = |text: &str| text.parse::<WebhookSecretName>().unwrap();
        let value = |byte| WebhookSecret::from_bytes([byte; 32]);
        let at = Timestamp::from_millis;
        let stored = StoredWebhookSecret::new(name("shop"), value(1), at(0));
        let secrets = WebhookSecrets::new(vec![stored.clone()]);
        assert!(secrets.exists(&name("shop")) && !secrets.exists(&name("blog")));
        assert_eq!(secrets.current(&name("blog"), at(0)), []);
        secrets.put(stored.rotated(value(2), Span::from_secs(1), at(10)));
        secrets.put(StoredWebhookSecret::new(name("blog"), value(3), at(5)));
        assert_eq!(secrets.current(&name("shop"), at(20)), [value(2), value(1)]);
        let names: Vec<String> = secrets.list().iter().map(|info| info.name.to_string()).collect();
        assert_eq!(names, ["blog", "shop"]);
        secrets.remove(&name("shop"));
        assert!(!secrets.exists(&name("shop")) && secrets.exists(&name("blog")));
    }
}
