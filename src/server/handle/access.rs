//! On whose behalf a handle acts, and what that allows.

use std::sync::Arc;

use super::{ChangeNotes, Handle};
use crate::actor::key_usage::KeyUsage;
use crate::actor::keyring::KeyEntry;
use crate::auth::access::{QueueAccess, QueuePattern};
use crate::auth::key_id::KeyId;
use crate::auth::principal::Principal;
use crate::job::{JobId, QueueName};
use crate::server::error::Error;
use crate::store::Write;

/// Id that no key has, because ids are positive. No lease belongs to it.
const NO_KEY: KeyId = KeyId(0);

impl Handle {
    /// Returns a handle that acts for `principal`.
    #[must_use]
    pub fn acting_for(&self, principal: Principal) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            principal,
            key: None,
            has_token: false,
            is_keyless: false,
            notes: None,
        }
    }

    /// Returns a handle that acts for `principal`, whose requests count for this key.
    pub(crate) fn acting_with(&self, principal: Principal, key: &Arc<KeyEntry>) -> Self {
        Self { key: Some(Arc::clone(key)), ..self.acting_for(principal) }
    }

    /// As [`acting_with`](Self::acting_with), for a token that was made with the key.
    pub(crate) fn acting_with_token(&self, principal: Principal, key: &Arc<KeyEntry>) -> Self {
        Self { has_token: true, ..self.acting_with(principal, key) }
    }

    /// Returns a handle that acts for a client which needs no key because none was ever created. From the first key on,
    /// it changes nothing more.
    pub(crate) fn acting_without_key(&self) -> Self {
        Self { is_keyless: true, ..self.acting_for(Principal::TRUSTED) }
    }

    /// Returns what the key or token of the principal uses.
    pub(super) fn key_usage(&self) -> Option<&Arc<KeyUsage>> {
        let key = self.key.as_ref()?;
        Some(if self.has_token { key.token_usage() } else { key.usage() })
    }

    /// Refuses a write if the key of the principal has ended since the request was admitted, as when its body
    /// took long to arrive, or if it needs one now.
    pub(in crate::server) fn check_key_valid(&self) -> Result<(), Error> {
        match &self.key {
            Some(key) if key.has_ended() => Err(Error::KeyEnded),
            None if self.is_keyless && self.needs_key() => Err(Error::KeyNeeded),
            _ => Ok(()),
        }
    }

    /// Returns on whose behalf the handle acts.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Returns whether the handle acts for a read token, which has no scope.
    pub(crate) fn acts_for_token(&self) -> bool {
        self.principal.scopes.is_empty()
    }

    /// Returns the key with which the principal may use leases.
    ///
    /// A lease belongs to the key that took it. Where a request needs no key although there are some, as with
    /// `keyless_loopback`, it may use the leases that were taken without one.
    pub(in crate::server) fn lease_key(&self) -> Option<KeyId> {
        self.principal.key.or_else(|| self.needs_key().then_some(NO_KEY))
    }

    /// Notes what calls of this handle change, and returns the notes.
    pub(crate) fn note_changes(&mut self) -> ChangeNotes {
        self.notes.get_or_insert_default().clone()
    }

    /// Notes the id or name of what was created.
    pub(in crate::server) fn note_created(&self, id: &impl ToString) {
        if let Some(notes) = &self.notes {
            notes.set_created(id.to_string());
        }
    }

    /// Notes jobs that a request changes and that its path does not name.
    pub(in crate::server) fn note_jobs(&self, ids: &[JobId]) {
        if let Some(notes) = &self.notes {
            notes.add_jobs(ids);
        }
    }

    /// Returns the queues that the principal may use.
    pub(in crate::server) fn access(&self) -> &QueueAccess {
        &self.principal.queues
    }

    /// Refuses a queue that the principal may not use.
    pub(in crate::server) fn check_queue(&self, queue: &QueueName) -> Result<(), Error> {
        if self.access().allows(queue) {
            return Ok(());
        }
        let QueueAccess::Only(patterns) = self.access() else { return Ok(()) };
        let allowed: Vec<&str> = patterns.iter().map(QueuePattern::as_str).collect();
        Err(Error::Forbidden(format!(
            "the key may not use queue {queue}; it may use {}",
            allowed.join(", ")
        )))
    }

    /// Refuses what concerns all queues if the principal may only use some.
    pub(in crate::server) fn check_all_queues(&self) -> Result<(), Error> {
        if self.access().is_all() {
            return Ok(());
        }
        let detail = "this concerns all queues, and the key may only use some of them";
        Err(Error::Forbidden(detail.into()))
    }

    /// Returns a write that changes nothing outside the queues that the principal may use.
    pub(in crate::server) fn within_access(&self, write: Write) -> Write {
        match self.access() {
            QueueAccess::All => write,
            access => Write::Within(access.clone(), Box::new(write)),
        }
    }
}
