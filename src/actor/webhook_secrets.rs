//! The webhook secrets in memory, and the lock under which they change.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

use crate::auth::webhook::WebhookSecrets;

/// The webhook secrets of a server, in memory.
#[derive(Debug)]
pub(crate) struct SharedWebhookSecrets {
    secrets: Arc<WebhookSecrets>,
    changes: Mutex<()>,
}

impl SharedWebhookSecrets {
    pub(crate) fn new(secrets: Arc<WebhookSecrets>) -> Self {
        Self { secrets, changes: Mutex::new(()) }
    }

    /// Returns the secrets.
    pub(crate) fn secrets(&self) -> &Arc<WebhookSecrets> {
        &self.secrets
    }

    /// Waits until no other change is under way. Hold the guard from the start of a write to the change in memory, so
    /// that the changes in memory have the order of the commits.
    pub(crate) async fn start_change(&self) -> MutexGuard<'_, ()> {
        self.changes.lock().await
    }
}
