//! Webhook secrets: created, rotated, deleted, and read at the start.

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::auth::access::QueuePattern;
use crate::auth::webhook::{StoredWebhookSecret, WebhookSecret};
use crate::job::{Span, Timestamp, WebhookSecretName};
use crate::store::group::impossible::ImpossibleRows;
use crate::store::rows::webhook_secret::WebhookSecretRow;
use crate::store::schema::webhook_secrets;
use crate::store::sql_types::{Binary, Integer, Nullable, Text};
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyResult;
use crate::store::{Answer, MAX_WEBHOOK_SECRETS, Refusal};

statement! {
    CountSecrets -> Integer = "SELECT count(*) FROM webhook_secrets"
}

statement! {
    FindSecret<'a> -> Columns<WebhookSecretRow> =
    "SELECT id, name, secret, previous, previous_until, created_at, rotated_at, queues
     FROM webhook_secrets WHERE name = " [name: Text as &'a str]
}

statement! {
    SecretsWithName<'a> -> Integer =
    "SELECT count(*) FROM webhook_secrets WHERE name = " [name: Text as &'a str]
}

statement! {
    InsertSecret<'a> =
    "INSERT INTO webhook_secrets (name, secret, created_at, queues)
     VALUES (" [name: Text as &'a str]
    ", " [secret: Binary as &'a [u8]]
    ", " [created_at: Integer as i64]
    ", " [queues: Text as String]
    ")"
}

statement! {
    ReplaceSecret<'a> =
    "UPDATE webhook_secrets
     SET secret = " [secret: Binary as &'a [u8]]
    ", previous = " [previous: Nullable<Binary> as Option<&'a [u8]>]
    ", previous_until = " [previous_until: Nullable<Integer> as Option<i64>]
    ", rotated_at = " [rotated_at: Nullable<Integer> as Option<i64>]
    " WHERE name = " [name: Text as &'a str]
}

statement! {
    DeleteSecret<'a> = "DELETE FROM webhook_secrets WHERE name = " [name: Text as &'a str]
}

impl CommitGroup<'_> {
    /// Applies [`Write::CreateWebhookSecret`](crate::store::Write::CreateWebhookSecret).
    pub(crate) fn create_webhook_secret(
        &mut self,
        name: &WebhookSecretName,
        secret: &WebhookSecret,
        queues: &[QueuePattern],
    ) -> ApplyResult {
        let taken: i64 = SecretsWithName { name: name.as_str() }.get_result(self.connection)?;
        if taken > 0 {
            return Err(Refusal::WebhookSecretExists(name.clone()).into());
        }
        let secrets: i64 = CountSecrets {}.get_result(self.connection)?;
        if secrets >= i64::from(MAX_WEBHOOK_SECRETS) {
            return Err(Refusal::TooManyWebhookSecrets(MAX_WEBHOOK_SECRETS).into());
        }
        InsertSecret {
            name: name.as_str(),
            secret: secret.as_bytes(),
            created_at: self.now.millis(),
            queues: serde_json::to_string(queues).unwrap_or_default(),
        }
        .execute(self.connection)?;
        let created = StoredWebhookSecret::new(name.clone(), secret.clone(), self.now);
        let created = created.for_queues(queues.to_vec());
        Ok(Answer::WebhookSecret(Box::new(created)))
    }

    /// Applies [`Write::RotateWebhookSecret`](crate::store::Write::RotateWebhookSecret).
    pub(crate) fn rotate_webhook_secret(
        &mut self,
        name: &WebhookSecretName,
        secret: &WebhookSecret,
        overlap: Span,
    ) -> ApplyResult {
        let find = FindSecret { name: name.as_str() };
        let row: Option<WebhookSecretRow> = find.get_result(self.connection).optional()?;
        let Some(row) = row else { return Err(Refusal::NoWebhookSecret(name.clone()).into()) };
        let rotated = row.parse()?.rotated(secret.clone(), overlap, self.now);
        ReplaceSecret {
            secret: rotated.secret.as_bytes(),
            previous: rotated.previous.as_ref().map(|previous| &previous.as_bytes()[..]),
            previous_until: rotated.info.previous_until.map(Timestamp::millis),
            rotated_at: rotated.info.rotated_at.map(Timestamp::millis),
            name: name.as_str(),
        }
        .execute(self.connection)?;
        Ok(Answer::WebhookSecret(Box::new(rotated)))
    }

    /// Applies [`Write::DeleteWebhookSecret`](crate::store::Write::DeleteWebhookSecret).
    pub(crate) fn delete_webhook_secret(&mut self, name: &WebhookSecretName) -> ApplyResult {
        let deleted = DeleteSecret { name: name.as_str() }.execute(self.connection)?;
        if deleted == 0 {
            return Err(Refusal::NoWebhookSecret(name.clone()).into());
        }
        Ok(Answer::Done)
    }
}

/// Reads all secrets, by name. Impossible rows are skipped.
pub(super) fn read_all(
    connection: &mut SqliteConnection,
    impossible: &mut ImpossibleRows,
) -> Result<Vec<StoredWebhookSecret>, TransactionError> {
    let rows: Vec<WebhookSecretRow> = webhook_secrets::table
        .order(webhook_secrets::name)
        .select(WebhookSecretRow::as_select())
        .load(connection)?;
    let mut secrets = Vec::with_capacity(rows.len());
    for row in rows {
        secrets.extend(impossible.skip(row.parse())?);
    }
    Ok(secrets)
}
