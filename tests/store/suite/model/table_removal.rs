//! Removals of jobs in the model.

use longshore::job::{JobId, Timestamp};
use longshore::store::{Answer, Refusal};

use super::table::{ApplyResult, Model};

impl Model {
    pub(super) fn delete(&mut self, id: JobId) -> ApplyResult {
        let state = self.find(id)?.job.state;
        if !state.is_final() {
            return Err(Refusal::Conflict { job: id, state, reason: String::new() });
        }
        self.run_end_before_change(id);
        self.remove(id);
        Ok(Answer::Removed(1))
    }

    pub(super) fn prune(&mut self, jobs: &[JobId], finished_before: Timestamp) -> ApplyResult {
        let mut removed = 0;
        for id in jobs {
            let finished_at = self.jobs.get(id).and_then(|row| row.job.finished_at);
            if finished_at.is_some_and(|at| at < finished_before) {
                self.remove(*id);
                removed += 1;
            }
        }
        Ok(Answer::Removed(removed))
    }

    fn remove(&mut self, id: JobId) {
        let state = self.jobs[&id].job.state;
        self.record(id, Some(state), None);
        self.jobs.remove(&id);
        self.forget_keys();
    }
}
