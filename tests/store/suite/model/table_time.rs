//! Writes of the model that depend on the time: stage, expire and rescue.

use longshore::job::outcome::Outcome;
use longshore::job::{Job, JobError, JobId, Lane, State, Timestamp};
use longshore::store::{Answer, MoveSummary, RescueScope};

use super::table::{ApplyResult, Model};

fn is_timed(job: &Job) -> bool {
    matches!(job.state, State::Scheduled | State::Retrying)
}

/// Returns the time at which a job expires, if it still can.
fn expiry(job: &Job) -> Option<Timestamp> {
    let can_expire =
        matches!(job.state, State::Scheduled | State::Queued) && job.started_at.is_none();
    job.expires_at.filter(|_| can_expire)
}

/// Returns the first `limit` jobs that are due, earliest first.
fn due(mut times: Vec<(Timestamp, JobId)>, now: Timestamp, limit: usize) -> Vec<JobId> {
    times.retain(|(at, _)| *at <= now);
    times.sort_unstable();
    times.truncate(limit);
    times.into_iter().map(|(_, id)| id).collect()
}

impl Model {
    fn all_jobs(&self) -> impl Iterator<Item = &Job> {
        self.jobs.values().map(|row| &row.job)
    }

    pub(super) fn stage(&mut self, limit: usize) -> ApplyResult {
        let times = self.all_jobs().filter(|job| is_timed(job)).map(|job| (job.run_at, job.id));
        let due = due(times.collect(), self.now, limit);
        for id in &due {
            let finished_by = self.jobs[id].finished_by.clone();
            self.set_state(*id, State::Queued);
            // A repeated finish of the failed attempt is still recognized by its token.
            self.jobs.get_mut(id).unwrap().finished_by = finished_by;
        }
        let next_at = self.all_jobs().filter(|job| is_timed(job)).map(|job| job.run_at).min();
        Ok(Answer::Moved(MoveSummary { count: due.len(), next_at }))
    }

    pub(super) fn expire(&mut self, limit: usize) -> ApplyResult {
        let count = self.expire_due(limit);
        let next_at = self.all_jobs().filter_map(expiry).min();
        Ok(Answer::Moved(MoveSummary { count, next_at }))
    }

    pub(super) fn expire_due(&mut self, limit: usize) -> usize {
        let times = self.all_jobs().filter_map(|job| Some((expiry(job)?, job.id)));
        let due = due(times.collect(), self.now, limit);
        for id in &due {
            self.cancel_waiting(*id, "expired");
        }
        due.len()
    }

    pub(super) fn rescue(&mut self, scope: RescueScope, limit: usize) -> ApplyResult {
        if matches!(scope, RescueScope::Dead) {
            self.repair_limits();
        }
        let running = self.jobs.values().filter_map(|row| Some((row.lease_expires_at?, row)));
        let ids = match scope {
            RescueScope::Expired { .. } => {
                due(running.map(|(at, row)| (at, row.job.id)).collect(), self.now, limit)
            }
            RescueScope::Dead => running
                .filter(|(_, row)| row.job.lane != Lane::Remote)
                .map(|(_, row)| row.job.id)
                .collect(),
        };
        let lost = Outcome::Lost(JobError::new("lost", ""));
        for id in &ids {
            let row = &self.jobs[id];
            let job = &row.job;
            // The lease expired because the attempt used up its timeout.
            let is_timed_out = job.lane == Lane::Remote
                && matches!(scope, RescueScope::Expired { .. })
                && row.lease_expires_at >= job.started_at.map(|at| at.plus(job.timeout.duration()));
            let timed_out = Outcome::Lost(JobError::timed_out(job.timeout));
            self.settle(*id, if is_timed_out { &timed_out } else { &lost });
            self.jobs.get_mut(id).unwrap().finished_by = None;
        }
        let next_at = self.jobs.values().filter_map(|row| row.lease_expires_at).min();
        Ok(Answer::Moved(MoveSummary { count: ids.len(), next_at }))
    }
}
