//! API keys: created, revoked, and read at the start and for lists.

use std::path::Path;

use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use crate::auth::api_key::NewKey;
use crate::auth::key_id::KeyId;
use crate::auth::secret::KeyDigest;
use crate::job::Timestamp;
use crate::store::group::impossible::ImpossibleRows;
use crate::store::rows::api_key::ApiKeyRow;
use crate::store::schema::api_keys;
use crate::store::sql_types::{Binary, Integer, Nullable, Text};
use crate::store::sqlite::admin::open;
use crate::store::sqlite::statement::{Columns, statement};
use crate::store::sqlite::transaction::TransactionError;
use crate::store::sqlite::write::commit_group::CommitGroup;
use crate::store::sqlite::write::commit_group::apply::ApplyResult;
use crate::store::{Answer, MAX_KEYS, Refusal, StoredKeys};

statement! {
    InsertKey<'a> -> Integer =
    "INSERT INTO api_keys (name, digest, scopes, queues, created_at, expires_at)
     VALUES (" [name: Text as &'a str]
    ", " [digest: Binary as &'a [u8]]
    ", " [scopes: Text as String]
    ", " [queues: Text as String]
    ", " [created_at: Integer as i64]
    ", " [expires_at: Nullable<Integer> as Option<i64>]
    ") RETURNING id"
}

statement! {
    KeysWithName<'a> -> Integer =
    "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL AND name = " [name: Text as &'a str]
}

statement! {
    ActiveKeys -> Integer = "SELECT count(*) FROM api_keys WHERE revoked_at IS NULL"
}

statement! {
    DeleteOldKeys =
    "DELETE FROM api_keys WHERE id IN (
         SELECT id FROM api_keys WHERE revoked_at IS NOT NULL
         ORDER BY revoked_at DESC, id DESC LIMIT -1 OFFSET " [kept: Integer as i64] ")"
}

statement! {
    RevokeKey =
    "UPDATE api_keys SET revoked_at = coalesce(revoked_at, " [now: Integer as i64]
    ") WHERE id = " [id: Integer as i64]
}

statement! {
    FindKey -> Columns<ApiKeyRow> =
    "SELECT id, name, digest, scopes, queues, created_at, expires_at, revoked_at, last_used_at
     FROM api_keys WHERE id = " [id: Integer as i64]
}

statement! {
    TouchKey =
    "UPDATE api_keys SET last_used_at = max(coalesce(last_used_at, 0), " [at: Integer as i64]
    ") WHERE id = " [id: Integer as i64]
}

impl CommitGroup<'_> {
    /// Applies [`Write::CreateKey`](crate::store::Write::CreateKey).
    pub(crate) fn create_key(&mut self, key: &NewKey, digest: KeyDigest) -> ApplyResult {
        let NewKey { name, scopes, queues, expires_at } = key;
        let taken: i64 = KeysWithName { name: name.as_str() }.get_result(self.connection)?;
        if taken > 0 {
            return Err(Refusal::KeyNameTaken(name.clone()).into());
        }
        let active: i64 = ActiveKeys {}.get_result(self.connection)?;
        if active >= i64::from(MAX_KEYS) {
            return Err(Refusal::TooManyKeys(MAX_KEYS).into());
        }
        DeleteOldKeys { kept: MAX_KEYS.into() }.execute(self.connection)?;
        let id: i64 = InsertKey {
            name: name.as_str(),
            digest: digest.as_bytes(),
            // Lists of plain texts always have a JSON form; a constraint refuses an empty text.
            scopes: serde_json::to_string(scopes).unwrap_or_default(),
            queues: serde_json::to_string(queues).unwrap_or_default(),
            created_at: self.now.millis(),
            expires_at: expires_at.map(Timestamp::millis),
        }
        .get_result(self.connection)?;
        self.key(KeyId(id))
    }

    /// Applies [`Write::RevokeKey`](crate::store::Write::RevokeKey).
    pub(crate) fn revoke_key(&mut self, id: KeyId) -> ApplyResult {
        let revoked = RevokeKey { now: self.now.millis(), id: id.0 }.execute(self.connection)?;
        if revoked == 0 {
            return Err(Refusal::NoKey(id).into());
        }
        self.key(id)
    }

    /// Returns the answer with a key.
    fn key(&mut self, id: KeyId) -> ApplyResult {
        let row: ApiKeyRow = FindKey { id: id.0 }.get_result(self.connection)?;
        Ok(Answer::Key(Box::new(row.parse()?.key)))
    }

    /// Applies [`Write::TouchKeys`](crate::store::Write::TouchKeys).
    pub(crate) fn touch_keys(&mut self, uses: &[(KeyId, Timestamp)]) -> ApplyResult {
        for (id, at) in uses {
            TouchKey { at: at.millis(), id: id.0 }.execute(self.connection)?;
        }
        Ok(Answer::Done)
    }
}

/// Returns whether a database has API keys, without changing it. A file that cannot be read has none.
pub(crate) fn any_key_existed(database: &Path) -> bool {
    let Ok(mut connection) = open::read_only(database) else { return false };
    let first: QueryResult<i64> = api_keys::table.select(api_keys::id).first(&mut connection);
    first.is_ok()
}

/// Reads all keys. Impossible rows are skipped.
pub(super) fn read_all(
    connection: &mut SqliteConnection,
    impossible: &mut ImpossibleRows,
) -> Result<StoredKeys, TransactionError> {
    let rows: Vec<ApiKeyRow> =
        api_keys::table.order(api_keys::id).select(ApiKeyRow::as_select()).load(connection)?;
    let any_existed = !rows.is_empty();
    let mut keys = Vec::with_capacity(rows.len());
    for row in rows {
        keys.extend(impossible.skip(row.parse())?);
    }
    Ok(StoredKeys { keys, any_existed })
}
