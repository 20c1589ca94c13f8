//! The roster decides from which queues idle workers take their next jobs: fair share under limits.
//!
//! Each idle worker goes to the ready queue with the fewest running jobs in its lane, as long as
//! the queue's limits (`max_running`, `rate`, `paused`) allow another start. For example, with six
//! idle workers and these ready queues:
//!
//! | queue | running | `max_running` | granted |
//! | --- | --- | --- | --- |
//! | mail | 3 | none | 1 |
//! | bulk | 0 | 2 | 2 |
//! | logs | 0 | none | 3 |
//!
//! The workers go to bulk, logs, bulk (now at its limit), logs, logs and mail. A backlog in one
//! queue never starves another. A queue is ready if it may have queued jobs. The roster does not
//! hold the jobs, so a plan costs the same however many jobs wait in the database.

mod fair_share;
mod learned_kinds;
mod order;
mod payloads;
mod plan;
mod queue_entry;
#[cfg(test)]
mod tests;
mod waiting_workers;

use std::collections::HashMap;
use std::time::Duration;

use crate::job::lane::Lane;
use crate::job::limit::provider::ProviderName;
use crate::job::limit::queue_shares::QueueShares;
use crate::job::limit::{Held, Room};
use crate::job::queue::{QueueLoad, QueueName, QueueRules, QueueSettings};
use crate::job::time::Timestamp;
use fair_share::Rotation;
pub use learned_kinds::{KindChanges, LearnedKind, LearnedKinds};
pub use order::{LeaseOrder, LeaseResult, ProviderShare, ReadyJob};
pub(crate) use payloads::LARGE_PAYLOAD_BYTES;
use payloads::Payloads;
use plan::Plan;
use queue_entry::QueueEntry;
pub use waiting_workers::{LeaseFilter, WaitingWorker, WaitingWorkerId};
use waiting_workers::{ReadyQueue, WaitingWorkers};

/// Maximum number of jobs that one remote worker may request, and that one plan orders for all
/// remote workers together.
pub const MAX_LEASE_LIMIT: u32 = 1_000;

/// Time after which a queue is tried again that the store found full although the roster did not.
const RETRY_FULL: Duration = Duration::from_millis(100);

/// How many more calls of a provider may start, as the store said last.
#[derive(Debug, Clone, Copy)]
struct ProviderEntry {
    room: u32,
    /// Time at which the room may grow by itself.
    opens_at: Option<Timestamp>,
}

/// Plans lease orders. See the module documentation.
#[derive(Debug)]
pub struct Roster {
    /// Number of idle workers in each lane.
    idle: [u32; Lane::COUNT],
    /// Large payloads of the jobs that run in this process.
    payloads: Payloads,
    queues: HashMap<QueueName, QueueEntry>,
    /// Providers with a limit or a pause.
    providers: HashMap<ProviderName, ProviderEntry>,
    /// Maximum numbers of running jobs in the async lane of queues without `max_running`.
    shares: QueueShares,
    /// Ready queues of each lane of this process.
    ready: [Rotation; Lane::COUNT],
    waiting_workers: WaitingWorkers,
    /// Whether the next plan serves remote workers before the workers of this process.
    is_remote_first: bool,
    rules: QueueRules,
    is_draining: bool,
}

impl Roster {
    /// Creates a roster with `workers` idle workers in each lane and the queues in the database.
    pub fn new(workers: [u32; Lane::COUNT], queues: Vec<QueueLoad>, rules: QueueRules) -> Self {
        let mut roster = Self {
            idle: workers,
            payloads: Payloads::new(usize::MAX),
            queues: HashMap::new(),
            providers: HashMap::new(),
            shares: QueueShares::UNLIMITED,
            ready: Default::default(),
            waiting_workers: WaitingWorkers::default(),
            is_remote_first: false,
            rules,
            is_draining: false,
        };
        for queue in queues {
            roster.configure(&queue.name, queue.settings);
            roster.entry(&queue.name).running[Lane::Remote.index()] = queue.remote_running;
            for lane in queue.ready {
                roster.mark_ready(&queue.name, lane, None);
            }
            for provider in &queue.providers {
                roster.mark_ready(&queue.name, Lane::Async, Some(provider));
            }
            for kind in queue.remote_kinds {
                roster.mark_remote_ready(&queue.name, &kind);
            }
        }
        roster
    }

    /// Limits the large payloads of the jobs that run in this process to about `max_bytes`. Jobs with smaller
    /// payloads start all the same.
    #[must_use]
    pub fn limit_running_bytes(self, max_bytes: usize) -> Self {
        Self { payloads: Payloads::new(max_bytes), ..self }
    }

    /// Limits the running jobs in the async lane of each queue without `max_running`, so that one queue
    /// cannot take all of its workers.
    #[must_use]
    pub fn limit_queue_share(self, queue_share: u32) -> Self {
        Self { shares: QueueShares { jobs: queue_share, ..self.shares }, ..self }
    }

    /// Limits the running deliveries of webhooks, unless their queue has `max_running`.
    #[must_use]
    pub fn limit_deliveries(self, delivery_share: u32) -> Self {
        Self { shares: QueueShares { deliveries: delivery_share, ..self.shares }, ..self }
    }

    /// Records how many more calls of a provider may start.
    pub fn set_provider_room(&mut self, provider: &ProviderName, room: Room) {
        let opens_at = room.held.and_then(Held::until);
        let entry = ProviderEntry { room: room.jobs, opens_at };
        match self.providers.get_mut(provider) {
            Some(known) => *known = entry,
            None => drop(self.providers.insert(provider.clone(), entry)),
        }
    }

    /// Records that a call of a provider is about to end, so that the next one can start in the same
    /// transaction.
    pub fn expect_provider_room(&mut self, provider: &ProviderName) {
        if let Some(entry) = self.providers.get_mut(provider)
            && entry.opens_at.is_none()
        {
            entry.room = entry.room.saturating_add(1);
        }
    }

    /// Returns how many more calls of a provider may start at `now`, as far as the roster knows.
    fn provider_room(&self, provider: &ProviderName, now: Timestamp) -> u32 {
        match self.providers.get(provider) {
            None => u32::MAX,
            // The store knows how many.
            Some(entry) if entry.opens_at.is_some_and(|at| at <= now) => u32::MAX,
            Some(entry) => entry.room,
        }
    }

    /// Records that a job with a payload of this size starts in this process.
    pub fn add_payload(&mut self, queue: &QueueName, bytes: usize) {
        self.payloads.add(queue, bytes);
    }

    /// Records that a job with a payload of this size no longer runs in this process.
    pub fn remove_payload(&mut self, queue: &QueueName, bytes: usize) {
        self.payloads.remove(queue, bytes);
    }

    /// Records that a job left the line of a queue without being leased, so that another one may be first.
    pub fn note_removal(&mut self, queue: &QueueName, lane: Lane) {
        self.payloads.set_large_next(queue, lane, false);
    }

    fn entry(&mut self, queue: &QueueName) -> &mut QueueEntry {
        let settings = || self.rules.initial(queue);
        let new = || QueueEntry { settings: settings(), ..QueueEntry::default() };
        self.queues.entry(queue.clone()).or_insert_with(new)
    }

    /// Sets the limits of a queue.
    pub fn configure(&mut self, queue: &QueueName, settings: QueueSettings) {
        let entry = self.entry(queue);
        (entry.settings, entry.held) = (settings, None);
    }

    /// Records that a queue may have queued jobs in a lane of this process.
    ///
    /// A new queue is ignored if there are already `max_queues` queues, because the store refuses
    /// its jobs.
    pub fn mark_ready(
        &mut self,
        queue: &QueueName,
        lane: Lane,
        provider: Option<&ProviderName>,
    ) {
        if !self.ensure_entry(queue) {
            return;
        }
        if lane == Lane::Async
            && let Some(entry) = self.queues.get_mut(queue)
        {
            match provider {
                None => entry.has_async_jobs = true,
                Some(provider) if entry.providers.contains(provider) => {}
                Some(provider) => entry.providers.push(provider.clone()),
            }
        }
        // The new job may be the first one.
        self.payloads.set_large_next(queue, lane, false);
        self.ready[lane.index()].add(queue);
    }

    /// Records that a queue may have queued jobs of a kind for remote workers.
    pub fn mark_remote_ready(&mut self, queue: &QueueName, kind: &str) {
        if self.ensure_entry(queue) {
            self.waiting_workers.mark_ready(queue, kind);
        }
    }

    fn ensure_entry(&mut self, queue: &QueueName) -> bool {
        if !self.queues.contains_key(queue) && self.queues.len() >= self.rules.max_queues {
            return false;
        }
        self.entry(queue);
        true
    }

    /// Records that the queues of many jobs are ready. Consecutive equal jobs cost one lookup.
    pub fn mark_all_ready<'a>(&mut self, jobs: impl Iterator<Item = ReadyJob<'a>>) {
        let mut last = None;
        for job in jobs {
            if last != Some(job) {
                match job.remote_kind {
                    Some(kind) => self.mark_remote_ready(job.queue, kind),
                    None => self.mark_ready(job.queue, job.lane, job.provider),
                }
            }
            last = Some(job);
        }
    }

    /// Records that a job of this queue no longer runs and its worker is idle.
    pub fn release_worker(&mut self, queue: &QueueName, lane: Lane) {
        self.idle[lane.index()] += 1;
        let entry = self.entry(queue);
        entry.running[lane.index()] = entry.running[lane.index()].saturating_sub(1);
        entry.note_end();
    }

    /// Changes the number of a queue's jobs that run on remote workers by `delta`.
    pub fn change_remote_running(&mut self, queue: &QueueName, delta: i32) {
        let entry = self.entry(queue);
        let running = &mut entry.running[Lane::Remote.index()];
        *running = running.saturating_add_signed(delta);
        if delta < 0 {
            entry.note_end();
        }
    }

    /// Adds a remote worker that waits for jobs.
    pub fn add_waiting_worker(&mut self, worker: WaitingWorker) {
        self.waiting_workers.add(worker);
    }

    /// Removes a remote worker that was served or no longer waits.
    pub fn remove_waiting_worker(&mut self, worker: WaitingWorkerId) {
        self.waiting_workers.remove(worker);
    }

    /// Returns whether there may be jobs for a waiting worker at `now`.
    pub fn may_serve(&self, worker: WaitingWorkerId, now: Timestamp) -> bool {
        let Some(filter) = self.waiting_workers.filter_of(worker) else { return false };
        let ready_queues = self.waiting_workers.ready_queues(filter);
        !self.is_draining
            && ready_queues.iter().any(|ready_queue| self.allowance(ready_queue.queue, now) > 0)
    }

    fn allowance(&self, queue: &QueueName, now: Timestamp) -> u32 {
        self.queues.get(queue).map_or(0, |entry| entry.allowance(now))
    }

    /// Stops leasing permanently.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Returns whether the roster has stopped leasing.
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// Returns the lease orders at `now`. See the module documentation for the algorithm.
    pub fn plan(&self, now: Timestamp) -> Vec<LeaseOrder> {
        if self.is_draining { Vec::new() } else { Plan::compute(self, now) }
    }

    /// Records the result of an order.
    pub fn record_lease(&mut self, order: &LeaseOrder, result: LeaseResult<'_>, now: Timestamp) {
        let LeaseResult { started, is_empty, held, is_large_next, empty_providers } = result;
        let lane = order.lane.index();
        if started > 0 {
            self.is_remote_first = order.waiting_worker.is_none();
        }
        if let Some(held) = held {
            let until = held.until().unwrap_or_else(|| now.plus(RETRY_FULL));
            self.entry(&order.queue).held = Some((held, until));
        }
        if let Some(worker) = order.waiting_worker {
            // The number of running remote jobs is updated by `change_remote_running`.
            let ready_queue = ReadyQueue { queue: &order.queue, kinds: order.kinds.clone() };
            self.waiting_workers.mark_served(worker, &ready_queue, is_empty);
            return;
        }
        self.payloads.set_large_next(&order.queue, order.lane, is_large_next);
        self.idle[lane] = self.idle[lane].saturating_sub(started);
        let entry = self.entry(&order.queue);
        entry.running[lane] += started;
        let mut has_no_jobs = is_empty;
        if order.lane == Lane::Async {
            if order.without_provider && is_empty {
                entry.has_async_jobs = false;
            }
            entry.providers.retain(|provider| !empty_providers.contains(provider));
            has_no_jobs = !entry.has_async_jobs && entry.providers.is_empty();
        }
        // A queue that got nothing, because others used up the room for payloads, keeps its turn.
        if started > 0 || has_no_jobs {
            self.ready[lane].mark_served(&order.queue, has_no_jobs);
        }
    }

    /// Returns the time at which to plan again even if nothing else happens: the earliest time at which a
    /// limit lets a ready queue start another job.
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_draining {
            return None;
        }
        let local = Lane::LOCAL.into_iter().flat_map(|lane| self.ready[lane.index()].iter());
        let remote = self.waiting_workers.queues_in_demand();
        local.chain(remote).filter_map(|queue| {
            let opens_at = |provider: &ProviderName| self.providers.get(provider)?.opens_at;
            self.queues.get(queue)?.wake_at(opens_at, now)
        }).min()
    }
}
