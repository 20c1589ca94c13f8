//! Who runs next: idle workers shared between the queues that have work.
//!
//! The roster knows how many workers of each lane are idle, which remote workers wait, and of each
//! queue its limits, how much of it runs and whether it may have queued jobs. From that it makes
//! lease orders. It holds no jobs: what is not leased costs it nothing, however much waits in the
//! table.

mod plan;
mod turns;
mod waiting_workers;

use std::collections::HashMap;
use std::sync::Arc;

use crate::job::lane::Lane;
use crate::job::queue::{QueueLoad, QueueName, QueueRules, QueueSettings};
use crate::job::starts::Starts;
use crate::job::time::Timestamp;
use plan::Plan;
use turns::Turns;
pub use waiting_workers::{LeaseFilter, WaitingWorker, WaitingWorkerId};
use waiting_workers::{ReadyQueue, WaitingWorkers};

/// The most jobs that one remote worker may ask for, and that are ordered for all of them at once.
pub const MAX_LEASE_LIMIT: u32 = 1_000;

/// A wish for leases: up to `limit` jobs of one queue in one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseOrder {
    /// From which queue.
    pub queue: QueueName,
    /// For which group.
    pub lane: Lane,
    /// Only of these kinds, each once; all if none. Of the remote lane only.
    pub kinds: Option<Arc<[String]>>,
    /// How many at most.
    pub limit: u32,
    /// For which remote worker; none for those of this process.
    pub waiting_worker: Option<WaitingWorkerId>,
}

#[derive(Debug, Default)]
struct Entry {
    settings: QueueSettings,
    running: [u32; Lane::COUNT],
    starts: Starts,
}

impl Entry {
    fn total_running(&self) -> u32 {
        self.running.iter().sum()
    }

    /// How many more jobs of this queue may start at `now`.
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

/// Who runs next. See the module's page.
#[derive(Debug)]
pub struct Roster {
    idle: [u32; Lane::COUNT],
    queues: HashMap<QueueName, Entry>,
    /// The queues that may have queued jobs, by lane.
    turns: [Turns; Lane::COUNT],
    waiting_workers: WaitingWorkers,
    /// Whether remote workers come first where both sorts want what a queue may start.
    is_remote_first: bool,
    rules: QueueRules,
    is_draining: bool,
}

impl Roster {
    /// A roster of `workers` idle workers by lane, with the queues as they stand in the table.
    pub fn new(workers: [u32; Lane::COUNT], queues: Vec<QueueLoad>, rules: QueueRules) -> Self {
        let mut roster = Self {
            idle: workers,
            queues: HashMap::new(),
            turns: Default::default(),
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

    fn entry(&mut self, queue: &QueueName) -> &mut Entry {
        let settings = || self.rules.initial(queue);
        let new = || Entry { settings: settings(), ..Entry::default() };
        self.queues.entry(queue.clone()).or_insert_with(new)
    }

    /// Notes a queue's limits.
    pub fn configure(&mut self, queue: &QueueName, settings: QueueSettings) {
        self.entry(queue).settings = settings;
    }

    /// Notes that a queue may have queued jobs in a lane of this process.
    ///
    /// A queue that is new though there are as many as may be is passed over: the store refuses it.
    pub fn mark_ready(&mut self, queue: &QueueName, lane: Lane) {
        if self.make_known(queue) {
            self.turns[lane.index()].add(queue);
        }
    }

    /// Notes that a queue may have queued jobs of a kind for remote workers.
    pub fn mark_remote_ready(&mut self, queue: &QueueName, kind: &str) {
        if self.make_known(queue) {
            self.waiting_workers.mark_ready(queue, kind);
        }
    }

    fn make_known(&mut self, queue: &QueueName) -> bool {
        if !self.queues.contains_key(queue) && self.queues.len() >= self.rules.max_queues {
            return false;
        }
        self.entry(queue);
        true
    }

    /// Notes the same of many jobs' queues, lanes and, in the remote lane, kinds; runs of the same
    /// cost one look.
    pub fn mark_all_ready<'a>(
        &mut self,
        places: impl Iterator<Item = (&'a QueueName, Lane, Option<&'a str>)>,
    ) {
        let mut last = None;
        for place @ (queue, lane, kind) in places {
            if last != Some(place) {
                match kind {
                    Some(kind) => self.mark_remote_ready(queue, kind),
                    None => self.mark_ready(queue, lane),
                }
            }
            last = Some(place);
        }
    }

    /// Notes that a job of this queue no longer runs, and its worker is idle.
    pub fn freed(&mut self, queue: &QueueName, lane: Lane) {
        self.idle[lane.index()] += 1;
        let running = &mut self.entry(queue).running[lane.index()];
        *running = running.saturating_sub(1);
    }

    /// Takes a [`Roster::freed`] back.
    pub fn occupied(&mut self, queue: &QueueName, lane: Lane) {
        self.idle[lane.index()] = self.idle[lane.index()].saturating_sub(1);
        self.entry(queue).running[lane.index()] += 1;
    }

    /// Notes that the number of a queue's jobs with remote workers changed.
    pub fn remote_moved(&mut self, queue: &QueueName, delta: i32) {
        let running = &mut self.entry(queue).running[Lane::Remote.index()];
        *running = running.saturating_add_signed(delta);
    }

    /// Adds a remote worker to those who wait.
    pub fn add_waiting_worker(&mut self, poll: WaitingWorker) {
        self.waiting_workers.add(poll);
    }

    /// Takes a remote worker away, who was served or has gone.
    pub fn remove_waiting_worker(&mut self, poll: WaitingWorkerId) {
        self.waiting_workers.remove(poll);
    }

    /// Whether there may be something for a remote worker that waits.
    pub fn may_serve(&self, poll: WaitingWorkerId, now: Timestamp) -> bool {
        let Some(filter) = self.waiting_workers.filter_of(poll) else { return false };
        let ready_queues = self.waiting_workers.ready_queues(filter);
        !self.is_draining
            && ready_queues.iter().any(|ready_queue| self.allowance(ready_queue.queue, now) > 0)
    }

    fn allowance(&self, queue: &QueueName, now: Timestamp) -> u32 {
        self.queues.get(queue).map_or(0, |entry| entry.allowance(now))
    }

    /// Stops leasing for good.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether it leases nothing any more.
    pub fn is_draining(&self) -> bool {
        self.is_draining
    }

    /// The leases to ask for at `now`.
    ///
    /// Each idle worker goes to the ready queue that runs least in its lane, so that a backlog in
    /// one never starves another; among equals, to the one served longest ago.
    pub fn plan(&self, now: Timestamp) -> Vec<LeaseOrder> {
        if self.is_draining { Vec::new() } else { Plan::of(self, now) }
    }

    /// Notes what an order brought: `started` jobs now run, and whether the queue has no more for it.
    pub fn leased(&mut self, order: &LeaseOrder, started: u32, is_empty: bool, now: Timestamp) {
        let lane = order.lane.index();
        let entry = self.entry(&order.queue);
        if let (Some(rate), true) = (entry.settings.rate, started > 0) {
            entry.starts.add(started, rate, now);
        }
        if started > 0 {
            self.is_remote_first = order.waiting_worker.is_none();
        }
        if let Some(poll) = order.waiting_worker {
            // How many run with remote workers is told by the jobs that moved.
            let ready_queue = ReadyQueue { queue: &order.queue, kinds: order.kinds.clone() };
            self.waiting_workers.served(poll, &ready_queue, is_empty);
        } else {
            self.entry(&order.queue).running[lane] += started;
            self.idle[lane] = self.idle[lane].saturating_sub(started);
            self.turns[lane].served(&order.queue, is_empty);
        }
    }

    /// When to plan again though nothing else happens: when the first rate limit that holds back a
    /// ready queue allows another start.
    pub fn wake_at(&self, now: Timestamp) -> Option<Timestamp> {
        if self.is_draining {
            return None;
        }
        let held_back = |queue: &QueueName| {
            let entry = self.queues.get(queue)?;
            let rate = entry.settings.rate?;
            let held = !entry.settings.paused && entry.allowance_by_rate(now) == 0;
            if held { entry.starts.frees_at(rate, now) } else { None }
        };
        let local = Lane::LOCAL.into_iter().flat_map(|lane| self.turns[lane.index()].iter());
        let remote = self.waiting_workers.waited_for();
        local.chain(remote).filter_map(held_back).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::queue::Rate;
    use crate::job::time::Span;

    fn name(text: &str) -> QueueName {
        text.parse().unwrap()
    }

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn rules() -> QueueRules {
        QueueRules { max_queues: 10, ..QueueRules::default() }
    }

    fn roster(idle: u32, ready: &[&str]) -> Roster {
        let mut roster = Roster::new([idle, 0, 0, 0], Vec::new(), rules());
        for queue in ready {
            roster.mark_ready(&name(queue), Lane::Async);
        }
        roster
    }

    fn limits(orders: &[LeaseOrder]) -> Vec<(&str, u32)> {
        orders.iter().map(|order| (order.queue.as_str(), order.limit)).collect()
    }

    #[test]
    fn idle_workers_are_shared_evenly() {
        assert_eq!(limits(&roster(8, &["a", "b"]).plan(at(0))), [("a", 4), ("b", 4)]);
        assert_eq!(limits(&roster(3, &["a", "b"]).plan(at(0))), [("a", 2), ("b", 1)]);
        assert_eq!(limits(&roster(8, &["a"]).plan(at(0))), [("a", 8)]);
        assert_eq!(limits(&roster(0, &["a"]).plan(at(0))), []);
    }

    #[test]
    fn a_freed_worker_goes_to_the_queue_that_runs_least() {
        let mut roster = roster(4, &["a"]);
        for order in roster.plan(at(0)) {
            roster.leased(&order, order.limit, false, at(0));
        }
        roster.mark_ready(&name("b"), Lane::Async);
        for _ in 0..2 {
            roster.freed(&name("a"), Lane::Async);
            let orders = roster.plan(at(0));
            assert_eq!(limits(&orders), [("b", 1)]);
            roster.leased(&orders[0], 1, false, at(0));
        }
    }

    #[test]
    fn a_queue_that_gave_less_than_asked_is_left_alone_until_it_is_ready_again() {
        let mut roster = roster(4, &["a"]);
        let orders = roster.plan(at(0));
        roster.leased(&orders[0], 1, true, at(0));
        assert_eq!(roster.plan(at(0)), []);
        roster.mark_ready(&name("a"), Lane::Async);
        assert_eq!(limits(&roster.plan(at(0))), [("a", 3)]);
    }

    #[test]
    fn max_running_holds_over_all_lanes() {
        let mut roster = Roster::new([4, 4, 0, 0], Vec::new(), rules());
        let settings = QueueSettings { max_running: Some(5), ..QueueSettings::default() };
        roster.configure(&name("a"), settings);
        roster.mark_ready(&name("a"), Lane::Async);
        roster.mark_ready(&name("a"), Lane::Thread);
        assert_eq!(limits(&roster.plan(at(0))), [("a", 4), ("a", 1)]);
    }

    #[test]
    fn a_paused_queue_and_a_draining_roster_lease_nothing() {
        let mut roster = roster(4, &["a"]);
        roster.configure(&name("a"), QueueSettings { paused: true, ..QueueSettings::default() });
        assert_eq!(roster.plan(at(0)), []);
        roster.configure(&name("a"), QueueSettings::default());
        roster.drain();
        assert_eq!(roster.plan(at(0)), []);
    }

    #[test]
    fn a_rate_holds_in_every_window_and_wakes_the_roster() {
        let mut roster = roster(100, &["a"]);
        let rate = Some(Rate { limit: 3, period: Span::from_secs(1) });
        roster.configure(&name("a"), QueueSettings { rate, ..QueueSettings::default() });
        let mut starts = Vec::new();
        let mut now = at(0);
        while starts.len() < 30 {
            for order in roster.plan(now) {
                // One at a time, so that the window fills unevenly.
                roster.leased(&LeaseOrder { limit: 1, ..order }, 1, false, now);
                starts.push(now.millis());
            }
            now = roster.wake_at(now).unwrap_or(now.plus(std::time::Duration::from_millis(70)));
        }
        for window in starts.windows(4) {
            assert!(window[3] - window[0] >= 1_000, "four starts within a second: {window:?}");
        }
        assert!(starts[29] <= 10_000, "slower than the rate allows: {starts:?}");
    }

    #[test]
    fn a_release_of_the_undo_leaves_things_as_they_were() {
        let mut roster = roster(1, &["a"]);
        let orders = roster.plan(at(0));
        roster.leased(&orders[0], 1, false, at(0));
        roster.freed(&name("a"), Lane::Async);
        roster.occupied(&name("a"), Lane::Async);
        assert_eq!(roster.plan(at(0)), []);
    }
}
