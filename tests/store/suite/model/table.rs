//! The model: the contract of the store, implemented with maps in memory.
//!
//! It shares only `settle`, the rules of limits and the settings of deliveries with the store.

mod batches;
mod ends;
mod submit;

use std::collections::{BTreeMap, BTreeSet};

use longshore::auth::access::QueueAccess;
use longshore::auth::api_key::ApiKey;
use longshore::auth::key_id::KeyId;
use longshore::auth::webhook::StoredWebhookSecret;
use longshore::config::Config;
use longshore::job::batch::Batch;
use longshore::job::lease::Lease;
use longshore::job::limit::starts::Starts;
use longshore::job::outcome::{Deferred, Outcome};
use longshore::job::queue::{Queue, QueueChange, QueueSettings, StateCounts};
use longshore::job::retry::Backoff;
use longshore::job::submission::on_end::OnEnd;
use longshore::job::{
    BatchId, FailedAttempt, IdempotencyKey, Job, JobError, JobId, Lane, Log, ProviderName,
    QueueName, Span, State, Timestamp, WebhookSecretName,
};
use longshore::roster::LearnedKind;
use longshore::store::{Answer, Change, ProviderStatus, Refusal, Write};

use super::table_limits::{Providers, providers};
use crate::kit::backend::Delivery;

pub(super) const MAX_QUEUES: usize = 4;

/// A job, with the properties that readers do not see.
#[derive(Debug, Clone)]
pub(super) struct ModelJob {
    pub(super) job: Job,
    /// What happens when it ends.
    pub(super) on_end: Option<Box<OnEnd>>,
    pub(super) backoff: Backoff,
    pub(super) provider: Option<ProviderName>,
    /// API key with which it was submitted.
    pub(super) key: Option<KeyId>,
    /// Attempts that did not count.
    pub(super) deferred: Deferred,
    pub(super) token: i64,
    pub(super) lease_expires_at: Option<Timestamp>,
    /// Lease duration that a remote worker asked for.
    pub(super) remote_lease: Option<Span>,
    /// API key with which the latest lease was taken.
    pub(super) lease_key: Option<KeyId>,
    /// Error of the attempt under the latest token, if it failed.
    pub(super) failure: Option<JobError>,
    /// Log of all its attempts.
    pub(super) log: Log,
    /// Outcome that led to the current state, if nothing has happened since.
    pub(super) finished_by: Option<Outcome>,
}

pub(super) struct ModelKey {
    fingerprint: [u8; 32],
    pub(super) first: i64,
    pub(super) count: usize,
    batch: Option<BatchId>,
    at: Timestamp,
}

pub(super) struct ModelBatch {
    /// The batch after the last group, without its end actions.
    shown: Batch,
    /// What happens when it ends.
    on_end: Option<Box<OnEnd>>,
    /// Its follow-up job, once it was inserted.
    then_id: Option<JobId>,
    /// Latest state of every job of the batch, removed ones included.
    pub(super) jobs: BTreeMap<JobId, State>,
    /// Queues in which it has or had jobs.
    pub(super) queues: BTreeSet<QueueName>,
    /// Queues of the caller that created it.
    pub(super) access: QueueAccess,
    live_before: i64,
    /// Whether this group has closed it, or submitted it without jobs.
    is_closed_now: bool,
    /// Jobs whose ends were recorded, in any order within a group.
    ends: Vec<JobId>,
}

pub(super) struct Model {
    pub(super) now: Timestamp,
    pub(super) jobs: BTreeMap<JobId, ModelJob>,
    pub(super) next_job: i64,
    pub(super) next_batch: i64,
    /// Every lease granted so far.
    pub(super) leases: Vec<Lease>,
    /// Changes of this group.
    pub(super) changes: Vec<Change>,
    pub(super) queues: BTreeMap<QueueName, QueueSettings>,
    /// Recent starts of the queues that had a rate limit.
    pub(super) starts: BTreeMap<QueueName, Starts>,
    pub(super) providers: Providers,
    /// Number of entries to each state that the counters of a queue count.
    totals: BTreeMap<QueueName, StateCounts>,
    pub(super) batches: BTreeMap<BatchId, ModelBatch>,
    /// Jobs that deliver webhooks, in the order of their ids.
    pub(super) deliveries: Vec<Delivery>,
    /// Number of jobs that ends of jobs and batches have inserted.
    pub(super) inserted_at_ends: usize,
    pub(super) keys: BTreeMap<(Option<KeyId>, IdempotencyKey), ModelKey>,
    /// Queues of the caller of the current write.
    pub(super) access: QueueAccess,
    pub(super) api_keys: Vec<ApiKey>,
    pub(super) webhook_secrets: BTreeMap<WebhookSecretName, StoredWebhookSecret>,
    /// Learned kinds, by name and queues.
    pub(super) learned_kinds: BTreeMap<(String, Option<String>), LearnedKind>,
}

pub(super) type ApplyResult = Result<Answer, Refusal>;

impl Model {
    pub(super) fn new(now: Timestamp, config: &Config) -> Self {
        Self {
            now,
            jobs: BTreeMap::new(),
            next_job: 1,
            next_batch: 1,
            leases: Vec::new(),
            changes: Vec::new(),
            queues: BTreeMap::new(),
            starts: BTreeMap::new(),
            providers: providers(config),
            totals: BTreeMap::new(),
            batches: BTreeMap::new(),
            deliveries: Vec::new(),
            inserted_at_ends: 0,
            keys: BTreeMap::new(),
            access: QueueAccess::All,
            api_keys: Vec::new(),
            webhook_secrets: BTreeMap::new(),
            learned_kinds: BTreeMap::new(),
        }
    }

    pub(super) fn running_in(&self, lane: Lane) -> i64 {
        let jobs = self.jobs.values().map(|row| &row.job);
        jobs.filter(|job| job.lane == lane && job.state == State::Running).count() as i64
    }

    /// Starts a commit group.
    pub(super) fn start_group(&mut self) {
        self.changes.clear();
        for batch in self.batches.values_mut() {
            batch.live_before = counts(batch.jobs.values()).live();
            batch.is_closed_now = false;
        }
    }

    pub(super) fn apply(&mut self, write: &Write) -> ApplyResult {
        match write {
            Write::Submit(submit) => self.submit(submit),
            Write::Lease(request) => self.lease(request),
            Write::Finish(finish) => self.finish(finish),
            Write::Renew(renew) => self.renew(renew),
            Write::Report(lease, progress) => self.report(*lease, progress),
            Write::Log(lines) => self.log(lines),
            Write::TimeBuckets(_) | Write::RecordActivity | Write::Probe => Ok(Answer::Done),
            Write::Cancel(job) => self.cancel(*job),
            Write::CancelBatch(batch) => self.cancel_batch(*batch),
            Write::AddJobs { batch, submit, open_for } => self.add_jobs(*batch, submit, *open_for),
            Write::CloseBatch(batch) => self.close_batch(*batch),
            Write::CloseBatches { limit } => self.close_batches(*limit as usize),
            Write::PruneBatches { batches, finished_before } => {
                self.prune_batches(batches, *finished_before)
            }
            Write::Retry(job) => self.retry(*job),
            Write::RetryBatch { batch, jobs, states } => self.retry_batch(*batch, jobs, states),
            Write::Update(job, change) => self.update(*job, change),
            Write::Delete(job) => self.delete(*job),
            Write::Stage { limit } => self.stage(*limit as usize),
            Write::Expire { limit } => self.expire(*limit as usize),
            Write::Rescue { scope, limit } => self.rescue(*scope, *limit as usize),
            Write::Prune { jobs, finished_before } => self.prune(jobs, *finished_before),
            Write::Each(writes) => {
                Ok(Answer::Each(writes.iter().map(|write| self.apply(write)).collect()))
            }
            Write::Within(access, write) => {
                self.access = access.clone();
                let applied = self.apply(write);
                self.access = QueueAccess::All;
                applied
            }
            Write::Configure { queue, change } => self.configure(queue, change),
            Write::CreateKey(key, _) => self.create_key(key),
            Write::RevokeKey(key) => self.revoke_key(*key),
            Write::TouchKeys(uses) => self.touch_keys(uses),
            Write::CreateWebhookSecret(name, secret, queues) => {
                self.create_webhook_secret(name, secret, queues)
            }
            Write::RotateWebhookSecret(name, secret, overlap) => {
                self.rotate_webhook_secret(name, secret, *overlap)
            }
            Write::DeleteWebhookSecret(name) => self.delete_webhook_secret(name),
            Write::LearnKinds(changes) => self.learn_kinds(changes),
        }
    }

    /// Ends a commit group, and returns the batches that ended in it and the status of the providers whose
    /// jobs it changed.
    pub(super) fn end_group(&mut self) -> (Vec<BatchId>, Vec<ProviderStatus>) {
        self.run_ends_of_jobs(0);
        let ended = self.count_batches();
        let end_of_jobs = self.changes.len();
        for batch in &ended {
            self.run_end_of_batch(*batch);
        }
        self.run_ends_of_jobs(end_of_jobs);
        for change in &mut self.changes {
            let is_requeued = change.from.is_some() && change.to == Some(State::Queued);
            if is_requeued && change.lane == Lane::Remote {
                let row = self.jobs.get(&change.job);
                change.remote_kind = row.map(|row| row.job.kind.as_str().into());
            }
        }
        self.remove_empty_batches();
        self.forget_deliveries();
        let providers = self.end_providers();
        (ended, providers)
    }

    /// Updates the counts of all batches, and returns those that ended in this group.
    fn count_batches(&mut self) -> Vec<BatchId> {
        let mut ended = Vec::new();
        for (id, batch) in &mut self.batches {
            batch.shown.counts = counts(batch.jobs.values());
            let live = batch.shown.counts.live();
            let finished_at = batch.shown.finished_at.unwrap_or(self.now);
            let has_ended = live == 0 && !batch.shown.open;
            batch.shown.finished_at = has_ended.then_some(finished_at);
            if has_ended && (batch.live_before > 0 || batch.is_closed_now) {
                ended.push(*id);
            }
        }
        ended
    }

    /// Returns the recorded ends of a batch that readers see, by rising id.
    pub(super) fn ends_of_batch(&self, id: BatchId) -> Vec<JobId> {
        let is_final = |job: &JobId| self.jobs.get(job).is_some_and(|row| row.job.state.is_final());
        let ends = self.batches.get(&id).into_iter().flat_map(|batch| batch.ends.iter());
        let mut ends: Vec<JobId> = ends.copied().filter(is_final).collect();
        ends.sort_unstable();
        ends
    }

    pub(super) fn job(&self, id: JobId) -> Option<Job> {
        self.jobs
            .get(&id)
            .map(|row| Job { lease_expires_at: row.lease_expires_at, ..row.job.clone() })
    }

    pub(super) fn job_ids(&self) -> Vec<JobId> {
        self.jobs.keys().copied().collect()
    }

    pub(super) fn ended_jobs(&self) -> impl Iterator<Item = JobId> {
        let ended = self.jobs.values().filter(|row| row.job.state.is_final());
        ended.map(|row| row.job.id)
    }

    pub(super) fn batch(&self, id: BatchId) -> Option<Batch> {
        self.batches.get(&id).map(ModelBatch::with_ends)
    }

    /// Returns a batch without its end actions, as the answer to a repeated submission has it.
    fn summary(&self, id: BatchId) -> Option<Batch> {
        self.batches.get(&id).map(|batch| batch.shown.clone())
    }

    pub(super) fn queues(&self) -> Vec<Queue> {
        let queue = |(name, settings): (&QueueName, &QueueSettings)| Queue {
            name: name.clone(),
            settings: *settings,
            jobs: counts(
                self.jobs.values().filter(|row| row.job.queue == *name).map(|row| &row.job.state),
            ),
            oldest_queued_at: None,
            oldest_queued_age: None,
            oldest_queued_age_seconds: None,
            totals: self.totals.get(name).copied().unwrap_or_default().into(),
        };
        self.queues.iter().map(queue).collect()
    }

    /// Moves a job to a state, and records the change.
    pub(super) fn set_state(&mut self, id: JobId, to: State) {
        let Some(row) = self.jobs.get_mut(&id) else { panic!("no job {id}") };
        let from = std::mem::replace(&mut row.job.state, to);
        row.job.finished_at = to.is_final().then_some(self.now);
        row.finished_by = None;
        if to != State::Running {
            row.lease_expires_at = None;
            row.job.cancel_requested = false;
        }
        self.record(id, Some(from), Some(to));
    }

    pub(super) fn record(&mut self, id: JobId, from: Option<State>, to: Option<State>) {
        let row = &self.jobs[&id];
        let job = &row.job;
        let is_timed = matches!(to, Some(State::Scheduled | State::Retrying));
        let error = job.error.as_ref().filter(|_| to == Some(State::Failed));
        let failed = error.map(|error| FailedAttempt {
            kind: job.kind.clone(),
            attempt: job.attempt,
            code: error.code.clone(),
        });
        self.changes.push(Change {
            provider: row.provider.clone(),
            key: row.key,
            job: id,
            queue: job.queue.clone(),
            lane: job.lane,
            remote_kind: None,
            from_queue: None,
            batch: job.batch,
            from,
            to,
            due_at: is_timed.then_some(job.run_at),
            took: None,
            failed: failed.map(Box::new),
        });
        let is_new = from.is_none();
        let is_moved_back = to == Some(State::Retrying) && from != Some(State::Running);
        let counted = to.filter(|_| from != to && !is_moved_back);
        let waits = matches!(to, Some(State::Scheduled | State::Queued));
        if let Some(to) = counted.filter(|_| is_new || !waits) {
            *self.totals.entry(job.queue.clone()).or_default().get_mut(to) += 1;
        }
        if let (Some(batch), Some(to)) = (job.batch, to) {
            let queue = job.queue.clone();
            let batch = self.batches.get_mut(&batch).unwrap();
            let is_end = to.is_final() && from.is_some_and(|from| !from.is_final());
            batch.ends.extend(is_end.then_some(id));
            batch.jobs.insert(id, to);
            batch.queues.insert(queue);
        }
    }

    pub(super) fn configure(&mut self, queue: &QueueName, change: &QueueChange) -> ApplyResult {
        if change.max_running == Some(Some(0)) {
            let (pointer, detail) = ("/max_running".into(), String::new());
            return Err(Refusal::InvalidSettings { pointer, detail });
        }
        if !self.queues.contains_key(queue) && self.queues.len() == MAX_QUEUES {
            return Err(Refusal::TooManyQueues(MAX_QUEUES));
        }
        let settings = self.queues.entry(queue.clone()).or_default();
        *settings = change.apply(*settings);
        Ok(Answer::Configured(*settings))
    }
}

fn counts<'a>(states: impl IntoIterator<Item = &'a State>) -> StateCounts {
    let mut counts = StateCounts::default();
    for state in states {
        *counts.get_mut(*state) += 1;
    }
    counts
}
