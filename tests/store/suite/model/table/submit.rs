//! Submissions in the model.

use std::collections::BTreeMap;

use longshore::job::batch::Batch;
use longshore::job::outcome::Deferred;
use longshore::job::{BatchId, Job, JobId, Log, NewJob, QueueName, State};
use longshore::store::{Answer, Refusal, SubmissionKey, Submit, Submitted};

use super::ends::queues_of_end;
use super::{ApplyResult, MAX_QUEUES, Model, ModelBatch, ModelJob, ModelKey, counts};

impl Model {
    pub(super) fn submit(&mut self, submit: &Submit) -> ApplyResult {
        if let Some(SubmissionKey { key, owner, fingerprint, .. }) = &submit.key
            && let Some(earlier) = self.keys.get(&(*owner, key.clone())).or_else(|| {
                let first_key = self.api_keys.first().map(|key| key.created_at);
                let old = self.keys.get(&(None, key.clone()));
                old.filter(|old| first_key.is_none_or(|first_key| old.at <= first_key))
            })
        {
            if earlier.fingerprint != *fingerprint {
                return Err(Refusal::KeyReused(JobId(earlier.first)));
            }
            return Ok(Answer::Submitted(Submitted {
                first: JobId(earlier.first),
                count: earlier.count,
                batch: earlier.batch.and_then(|id| self.summary(id)).map(Box::new),
                at: earlier.at,
                is_repeat: true,
            }));
        }
        let mut queues = self.queues.clone();
        let of_batch = submit.batch.as_ref().and_then(|batch| batch.on_end.as_deref());
        let of_jobs = submit.jobs.iter().filter_map(|job| job.on_end.as_deref());
        let of_ends: Vec<QueueName> = of_jobs.chain(of_batch).flat_map(queues_of_end).collect();
        for queue in submit.jobs.iter().map(|job| &job.queue).chain(&of_ends) {
            queues.entry(queue.clone()).or_default();
        }
        if queues.len() > MAX_QUEUES {
            return Err(Refusal::TooManyQueues(MAX_QUEUES));
        }
        if submit.jobs.is_empty() || submit.jobs.iter().any(|job| job.timeout.millis() == 0) {
            return Err(Refusal::Rejected(String::new()));
        }
        self.queues = queues;
        Ok(Answer::Submitted(self.insert(submit)))
    }

    fn insert(&mut self, submit: &Submit) -> Submitted {
        let first = self.next_job;
        let batch = submit.batch.as_ref().map(|_| Box::new(self.insert_batch(submit)));
        let batch_id = batch.as_ref().map(|batch| batch.id);
        for new in submit.jobs.iter() {
            self.insert_job(new, batch_id);
        }
        let count = submit.jobs.len();
        if let Some(SubmissionKey { key, owner, fingerprint, .. }) = &submit.key {
            let fingerprint = *fingerprint;
            let model_key = ModelKey { fingerprint, first, count, batch: batch_id, at: self.now };
            self.keys.insert((*owner, key.clone()), model_key);
        }
        Submitted { first: JobId(first), count, batch, at: self.now, is_repeat: false }
    }

    /// Inserts a job, and returns its id.
    pub(super) fn insert_job(&mut self, new: &NewJob, batch: Option<BatchId>) -> JobId {
        let id = JobId(self.next_job);
        self.next_job += 1;
        let row = ModelJob {
            job: Job { batch, ..new.inserted(id, self.now) },
            on_end: new.on_end.clone(),
            backoff: new.backoff,
            provider: new.provider.clone(),
            key: new.key,
            deferred: Deferred::default(),
            token: 0,
            lease_expires_at: None,
            remote_lease: None,
            lease_key: None,
            failure: None,
            finished_by: None,
            log: Log::default(),
        };
        self.jobs.insert(id, row);
        self.record(id, None, Some(new.state()));
        id
    }

    fn insert_batch(&mut self, submit: &Submit) -> Batch {
        let id = BatchId(self.next_batch);
        self.next_batch += 1;
        let states: Vec<State> = submit.jobs.iter().map(|job| job.state()).collect();
        let shown = Batch {
            id,
            name: submit.batch.as_ref().and_then(|batch| batch.name.clone()),
            total: states.len() as i64,
            counts: counts(&states),
            created_at: self.now,
            finished_at: None,
            callback: None,
            then: None,
        };
        let live_before = shown.total;
        let jobs = BTreeMap::new();
        let queues = submit.jobs.iter().map(|job| job.queue.clone()).collect();
        let on_end = submit.batch.as_ref().and_then(|batch| batch.on_end.clone());
        let batch = ModelBatch {
            shown: shown.clone(),
            on_end,
            then_id: None,
            jobs,
            queues,
            live_before,
            ends: Vec::new(),
        };
        let answer = batch.with_ends();
        self.batches.insert(id, batch);
        answer
    }
}
