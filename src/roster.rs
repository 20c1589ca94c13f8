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
mod plan;
mod starts;
#[cfg(test)]
mod tests;
mod waiting_workers;

use std::collections::HashMap;
use std::sync::Arc;

use crate::job::lane::Lane;
use crate::job::queue::{QueueLoad, QueueName, QueueRules, QueueSettings};
use crate::job::time::Timestamp;
use crate::roster::starts::Starts;
use fair_share::Rotation;
use plan::Plan;
pub use waiting_workers::{LeaseFilter, WaitingWorker, WaitingWorkerId};
use waiting_workers::{ReadyQueue, WaitingWorkers};

/// Maximum number of jobs that one remote worker may request, and that one plan orders for all
/// remote workers together.
pub const MAX_LEASE_LIMIT: u32 = 1_000;

/// Order to lease up to `limit` jobs of one queue in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseOrder {
    /// Queue to lease from.
    pub queue: QueueName,
    /// Lane of the workers that the jobs are for.
    pub lane: Lane,
    /// Kinds to lease, without duplicates; `None` for all. Only set in the remote lane.
    pub kinds: Option<Arc<[String]>>,
    /// Maximum number of jobs to lease.
    pub limit: u32,
    /// Remote worker that the jobs are for; `None` for the workers of this process.
    pub waiting_worker: Option<WaitingWorkerId>,
    /// Total size of payloads, in bytes, at which no further job is leased to the workers of this
    /// process. All orders of a plan share it. It does not limit the remote lane.
    pub payload_room: usize,
}

/// State of one queue in the roster.
#[derive(Debug, Default)]
struct QueueEntry {
    settings: QueueSettings,
    /// Number of running jobs in each lane.
    running: [u32; Lane::COUNT],
    /// Recent starts, for the rate limit.
    starts: Starts,
}

impl QueueEntry {
    fn total_running(&self) -> u32 {
        self.running.iter().sum()
    }

    /// Returns the number of jobs of this queue that may start at `now`.
    fn allowance(&self, now: Timestamp) -> u32 {
        if self.settings.paused {
            return 0;
        }
        let by_running = match self.settings.max_running {
            Some(max) => max.saturating_sub(self.total_running()),
            None => u32::MAX,
        };
        by_running.min(self.allowance_by_rate(now))
    }

    fn allowance_by_rate(&self, now: Timestamp) -> u32 {
        match self.settings.rate {
            Some(rate) => rate.limit.saturating_sub(self.starts.within(rate, now)),
            None => u32::MAX,
        }
    }
}

/// Plans lease orders. See the module documentation.
#[derive(Debug)]
pub struct Roster {
    /// Number of idle workers in each lane.
    idle: [u32; Lane::COUNT],
    /// Total size of the payloads of the jobs that run in this process, in bytes.
    running_bytes: usize,
    /// Value of `running_bytes` from which on no job starts in this process.
    max_running_bytes: usize,
    queues: HashMap<QueueName, QueueEntry>,
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
            running_bytes: 0,
            max_running_bytes: usize::MAX,
            queues: HashMap::new(),
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
                roster.mark_ready(&queue.name, lane);
            }
            for kind in queue.remote_kinds {
                roster.mark_remote_ready(&queue.name, &kind);
            }
        }
        roster
    }

    /// Limits the payloads of the jobs that run in this process: no job starts while they have
    /// `max_bytes` or more. The last job that starts may exceed the limit, so that a job of any size can
    /// run and is not overtaken by smaller ones for ever.
    #[must_use]
    pub fn limit_running_bytes(self, max_bytes: usize) -> Self {
        Self { max_running_bytes: max_bytes, ..self }
    }

    /// Records that jobs with payloads of this size start in this process.
    pub fn add_running_bytes(&mut self, bytes: usize) {
        self.running_bytes += bytes;
    }

    /// Records that jobs with payloads of this size no longer run in this process.
    pub fn remove_running_bytes(&mut self, bytes: usize) {
        self.running_bytes = self.running_bytes.saturating_sub(bytes);
    }

    /// Returns the total size of payloads at which no further job starts in this process.
    fn payload_room(&self) -> usize {
        self.max_running_bytes.saturating_sub(self.running_bytes)
    }

    fn entry(&mut self, queue: &QueueName) -> &mut QueueEntry {
        let settings = || self.rules.initial(queue);
        let new = || QueueEntry { settings: settings(), ..QueueEntry::default() };
        self.queues.entry(queue.clone()).or_insert_with(new)
    }

    /// Sets the limits of a queue.
    pub fn configure(&mut self, queue: &QueueName, settings: QueueSettings) {
        self.entry(queue).settings = settings;
    }

    /// Records that a queue may have queued jobs in a lane of this process.
    ///
    /// A new queue is ignored if there are already `max_queues` queues, because the store refuses
    /// its jobs.
    pub fn mark_ready(&mut self, queue: &QueueName, lane: Lane) {
        if self.ensure_entry(queue) {
            self.ready[lane.index()].add(queue);
        }
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

    /// Records that the queues of many jobs are ready, given each job's queue, lane and, in the
    /// remote lane, kind. Consecutive equal jobs cost one lookup.
    pub fn mark_all_ready<'a>(
        &mut self,
        jobs: impl Iterator<Item = (&'a QueueName, Lane, Option<&'a str>)>,
    ) {
        let mut last = None;
        for job @ (queue, lane, kind) in jobs {
            if last != Some(job) {
                match kind {
                    Some(kind) => self.mark_remote_ready(queue, kind),
                    None => self.mark_ready(queue, lane),
                }
            }
            last = Some(job);
        }
    }

    /// Records that a job of this queue no longer runs and its worker is idle.
    pub fn release_worker(&mut self, queue: &QueueName, lane: Lane) {
        self.idle[lane.index()] += 1;
        let running = &mut self.entry(queue).running[lane.index()];
        *running = running.saturating_sub(1);
    }

    /// Undoes [`Roster::release_worker`].
    pub fn undo_release(&mut self, queue: &QueueName, lane: Lane) {
        self.idle[lane.index()] = self.idle[lane.index()].saturating_sub(1);
        self.entry(queue).running[lane.index()] += 1;
    }

    /// Changes the number of a queue's jobs that run on remote workers by `delta`.
    pub fn change_remote_running(&mut self, queue: &QueueName, delta: i32) {
        let running = &mut self.entry(queue).running[Lane::Remote.index()];
        *running = running.saturating_add_signed(delta);
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

    /// Records the result of an order: `started` jobs now run, and `is_empty` means that the
    /// queue has no more jobs for such an order.
    pub fn record_lease(
        &mut self,
        order: &LeaseOrder,
        started: u32,
        is_empty: bool,
        now: Timestamp,
    ) {
        let lane = order.lane.index();
        let entry = self.entry(&order.queue);
        if let (Some(rate), true) = (entry.settings.rate, started > 0) {
            entry.starts.add(started, rate, now);
        }
        if started > 0 {
            self.is_remote_first = order.waiting_worker.is_none();
        }
        if let Some(worker) = order.waiting_worker {
            // The number of running remote jobs is updated by `change_remote_running`.
            let ready_queue = ReadyQueue { queue: &order.queue, kinds: order.kinds.clone() };
            self.waiting_workers.mark_served(worker, &ready_queue, is_empty);
        } else {
            self.entry(&order.queue).running[lane] += started;
            self.idle[lane] = self.idle[lane].saturating_sub(started);
            // A queue that got nothing, because others used up the room for payloads, keeps its turn.
            if started > 0 || is_empty {
                self.ready[lane].mark_served(&order.queue, is_empty);
            }
        }
    }

    /// Returns the time at which to plan again even if nothing else happens: the earliest time at
    /// which a rate limit lets a ready queue start another job.
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_draining {
            return None;
        }
        let frees_at = |queue: &QueueName| {
            let entry = self.queues.get(queue)?;
            let rate = entry.settings.rate?;
            let is_rate_limited = !entry.settings.paused && entry.allowance_by_rate(now) == 0;
            if is_rate_limited { entry.starts.frees_at(rate, now) } else { None }
        };
        let local = Lane::LOCAL.into_iter().flat_map(|lane| self.ready[lane.index()].iter());
        let remote = self.waiting_workers.queues_in_demand();
        local.chain(remote).filter_map(frees_at).min()
    }
}
