//! The effects of a commit group: changes of jobs, reports, and settings of queues.
//!
//! Counts of queues and batches, the roster and event streams are all derived from these records.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use crate::job::queue::{QueueName, QueueSettings, StateCounts};
use crate::job::{BatchId, Change, JobError, JobId, KeyId, Lane, ProviderName, Span, State, Timestamp};
use crate::store::answer::{Answer, Committed, Refusal};
use crate::store::group::running_deltas::RunningDeltas;
use crate::store::provider::ProviderStatus;
use crate::store::write::JobLocation;

impl JobLocation {
    /// Returns the change of this job from one state to another; `None` is the state before creation
    /// and after removal.
    pub(crate) fn change(self, from: Option<State>, to: Option<State>) -> Change {
        let Self { job, queue, lane, batch, provider, key } = self;
        Change {
            job,
            queue,
            lane,
            remote_kind: None,
            batch,
            provider,
            key,
            from_queue: None,
            failed: None,
            from,
            to,
            due_at: None,
            took: None,
        }
    }
}

/// The effects of the writes of a group, in the order in which they were applied.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    jobs: Vec<Change>,
    reported: Vec<(JobId, QueueName)>,
    configured: Vec<(QueueName, QueueSettings)>,
    /// Calls that a provider refused, with the pause that it asked for.
    refused: Vec<(ProviderName, Span, JobError)>,
    /// Providers that allowed less than an order wanted.
    full_providers: Vec<ProviderName>,
    running_deltas: RunningDeltas,
}

/// What the jobs of a group say about their provider.
#[derive(Debug, Default)]
pub(crate) struct ProviderCalls {
    /// Change of the number of running jobs.
    pub(crate) running: i64,
    /// Change of the number of queued jobs.
    pub(crate) queued: i64,
    /// Number of calls that ended.
    pub(crate) ended: u32,
    /// Number of jobs that ended with their call.
    pub(crate) answered: u32,
    /// Refused calls, each with the pause that the provider asked for.
    pub(crate) refused: Vec<(Span, JobError)>,
}

/// Change of the counts of a queue.
#[derive(Debug, Default)]
pub(crate) struct QueueDelta {
    /// Change of the number of jobs in each state.
    pub(crate) jobs: StateCounts,
    /// Number of jobs that entered each state, see [`Change::is_counted_entry`].
    pub(crate) entered: StateCounts,
}

/// Position in the records, to which [`Changes::undo_to`] returns.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    jobs: usize,
    reported: usize,
    configured: usize,
    refused: usize,
}

impl Changes {
    /// Records a change of a job's state.
    pub(crate) fn push(&mut self, change: Change) {
        self.jobs.push(change);
    }

    /// Records that the progress or the log of a job changed.
    pub(crate) fn push_report(&mut self, job: JobId, queue: QueueName) {
        self.reported.push((job, queue));
    }

    /// Returns the number of changes of jobs.
    pub(crate) fn len(&self) -> usize {
        self.jobs.len()
    }

    /// Returns the jobs that ended with the change number `start` or a later one.
    pub(crate) fn ended_from(&self, start: usize) -> BTreeSet<JobId> {
        let later = self.jobs.get(start..).unwrap_or_default().iter();
        later.filter(|change| change.is_end()).map(|change| change.job).collect()
    }

    /// Returns the latest change of a job.
    pub(crate) fn last_of(&mut self, job: JobId) -> Option<&mut Change> {
        self.jobs.iter_mut().rfind(|change| change.job == job)
    }

    /// Records that a queue was created or configured.
    pub(crate) fn push_configured(&mut self, queue: QueueName, settings: QueueSettings) {
        self.configured.push((queue, settings));
    }

    /// Records that a provider refused a call and asked for a pause.
    pub(crate) fn push_refused(&mut self, provider: ProviderName, retry_in: Span, error: JobError) {
        self.refused.push((provider, retry_in, error));
    }

    /// Returns the calls that a provider refused in this group, with the pauses that it asked for.
    pub(crate) fn refused_by<'a>(
        &'a self,
        provider: &'a ProviderName,
    ) -> impl Iterator<Item = (Span, &'a JobError)> {
        let refused = self.refused.iter().filter(move |(name, ..)| name == provider);
        refused.map(|(_, retry_in, error)| (*retry_in, error))
    }

    /// Records that a provider allowed less than an order wanted, so that the roster learns its room.
    pub(crate) fn push_full_provider(&mut self, provider: ProviderName) {
        self.full_providers.push(provider);
    }

    /// Returns the number of running jobs of a queue after the changes so far; `before` is the number
    /// before the group.
    pub(crate) fn running_of_queue(&mut self, queue: &QueueName, before: u32) -> u32 {
        after(before, self.running_deltas.of_queue(queue, &self.jobs))
    }

    /// Returns the number of running jobs of a provider after the changes so far.
    pub(crate) fn running_of_provider(&mut self, provider: &ProviderName, before: u32) -> u32 {
        after(before, self.running_deltas.of_provider(provider, &self.jobs))
    }

    /// Returns the number of unfinished jobs of an API key after the changes so far.
    pub(crate) fn unfinished_of_key(&mut self, key: KeyId, before: u32) -> u32 {
        after(before, self.running_deltas.of_key(key, &self.jobs))
    }

    /// Returns by how much the number of unfinished jobs of each API key changes.
    pub(crate) fn key_deltas(&self) -> BTreeMap<KeyId, i64> {
        let mut deltas = BTreeMap::new();
        for change in &self.jobs {
            if let Some(key) = change.key {
                *deltas.entry(key).or_default() += change.unfinished_delta();
            }
        }
        deltas.retain(|_, delta| *delta != 0);
        deltas
    }

    /// Returns what the jobs of the group say about each provider, with those that were full.
    pub(crate) fn provider_calls(&mut self) -> BTreeMap<ProviderName, ProviderCalls> {
        let mut calls: BTreeMap<ProviderName, ProviderCalls> = BTreeMap::new();
        for change in &self.jobs {
            let Some(provider) = &change.provider else { continue };
            let delta = |state| i64::from(change.to == state) - i64::from(change.from == state);
            let running = delta(Some(State::Running));
            let queued = delta(Some(State::Queued));
            if running != 0 || queued != 0 {
                let calls = calls.entry(provider.clone()).or_default();
                calls.running += running;
                calls.queued += queued;
                // A call whose refusal concerns only its job, such as 400, shows that the provider answers.
                let is_answered = matches!(change.to, Some(State::Completed | State::Failed));
                calls.ended += u32::from(running < 0);
                calls.answered += u32::from(running < 0 && is_answered);
            }
        }
        for provider in self.full_providers.drain(..) {
            calls.entry(provider).or_default();
        }
        for (provider, retry_in, error) in self.refused.drain(..) {
            calls.entry(provider).or_default().refused.push((retry_in, error));
        }
        calls
    }

    /// Returns the current position.
    pub(crate) fn mark(&self) -> Mark {
        Mark {
            jobs: self.jobs.len(),
            reported: self.reported.len(),
            configured: self.configured.len(),
            refused: self.refused.len(),
        }
    }

    /// Removes everything that was recorded after `mark`. Returns the queues that were created or
    /// configured after it.
    pub(crate) fn undo_to(&mut self, mark: Mark) -> Vec<QueueName> {
        self.jobs.truncate(mark.jobs);
        self.reported.truncate(mark.reported);
        self.refused.truncate(mark.refused);
        self.running_deltas = RunningDeltas::default();
        self.configured.drain(mark.configured..).map(|(queue, _)| queue).collect()
    }

    /// Returns by how much the counts of each queue change.
    pub(crate) fn queue_deltas(&self) -> BTreeMap<&QueueName, QueueDelta> {
        let mut deltas: BTreeMap<&QueueName, QueueDelta> = BTreeMap::new();
        for change in &self.jobs {
            let delta = deltas.entry(&change.queue).or_default();
            if let Some(to) = change.to {
                *delta.jobs.get_mut(to) += 1;
                *delta.entered.get_mut(to) += i64::from(change.is_counted_entry());
            }
            if let Some(from) = change.from {
                let delta = match &change.from_queue {
                    Some(queue) => deltas.entry(queue).or_default(),
                    None => delta,
                };
                *delta.jobs.get_mut(from) -= 1;
            }
        }
        deltas
    }

    /// Returns by how much the counts of each batch change.
    ///
    /// New jobs were counted when their batch was inserted, and removed jobs remain counted.
    pub(crate) fn batch_deltas(&self) -> BTreeMap<BatchId, StateCounts> {
        let mut deltas: BTreeMap<BatchId, StateCounts> = BTreeMap::new();
        for change in &self.jobs {
            if let (Some(batch), Some(from), Some(to)) = (change.batch, change.from, change.to) {
                let delta = deltas.entry(batch).or_default();
                *delta.get_mut(from) -= 1;
                *delta.get_mut(to) += 1;
            }
        }
        deltas
    }

    /// Returns the jobs of each batch that ended, in the order of their ends.
    pub(crate) fn ends_by_batch(&self) -> BTreeMap<BatchId, Vec<JobId>> {
        let mut ends: BTreeMap<BatchId, Vec<JobId>> = BTreeMap::new();
        for change in &self.jobs {
            if let Some(batch) = change.batch.filter(|_| change.is_end()) {
                ends.entry(batch).or_default().push(change.job);
            }
        }
        ends
    }

    /// Returns the batches of which a job was removed.
    pub(crate) fn batches_of_removed_jobs(&self) -> HashSet<BatchId> {
        let removed = self.jobs.iter().filter(|change| change.to.is_none());
        removed.filter_map(|change| change.batch).collect()
    }

    /// Returns the changes that need a [`Change::remote_kind`]: those of jobs in the remote lane that
    /// were queued again. New jobs do not need it, because the caller that submits them knows their
    /// kinds.
    pub(crate) fn requeued_remote(&mut self) -> impl Iterator<Item = &mut Change> {
        self.jobs.iter_mut().filter(|change| {
            let is_queued_again = change.from.is_some() && change.to == Some(State::Queued);
            change.lane == Lane::Remote && is_queued_again
        })
    }

    /// Returns the result of the group.
    pub(crate) fn into_committed(
        self,
        answers: Vec<Result<Answer, Refusal>>,
        (caused_from, ended_batches): (usize, Vec<BatchId>),
        providers: Vec<ProviderStatus>,
        at: Timestamp,
    ) -> Committed {
        let Self { jobs, reported, configured, .. } = self;
        Committed {
            at,
            answers,
            changes: jobs,
            caused_from,
            reported,
            ended_batches,
            configured,
            providers,
        }
    }
}

/// Returns a count after a change of it.
fn after(before: u32, delta: i64) -> u32 {
    u32::try_from((i64::from(before) + delta).max(0)).unwrap_or(u32::MAX)
}
