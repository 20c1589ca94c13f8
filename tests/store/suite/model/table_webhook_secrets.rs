//! The part of the model about webhook secrets.

use longshore::auth::access::QueuePattern;
use longshore::auth::webhook::{StoredWebhookSecret, WebhookSecret};
use longshore::job::{Span, WebhookSecretName};
use longshore::store::{Answer, Refusal};

use super::table::{ApplyResult, Model};

impl Model {
    pub(super) fn create_webhook_secret(
        &mut self,
        name: &WebhookSecretName,
        secret: &WebhookSecret,
        queues: &[QueuePattern],
    ) -> ApplyResult {
        if self.webhook_secrets.contains_key(name) {
            return Err(Refusal::WebhookSecretExists(name.clone()));
        }
        let created = StoredWebhookSecret::new(name.clone(), secret.clone(), self.now);
        let created = created.for_queues(queues.to_vec());
        self.webhook_secrets.insert(name.clone(), created.clone());
        Ok(Answer::WebhookSecret(Box::new(created)))
    }

    pub(super) fn rotate_webhook_secret(
        &mut self,
        name: &WebhookSecretName,
        secret: &WebhookSecret,
        overlap: Span,
    ) -> ApplyResult {
        let found = self.webhook_secrets.get_mut(name);
        let stored = found.ok_or_else(|| Refusal::NoWebhookSecret(name.clone()))?;
        *stored = stored.clone().rotated(secret.clone(), overlap, self.now);
        Ok(Answer::WebhookSecret(Box::new(stored.clone())))
    }

    pub(super) fn delete_webhook_secret(&mut self, name: &WebhookSecretName) -> ApplyResult {
        match self.webhook_secrets.remove(name) {
            Some(_) => Ok(Answer::Done),
            None => Err(Refusal::NoWebhookSecret(name.clone())),
        }
    }
}
