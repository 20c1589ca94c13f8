//! Writes of the model on one batch.

use std::collections::BTreeSet;

use longshore::job::{BatchId, JobId, Span, State, Timestamp};
use longshore::store::{Answer, MoveSummary, Refusal, Submit, Submitted};

use super::{ApplyResult, Model};

impl Model {
    pub(in super::super) fn open_batches(&self) -> Vec<BatchId> {
        let open = self.batches.iter().filter(|(_, batch)| batch.shown.open);
        open.map(|(id, _)| *id).collect()
    }

    pub(super) fn add_jobs(&mut self, id: BatchId, submit: &Submit, open_for: Span) -> ApplyResult {
        if let Some(earlier) = self.find_submission(submit) {
            return earlier;
        }
        if submit.jobs.is_empty() {
            return Err(Refusal::Rejected(String::new()));
        }
        self.batch_jobs(id)?;
        if !self.batches[&id].shown.open {
            return Err(Refusal::BatchClosed(id));
        }
        self.create_queues(submit)?;
        let (closes_at, first) = (self.now.plus(open_for.duration()), self.next_job);
        let batch = self.batches.get_mut(&id).unwrap();
        batch.shown.closes_at = batch.shown.closes_at.max(Some(closes_at));
        batch.shown.total += submit.jobs.len() as i64;
        batch.live_before += submit.jobs.len() as i64;
        for job in submit.jobs.iter() {
            *batch.shown.counts.get_mut(job.state()) += 1;
        }
        for job in submit.jobs.iter() {
            self.insert_job(job, Some(id));
        }
        self.insert_key(submit, first, Some(id));
        let (batch, at) = (self.summary(id).map(Box::new), self.now);
        let (first, count) = (JobId(first), submit.jobs.len());
        Ok(Answer::Submitted(Submitted { first, count, batch, at, is_repeat: false }))
    }

    pub(super) fn close_batch(&mut self, id: BatchId) -> ApplyResult {
        self.batch_jobs(id)?;
        self.close_if_open(id);
        Ok(Answer::Done)
    }

    pub(super) fn close_batches(&mut self, limit: usize) -> ApplyResult {
        let open =
            self.batches.iter().filter_map(|(id, batch)| Some((batch.shown.closes_at?, *id)));
        let mut due: Vec<(Timestamp, BatchId)> = open.filter(|(at, _)| *at <= self.now).collect();
        due.sort_unstable();
        due.truncate(limit);
        for (_, id) in &due {
            self.close_if_open(*id);
        }
        Ok(Answer::Moved(MoveSummary { count: due.len(), next_at: None }))
    }

    fn close_if_open(&mut self, id: BatchId) {
        let now = self.now;
        let batch = self.batches.get_mut(&id).unwrap();
        if batch.shown.open {
            (batch.shown.open, batch.shown.closes_at) = (false, None);
            batch.shown.finished_at = (batch.shown.counts.live() == 0).then_some(now);
            batch.is_closed_now = true;
        }
    }

    pub(super) fn prune_batches(
        &mut self,
        batches: &[BatchId],
        finished_before: Timestamp,
    ) -> ApplyResult {
        let before = self.batches.len();
        let jobs = &self.jobs;
        self.batches.retain(|id, batch| {
            let is_old = batch.shown.finished_at.is_some_and(|at| at < finished_before);
            let has_jobs = batch.jobs.keys().any(|job| jobs.contains_key(job));
            !batches.contains(id) || !is_old || has_jobs
        });
        self.forget_keys();
        Ok(Answer::Removed(before - self.batches.len()))
    }

    /// Removes the ended batches whose last job this group has removed.
    pub(super) fn remove_empty_batches(&mut self) {
        let removals = self.changes.iter().filter(|change| change.to.is_none());
        let touched: BTreeSet<BatchId> = removals.filter_map(|change| change.batch).collect();
        let jobs = &self.jobs;
        self.batches.retain(|id, batch| {
            let has_jobs = batch.jobs.keys().any(|job| jobs.contains_key(job));
            has_jobs || batch.shown.finished_at.is_none() || !touched.contains(id)
        });
        self.forget_keys();
    }

    /// Forgets the idempotency keys of which nothing is left.
    pub(in super::super) fn forget_keys(&mut self) {
        let (jobs, batches) = (&self.jobs, &self.batches);
        self.keys.retain(|_, key| match key.count {
            0 => key.batch.is_some_and(|batch| batches.contains_key(&batch)),
            count => (key.first..key.first + count as i64).any(|id| jobs.contains_key(&JobId(id))),
        });
    }

    pub(super) fn retry_batch(
        &mut self,
        batch: BatchId,
        jobs: &[JobId],
        states: &[State],
    ) -> ApplyResult {
        self.batch_jobs(batch)?;
        let mut retried = 0;
        for id in jobs {
            let Some(row) = self.jobs.get(id) else { continue };
            let is_meant = row.job.batch == Some(batch) && states.contains(&row.job.state);
            retried += usize::from(is_meant && self.retry(*id).is_ok());
        }
        Ok(Answer::Retried(retried))
    }
}
