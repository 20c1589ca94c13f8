//! Webhook secrets: created, rotated, deleted and listed.

use std::sync::Arc;

use crate::auth::access::QueuePattern;
use crate::auth::webhook::{
    StoredWebhookSecret, WebhookSecret, WebhookSecretInfo, WebhookSecrets, overlap_problem,
    patterns_problem,
};
use crate::job::problem::Problem;
use crate::job::{Span, WebhookSecretName};
use crate::server::error::Error;
use crate::server::handle::Handle;
use crate::server::operations::keys::random_bits;
use crate::store::{Answer, Write};

/// A webhook secret that was just created or rotated, with its value. No later answer shows the value.
#[derive(Debug, Clone)]
pub struct RevealedWebhookSecret {
    /// Name and times of the secret.
    pub info: WebhookSecretInfo,
    /// Value, with which the receiver verifies webhooks.
    pub secret: WebhookSecret,
}

impl From<StoredWebhookSecret> for RevealedWebhookSecret {
    fn from(stored: StoredWebhookSecret) -> Self {
        Self { info: stored.info, secret: stored.secret }
    }
}

impl Handle {
    /// Creates a webhook secret. Callbacks of jobs in the queues of these patterns can refer to it from now on, or of
    /// all jobs if there are none.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if there are too many patterns, and [`Error::Refused`] if there is a secret with the
    /// name, or there are too many.
    pub async fn create_webhook_secret(
        &self,
        name: WebhookSecretName,
        queues: Vec<QueuePattern>,
    ) -> Result<RevealedWebhookSecret, Error> {
        if let Some(why) = patterns_problem(&queues) {
            return Err(Error::Invalid(vec![Problem::new("/queues", why)]));
        }
        let secret = random_webhook_secret()?;
        let revealed = self.reveal(Write::CreateWebhookSecret(name, secret, queues)).await?;
        self.note_created(&revealed.info.name);
        Ok(revealed)
    }

    /// Replaces the value of a webhook secret. For the time `overlap`, at most
    /// [`MAX_OVERLAP`](crate::auth::webhook::MAX_OVERLAP), webhooks are signed with the previous value as well, so
    /// that receivers can change to the new one at any time in between. A value before the previous one no longer
    /// signs.
    ///
    /// # Errors
    /// Returns [`Error::Invalid`] if the overlap is too long, and [`Error::Refused`] if there is no such secret.
    pub async fn rotate_webhook_secret(
        &self,
        name: WebhookSecretName,
        overlap: Span,
    ) -> Result<RevealedWebhookSecret, Error> {
        if let Some(why) = overlap_problem(overlap) {
            return Err(Error::Invalid(vec![Problem::new("/overlap", why)]));
        }
        let secret = random_webhook_secret()?;
        self.reveal(Write::RotateWebhookSecret(name, secret, overlap)).await
    }

    /// Deletes a webhook secret. Callbacks that refer to it can no longer be sent.
    ///
    /// # Errors
    /// Returns [`Error::Refused`] if there is no such secret.
    pub async fn delete_webhook_secret(&self, name: WebhookSecretName) -> Result<(), Error> {
        self.change_webhook_secret(Write::DeleteWebhookSecret(name)).await.map(drop)
    }

    /// Returns all webhook secrets without their values, by name.
    pub fn webhook_secrets(&self) -> Vec<WebhookSecretInfo> {
        self.webhook_secret_values().list()
    }

    /// Returns the set of all webhook secrets with their values.
    pub(crate) fn webhook_secret_values(&self) -> &Arc<WebhookSecrets> {
        self.connections().webhook_secrets.secrets()
    }

    async fn reveal(&self, write: Write) -> Result<RevealedWebhookSecret, Error> {
        let changed = self.change_webhook_secret(write).await?;
        // The store answers these writes with the secret.
        changed.map(RevealedWebhookSecret::from).ok_or(Error::Unreadable)
    }

    /// Stores a change, and then changes the set in memory. In a task of its own: if the caller goes away after the
    /// commit, the set still changes.
    async fn change_webhook_secret(
        &self,
        write: Write,
    ) -> Result<Option<StoredWebhookSecret>, Error> {
        let handle = self.clone();
        let changed = tokio::spawn(async move { handle.store_webhook_secret(write).await });
        changed.await.map_err(|_ended| Error::Stopped)?
    }

    async fn store_webhook_secret(
        self,
        write: Write,
    ) -> Result<Option<StoredWebhookSecret>, Error> {
        let shared = &self.connections().webhook_secrets;
        let _change = shared.start_change().await;
        let deleted = match &write {
            Write::DeleteWebhookSecret(name) => Some(name.clone()),
            _ => None,
        };
        let answer = self.write(write, 0).await?;
        if let Some(name) = deleted {
            shared.secrets().remove(&name);
        }
        let Answer::WebhookSecret(stored) = answer else { return Ok(None) };
        shared.secrets().put((*stored).clone());
        Ok(Some(*stored))
    }
}

/// Returns a value with random bits of the operating system.
pub(crate) fn random_webhook_secret() -> Result<WebhookSecret, Error> {
    Ok(WebhookSecret::from_bytes(random_bits()?))
}
