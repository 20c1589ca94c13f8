//! The part of the model about API keys.

use longshore::auth::api_key::{ApiKey, NewKey};
use longshore::auth::key_id::KeyId;
use longshore::job::Timestamp;
use longshore::store::{Answer, Refusal};

use super::table::{ApplyResult, Model};

impl Model {
    /// Returns the id of the next key.
    pub(super) fn next_api_key(&self) -> i64 {
        1 + self.api_keys.len() as i64
    }

    pub(super) fn create_key(&mut self, new: &NewKey) -> ApplyResult {
        let is_taken = |key: &ApiKey| key.name == new.name && key.revoked_at.is_none();
        if self.api_keys.iter().any(is_taken) {
            return Err(Refusal::KeyNameTaken(new.name.clone()));
        }
        let key = ApiKey {
            id: KeyId(self.next_api_key()),
            name: new.name.clone(),
            scopes: new.scopes,
            queues: new.queues.clone(),
            created_at: self.now,
            expires_at: new.expires_at,
            revoked_at: None,
            last_used_at: None,
        };
        self.api_keys.push(key.clone());
        Ok(Answer::Key(Box::new(key)))
    }

    pub(super) fn revoke_key(&mut self, id: KeyId) -> ApplyResult {
        let now = self.now;
        let found = self.api_keys.iter_mut().find(|key| key.id == id);
        let key = found.ok_or(Refusal::NoKey(id))?;
        key.revoked_at.get_or_insert(now);
        Ok(Answer::Key(Box::new(key.clone())))
    }

    pub(super) fn touch_keys(&mut self, uses: &[(KeyId, Timestamp)]) -> ApplyResult {
        for (id, at) in uses {
            if let Some(key) = self.api_keys.iter_mut().find(|key| key.id == *id) {
                key.last_used_at = key.last_used_at.max(Some(*at));
            }
        }
        Ok(Answer::Done)
    }
}
