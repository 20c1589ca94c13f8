//! Limits in the model: which jobs an order may start, and providers after a group.
//!
//! The rules are those of the library, which have tests of their own. The model keeps no counts: it counts
//! its jobs whenever a rule needs their number.

use std::collections::BTreeMap;

use longshore::config::Config;
use longshore::job::limit::Room;
use longshore::job::limit::provider::{ProviderLimits, ProviderState};
use longshore::job::outcome::Outcome;
use longshore::job::submission::on_end::callback;
use longshore::job::{JobError, JobId, ProviderName, QueueName, Span, State};
use longshore::roster::LeaseOrder;
use longshore::store::ProviderStatus;

use super::table::{Model, ModelJob};

pub(super) type Providers = BTreeMap<ProviderName, ModelProvider>;

/// Number of jobs of a line from which those that try a recovering provider are chosen.
const TRIAL_WINDOW: usize = 64;

/// A provider. The counts in its state are those before the group.
pub(super) struct ModelProvider {
    limits: ProviderLimits,
    state: ProviderState,
    /// Refused calls of this group, each with the pause that the provider asked for.
    refused: Vec<(Span, JobError)>,
    /// Whether it allowed less than an order of this group wanted.
    is_full: bool,
}

/// The jobs that an order starts.
pub(super) struct Chosen {
    pub(super) ids: Vec<JobId>,
    /// Whether all queued jobs without a provider that match the order are among them.
    pub(super) is_empty: bool,
    /// Providers of which the order looked for more jobs than there are, and starts all.
    pub(super) empty_providers: Vec<ProviderName>,
}

/// Returns the configured providers and the groups of receivers, none of which was ever called.
pub(super) fn providers(config: &Config) -> Providers {
    let new = |limits| {
        let (state, refused, is_full) = (ProviderState::new(), Vec::new(), false);
        ModelProvider { limits, state, refused, is_full }
    };
    let max_running = Some(config.lanes.callbacks_per_group());
    let of_group = ProviderLimits { max_running, ..ProviderLimits::default() };
    let configured = config.provider_limits().into_iter();
    let all = configured.chain(callback::groups().map(|name| (name, of_group)));
    all.map(|(name, limits)| (name, new(limits))).collect()
}

impl Model {
    fn count(&self, is_counted: impl Fn(&ModelJob) -> bool) -> u32 {
        self.jobs.values().filter(|row| is_counted(row)).count() as u32
    }

    /// Returns how many jobs of a queue may start now.
    pub(super) fn queue_room(&self, queue: &QueueName) -> Room {
        let is_running =
            |row: &ModelJob| row.job.queue == *queue && row.job.state == State::Running;
        let starts = self.starts.get(queue).cloned().unwrap_or_default();
        self.queues[queue].room(self.count(is_running), &starts, self.now)
    }

    /// Returns the state of a provider with the numbers of its jobs.
    fn provider_state(&self, name: &ProviderName) -> ProviderState {
        let in_state =
            |state| self.count(|row| row.provider.as_ref() == Some(name) && row.job.state == state);
        let (running, queued) = (in_state(State::Running), in_state(State::Queued));
        ProviderState { running, queued, ..self.providers[name].state.clone() }
    }

    /// Returns the configured providers with their state, ordered by name.
    pub(super) fn provider_states(&self) -> Vec<(ProviderName, ProviderState)> {
        let configured = self.providers.keys().filter(|name| !callback::is_group(name));
        configured.map(|name| (name.clone(), self.provider_state(name))).collect()
    }

    /// Returns how many more calls of a provider may start now. A call that it has refused in this group
    /// pauses it already.
    fn provider_room(&self, name: &ProviderName) -> Room {
        self.paused_state(name).room(self.providers[name].limits, self.now)
    }

    fn paused_state(&self, name: &ProviderName) -> ProviderState {
        let mut state = self.provider_state(name);
        for (retry_in, error) in &self.providers[name].refused {
            state.refuse(*retry_in, error, self.now);
        }
        state
    }

    /// Returns the jobs of a line of which an order tries the first ones: while a provider recovers, those
    /// that were deferred least often come first among jobs of one priority.
    fn line_to_try(
        &self,
        order: &LeaseOrder,
        provider: Option<&ProviderName>,
        limit: u32,
    ) -> Vec<(i16, JobId)> {
        let mut line = self.line(order, provider);
        if provider.is_some_and(|name| self.paused_state(name).recovery().is_some()) {
            line.truncate(TRIAL_WINDOW.max(limit as usize));
            line.sort_by_key(|(priority, id)| (*priority, self.jobs[id].deferred.count, *id));
        }
        line.truncate(limit as usize);
        line
    }

    /// Returns the queued jobs of one line that match an order, in the order of leases.
    fn line(&self, order: &LeaseOrder, provider: Option<&ProviderName>) -> Vec<(i16, JobId)> {
        let mut line: Vec<(i16, JobId)> = self
            .jobs
            .values()
            .filter(|row| row.provider.as_ref() == provider)
            .map(|row| &row.job)
            .filter(|job| job.state == State::Queued)
            .filter(|job| job.queue == order.queue && job.lane == order.lane)
            .filter(|job| order.kinds.as_ref().is_none_or(|kinds| kinds.contains(&job.kind)))
            .map(|job| (-i16::from(job.priority), job.id))
            .collect();
        line.sort_unstable();
        line
    }

    /// Chooses up to `limit` of the first jobs of the lines that an order names.
    pub(super) fn choose(&mut self, order: &LeaseOrder, limit: u32) -> Chosen {
        for share in &order.providers {
            let is_full = self.provider_room(&share.provider).jobs < share.limit;
            self.providers.get_mut(&share.provider).unwrap().is_full |= is_full;
        }
        let mut lines = Vec::new();
        if order.without_provider {
            lines.push((None, limit));
        }
        for share in &order.providers {
            let room = self.provider_room(&share.provider);
            lines.push((Some(&share.provider), limit.min(share.limit).min(room.jobs)));
        }
        let mut first = Vec::new();
        for (provider, limit) in &lines {
            first.extend(self.line_to_try(order, *provider, *limit));
        }
        first.sort_unstable();
        first.truncate(limit as usize);
        let ids: Vec<JobId> = first.into_iter().map(|(_, id)| id).collect();
        let starts_all = |provider: Option<&ProviderName>| {
            self.line(order, provider).iter().all(|(_, id)| ids.contains(id))
        };
        let is_drained = |(provider, limit): &&(Option<&ProviderName>, u32)| {
            provider.is_some()
                && self.line(order, *provider).len() < *limit as usize
                && starts_all(*provider)
        };
        let empty = lines.iter().filter(is_drained).filter_map(|(provider, _)| provider.cloned());
        let empty_providers = empty.collect();
        Chosen { is_empty: !order.without_provider || starts_all(None), empty_providers, ids }
    }

    /// Records the starts of jobs for the rate limits of their queue and their providers.
    pub(super) fn add_starts(&mut self, order: &LeaseOrder, ids: &[JobId]) {
        if let (Some(rate), false) = (self.queues[&order.queue].rate, ids.is_empty()) {
            let starts = self.starts.entry(order.queue.clone()).or_default();
            starts.add(ids.len() as u32, rate, self.now);
        }
        for (name, provider) in &mut self.providers {
            let is_of = |id: &&JobId| self.jobs[*id].provider.as_ref() == Some(name);
            let count = ids.iter().filter(is_of).count() as u32;
            if let (Some(rate), true) = (provider.limits.rate(), count > 0) {
                provider.state.starts.add(count, rate, self.now);
            }
        }
    }

    /// Returns the outcome to settle: a job without a provider cannot wait for one. Records a refusal of
    /// its provider.
    pub(super) fn note_refusal(&mut self, id: JobId, outcome: &Outcome) -> Outcome {
        let mut outcome = outcome.clone();
        if let Outcome::Deferred(deferral) = &mut outcome {
            match self.jobs[&id].provider.clone() {
                None => deferral.is_of_provider = false,
                Some(name) if deferral.is_of_provider => {
                    let refused = &mut self.providers.get_mut(&name).unwrap().refused;
                    refused.push((deferral.retry_in, deferral.error.clone()));
                    let until = self.paused_state(&name).recovery().unwrap().until;
                    deferral.retry_in = deferral.retry_in.max(Span::new(until.since(self.now)));
                }
                Some(_) => {}
            }
        }
        outcome
    }

    /// Ends a group for the providers, and returns the status of those whose jobs it changed.
    pub(super) fn end_providers(&mut self) -> Vec<ProviderStatus> {
        let names: Vec<ProviderName> = self.providers.keys().cloned().collect();
        names.into_iter().filter_map(|name| self.end_provider(name)).collect()
    }

    fn end_provider(&mut self, name: ProviderName) -> Option<ProviderStatus> {
        let changes = self.changes.iter().filter(|change| change.provider.as_ref() == Some(&name));
        let (mut is_touched, mut answered, mut ended) = (false, 0, 0);
        for change in changes {
            let enters = |state| (change.from == Some(state)) != (change.to == Some(state));
            is_touched |= enters(State::Running) || enters(State::Queued);
            let has_ended = matches!(change.to, Some(State::Completed | State::Failed));
            answered += u32::from(change.from == Some(State::Running) && has_ended);
            let is_running = |state| state == Some(State::Running);
            ended += u32::from(is_running(change.from) && !is_running(change.to));
        }
        let ProviderState { running, queued, .. } = self.provider_state(&name);
        let provider = self.providers.get_mut(&name).unwrap();
        let refused = std::mem::take(&mut provider.refused);
        is_touched |= std::mem::take(&mut provider.is_full);
        if !is_touched && refused.is_empty() {
            return None;
        }
        let mut event = provider.state.forget_pause(self.now);
        let mut state = ProviderState { running, queued, ..provider.state.clone() };
        state.end(ended);
        if answered > 0 {
            event = state.succeed(answered, provider.limits, self.now).or(event);
        }
        for (retry_in, error) in refused {
            event = state.refuse(retry_in, &error, self.now).or(event);
        }
        event = state.forget_pause(self.now).or(event);
        state.grow_trial(provider.limits, self.now);
        let (room, pause) = (state.room(provider.limits, self.now), state.pause.clone());
        provider.state = state;
        Some(ProviderStatus { name, room, event, pause })
    }

    /// Repairs times in the future, as the start of a server does.
    pub(super) fn repair_limits(&mut self) {
        for (queue, starts) in &mut self.starts {
            if let Some(rate) = self.queues[queue].rate {
                starts.repair_clock_skew(rate.period, self.now);
            }
        }
        for provider in self.providers.values_mut() {
            provider.state.repair_clock_skew(provider.limits, self.now);
        }
    }
}
