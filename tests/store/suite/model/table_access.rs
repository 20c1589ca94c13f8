//! What exists for the caller of a write of the model.

use longshore::auth::key_id::KeyId;
use longshore::job::lease::{Lease, LeaseState};
use longshore::job::{BatchId, JobId, Lane};
use longshore::roster::{KindChanges, LearnedKind};
use longshore::store::{Answer, Holder, Refusal};

use super::table::{ApplyResult, Model, ModelBatch, ModelJob};

impl Model {
    pub(super) fn find(&self, id: JobId) -> Result<&ModelJob, Refusal> {
        let row = self.jobs.get(&id).filter(|row| self.access.allows(&row.job.queue));
        row.ok_or(Refusal::NoJob(id))
    }

    /// Refuses a lease that another API key has taken.
    pub(super) fn check_owner(&self, holder: Holder, id: JobId) -> Result<(), Refusal> {
        if !self.access.is_all() {
            self.find(id)?;
        }
        let Holder::Remote(Some(key)) = holder else { return Ok(()) };
        let owner = self.jobs.get(&id).and_then(|row| row.lease_key);
        if owner.is_some_and(|owner| owner != key) { Err(Refusal::StaleLease) } else { Ok(()) }
    }

    pub(super) fn learn_kinds(&mut self, changes: &KindChanges) -> ApplyResult {
        let key = |kind: &LearnedKind| (kind.kind.to_string(), kind.queues.to_json());
        for kind in &changes.asked {
            self.learned_kinds.insert(key(kind), kind.clone());
        }
        for kind in &changes.forgotten {
            self.learned_kinds.remove(&key(kind));
        }
        Ok(Answer::Done)
    }

    /// Returns what a remote worker with this key must know about a lease.
    pub(super) fn lease_state(&self, lease: Lease, key: Option<KeyId>) -> LeaseState {
        let is_held = |row: &&ModelJob| {
            let is_own = self.check_owner(Holder::Remote(key), lease.job).is_ok();
            row.holds(lease) && row.job.lane == Lane::Remote && is_own
        };
        match self.jobs.get(&lease.job).filter(is_held) {
            Some(row) if row.job.cancel_requested => LeaseState::CancelRequested,
            Some(_) => LeaseState::Held,
            None => LeaseState::Stale,
        }
    }

    pub(super) fn batch_jobs(&self, id: BatchId) -> Result<Vec<JobId>, Refusal> {
        let is_visible = |batch: &&ModelBatch| match batch.queues.is_empty() {
            true => self.access.is_all() || self.access == batch.access,
            false => batch.queues.iter().all(|queue| self.access.allows(queue)),
        };
        let batch = self.batches.get(&id).filter(is_visible).ok_or(Refusal::NoBatch(id))?;
        Ok(batch.jobs.keys().copied().filter(|job| self.jobs.contains_key(job)).collect())
    }
}
