//! Submissions in the model.

use std::collections::BTreeMap;

use longshore::job::batch::Batch;
use longshore::job::outcome::Deferred;
use longshore::job::{BatchId, Job, JobId, Log, NewJob, QueueName, State};
use longshore::store::{Answer, NewBatch, Refusal, SubmissionKey, Submit, Submitted};

use super::ends::queues_of_end;
use super::{ApplyResult, MAX_QUEUES, Model, ModelBatch, ModelJob, ModelKey, counts};

impl Model {
    pub(super) fn submit(&mut self, submit: &Submit) -> ApplyResult {
        if let Some(earlier) = self.find_submission(submit) {
            return earlier;
        }
        if submit.jobs.is_empty() && submit.batch.is_none() {
            return Err(Refusal::Rejected(String::new()));
        }
        self.create_queues(submit)?;
        Ok(Answer::Submitted(self.insert(submit)))
    }

    /// Returns the answer to a submission whose idempotency key is known.
    pub(super) fn find_submission(&self, submit: &Submit) -> Option<ApplyResult> {
        let SubmissionKey { key, owner, fingerprint, .. } = submit.key.as_ref()?;
        let earlier = self.keys.get(&(*owner, key.clone())).or_else(|| {
            let first_key = self.api_keys.first().map(|key| key.created_at);
            let old = self.keys.get(&(None, key.clone()));
            old.filter(|old| first_key.is_none_or(|first_key| old.at <= first_key))
        })?;
        if earlier.fingerprint != *fingerprint {
            return Some(Err(match (earlier.count, earlier.batch) {
                (0, Some(batch)) => Refusal::KeyReusedByBatch(batch),
                _ => Refusal::KeyReused(JobId(earlier.first)),
            }));
        }
        Some(Ok(Answer::Submitted(Submitted {
            first: JobId(if earlier.count == 0 { 0 } else { earlier.first }),
            count: earlier.count,
            batch: earlier.batch.and_then(|id| self.summary(id)).map(Box::new),
            at: earlier.at,
            is_repeat: true,
        })))
    }

    /// Creates the queues of a submission, unless there are too many or a job is impossible.
    pub(super) fn create_queues(&mut self, submit: &Submit) -> Result<(), Refusal> {
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
        if submit.jobs.iter().any(|job| job.timeout.millis() == 0) {
            return Err(Refusal::Rejected(String::new()));
        }
        self.queues = queues;
        Ok(())
    }

    fn insert(&mut self, submit: &Submit) -> Submitted {
        let first = self.next_job;
        let batch = submit.batch.as_ref().map(|batch| Box::new(self.insert_batch(batch, submit)));
        let batch_id = batch.as_ref().map(|batch| batch.id);
        for new in submit.jobs.iter() {
            self.insert_job(new, batch_id);
        }
        let count = submit.jobs.len();
        self.insert_key(submit, first, batch_id);
        let first = JobId(if count == 0 { 0 } else { first });
        Submitted { first, count, batch, at: self.now, is_repeat: false }
    }

    /// Inserts the idempotency key of a submission, if it has one.
    pub(super) fn insert_key(&mut self, submit: &Submit, first: i64, batch: Option<BatchId>) {
        if let Some(SubmissionKey { key, owner, fingerprint, .. }) = &submit.key {
            let (fingerprint, count) = (*fingerprint, submit.jobs.len());
            let model_key = ModelKey { fingerprint, first, count, batch, at: self.now };
            self.keys.insert((*owner, key.clone()), model_key);
        }
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

    fn insert_batch(&mut self, batch: &NewBatch, submit: &Submit) -> Batch {
        let id = BatchId(self.next_batch);
        self.next_batch += 1;
        let states: Vec<State> = submit.jobs.iter().map(|job| job.state()).collect();
        let closes_at = batch.open_for.map(|span| self.now.plus(span.duration()));
        let is_closed_now = states.is_empty() && closes_at.is_none();
        let shown = Batch {
            id,
            name: batch.name.clone(),
            total: states.len() as i64,
            counts: counts(&states),
            created_at: self.now,
            finished_at: is_closed_now.then_some(self.now),
            open: closes_at.is_some(),
            closes_at,
            callback: None,
            then: None,
        };
        let batch = ModelBatch {
            live_before: shown.total,
            shown,
            on_end: batch.on_end.clone(),
            then_id: None,
            jobs: BTreeMap::new(),
            queues: submit.jobs.iter().map(|job| job.queue.clone()).collect(),
            access: self.access.clone(),
            is_closed_now,
            ends: Vec::new(),
        };
        let answer = batch.with_ends();
        self.batches.insert(id, batch);
        answer
    }
}
