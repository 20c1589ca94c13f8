//! The webhook secrets in a database that no server uses.

use crate::api::webhooks::secrets::{RevealedWebhookSecret, WebhookSecretRequest};
use crate::auth::webhook::{WebhookSecretInfo, overlap_problem, patterns_problem};
use crate::cli::error::CliError;
use crate::cli::server::database::open_database::{OpenDatabase, no_answer};
use crate::job::{Span, WebhookSecretName};
use crate::server::random_webhook_secret;
use crate::store::{Answer, ReadStore, Write};

impl OpenDatabase {
    /// Returns all webhook secrets without their values.
    pub(super) fn webhook_secrets(&mut self) -> Result<Vec<WebhookSecretInfo>, CliError> {
        let stored = self.read(ReadStore::webhook_secrets)?;
        Ok(stored.into_iter().map(|stored| stored.info).collect())
    }

    /// Creates a webhook secret.
    pub(super) fn create_webhook_secret(
        &mut self,
        wanted: WebhookSecretRequest,
    ) -> Result<RevealedWebhookSecret, CliError> {
        let WebhookSecretRequest { name, queues } = wanted;
        if let Some(why) = patterns_problem(&queues) {
            return Err(CliError::Usage(format!("/queues: {why}")));
        }
        let secret = random_webhook_secret().map_err(|error| CliError::Usage(error.to_string()))?;
        self.reveal_after(&Write::CreateWebhookSecret(name, secret, queues))
    }

    /// Rotates a webhook secret.
    pub(super) fn rotate_webhook_secret(
        &mut self,
        name: WebhookSecretName,
        overlap: Span,
    ) -> Result<RevealedWebhookSecret, CliError> {
        if let Some(why) = overlap_problem(overlap) {
            return Err(CliError::Usage(format!("/overlap: {why}")));
        }
        let secret = random_webhook_secret().map_err(|error| CliError::Usage(error.to_string()))?;
        self.reveal_after(&Write::RotateWebhookSecret(name, secret, overlap))
    }

    /// Deletes a webhook secret.
    pub(super) fn delete_webhook_secret(
        &mut self,
        name: WebhookSecretName,
    ) -> Result<(), CliError> {
        self.write(&Write::DeleteWebhookSecret(name)).map(drop)
    }

    fn reveal_after(&mut self, write: &Write) -> Result<RevealedWebhookSecret, CliError> {
        match self.write(write)? {
            Answer::WebhookSecret(stored) => {
                Ok(RevealedWebhookSecret { info: stored.info, secret: stored.secret.reveal() })
            }
            _ => Err(no_answer()),
        }
    }
}
