//! Rows of API keys.

use diesel::prelude::*;

use crate::auth::api_key::{ApiKey, StoredKey};
use crate::auth::key_id::KeyId;
use crate::auth::secret::KeyDigest;
use crate::job::Timestamp;
use crate::store::error::StoreError;
use crate::store::rows::values::corrupt;
use crate::store::schema::api_keys;

/// An API key with the digest of its secret.
#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
pub(crate) struct ApiKeyRow {
    id: i64,
    name: String,
    digest: Vec<u8>,
    scopes: String,
    queues: String,
    created_at: i64,
    expires_at: Option<i64>,
    revoked_at: Option<i64>,
    last_used_at: Option<i64>,
}

impl ApiKeyRow {
    /// Converts the row. A key with a wrong value in any column is not accepted at all.
    pub(crate) fn parse(self) -> Result<StoredKey, StoreError> {
        let Self { id, name, digest, scopes, queues, .. } = self;
        let corrupt = |fault: &str| corrupt(format_args!("api key {id}"), fault);
        let key = ApiKey {
            id: KeyId(id),
            name: name.parse().map_err(|_invalid| corrupt("has an invalid name"))?,
            scopes: serde_json::from_str(&scopes)
                .map_err(|_invalid| corrupt("has invalid scopes"))?,
            queues: serde_json::from_str(&queues)
                .map_err(|_invalid| corrupt("has invalid queue patterns"))?,
            created_at: Timestamp::from_millis(self.created_at),
            expires_at: self.expires_at.map(Timestamp::from_millis),
            revoked_at: self.revoked_at.map(Timestamp::from_millis),
            last_used_at: self.last_used_at.map(Timestamp::from_millis),
        };
        let digest = digest.try_into().map_err(|_wrong| corrupt("has an invalid digest"))?;
        Ok(StoredKey { key, digest: KeyDigest::from_bytes(digest) })
    }
}
