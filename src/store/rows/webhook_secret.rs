//! Rows of webhook secrets.

use diesel::prelude::*;

use crate::auth::webhook::{StoredWebhookSecret, WebhookSecret, WebhookSecretInfo};
use crate::job::Timestamp;
use crate::store::error::StoreError;
use crate::store::rows::values::corrupt;
use crate::store::schema::webhook_secrets;

/// A webhook secret with its values.
#[derive(Queryable, Selectable)]
#[diesel(table_name = webhook_secrets)]
pub(crate) struct WebhookSecretRow {
    id: i64,
    name: String,
    secret: Vec<u8>,
    previous: Option<Vec<u8>>,
    previous_until: Option<i64>,
    created_at: i64,
    rotated_at: Option<i64>,
    queues: String,
}

impl WebhookSecretRow {
    /// Converts the row. A secret with a wrong value in any column signs nothing.
    pub(crate) fn parse(self) -> Result<StoredWebhookSecret, StoreError> {
        let id = self.id;
        let corrupt = |fault: &str| corrupt(format_args!("webhook secret {id}"), fault);
        let value = |bytes: Vec<u8>| {
            let bytes = bytes.try_into().map_err(|_wrong| corrupt("has an invalid value"))?;
            Ok::<_, StoreError>(WebhookSecret::from_bytes(bytes))
        };
        let info = WebhookSecretInfo {
            name: self.name.parse().map_err(|_invalid| corrupt("has an invalid name"))?,
            queues: serde_json::from_str(&self.queues)
                .map_err(|_invalid| corrupt("has invalid queue patterns"))?,
            created_at: Timestamp::from_millis(self.created_at),
            rotated_at: self.rotated_at.map(Timestamp::from_millis),
            previous_until: self.previous_until.map(Timestamp::from_millis),
        };
        let (secret, previous) = (value(self.secret)?, self.previous.map(value).transpose()?);
        Ok(StoredWebhookSecret { info, secret, previous })
    }
}
