//! Remote workers that wait for jobs, grouped by the queues and kinds that they accept.
//!
//! A group is served as a whole before the next one; the group that was served longest ago is
//! first, so that a group with many workers or large requests does not starve another. Within a
//! group, the worker that has waited longest is first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::fair_share::Rotation;
use crate::auth::access::QueueAccess;
use crate::job::queue::QueueName;

/// Id of a waiting remote worker. Ids increase: a worker with a smaller id has waited longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitingWorkerId(pub u64);

/// A remote worker that waits for up to `limit` jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingWorker {
    /// Id of the waiting worker.
    pub id: WaitingWorkerId,
    /// Queues and kinds that the worker accepts.
    pub filter: LeaseFilter,
    /// Maximum number of jobs to lease.
    pub limit: u32,
}

/// Queues and kinds that a remote worker accepts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LeaseFilter {
    /// Accepted queues; `None` for all.
    pub queues: Option<Arc<[QueueName]>>,
    /// Accepted kinds; `None` for all.
    pub kinds: Option<Arc<[String]>>,
    /// Queues that the worker may use.
    pub access: QueueAccess,
}

impl LeaseFilter {
    /// Creates a filter with sorted, unique names, so that filters with the same names are equal.
    pub fn new(queues: Option<Vec<QueueName>>, kinds: Option<Vec<String>>) -> Self {
        let (queues, kinds) = (queues.map(sorted), kinds.map(sorted));
        Self { queues, kinds, access: QueueAccess::All }
    }

    fn accepts_queue(&self, queue: &QueueName) -> bool {
        self.queues.as_ref().is_none_or(|queues| queues.binary_search(queue).is_ok())
            && self.access.allows(queue)
    }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Arc<[T]> {
    list.sort_unstable();
    list.dedup();
    list.into()
}

/// Waiting workers with the same filter.
#[derive(Debug, Default)]
pub(super) struct FilterGroup {
    /// Maximum number of jobs for each worker. The first worker has waited longest: ids increase.
    pub(super) waiting: BTreeMap<WaitingWorkerId, u32>,
    /// Value of [`WaitingWorkers::orders_served`] when this group was served last; 0 if never.
    last_served: u64,
}

/// A queue that may have jobs for a group, with the kinds that are ready; `None` for all kinds.
#[derive(Debug)]
pub(super) struct ReadyQueue<'a> {
    pub(super) queue: &'a QueueName,
    pub(super) kinds: Option<Arc<[String]>>,
}

/// All waiting workers, and the queues that may have jobs for remote workers.
#[derive(Debug, Default)]
pub(super) struct WaitingWorkers {
    groups: HashMap<LeaseFilter, FilterGroup>,
    filters: HashMap<WaitingWorkerId, LeaseFilter>,
    /// Number of lease orders that the store has answered.
    orders_served: u64,
    /// Queues that may have queued jobs for remote workers.
    ready: Rotation,
    /// Queues that may have queued jobs of a kind. A kind without a queue has no entry.
    ready_by_kind: HashMap<String, Rotation>,
}

impl WaitingWorkers {
    pub(super) fn add(&mut self, worker: WaitingWorker) {
        let WaitingWorker { id, filter, limit } = worker;
        self.groups.entry(filter.clone()).or_default().waiting.insert(id, limit);
        self.filters.insert(id, filter);
    }

    /// Removes a worker that was served or no longer waits.
    pub(super) fn remove(&mut self, id: WaitingWorkerId) {
        let Some(filter) = self.filters.remove(&id) else { return };
        let Some(group) = self.groups.get_mut(&filter) else { return };
        group.waiting.remove(&id);
        if group.waiting.is_empty() {
            self.groups.remove(&filter);
        }
    }

    /// Records that a queue may have jobs of a kind for remote workers.
    pub(super) fn mark_ready(&mut self, queue: &QueueName, kind: &str) {
        self.ready.add(queue);
        match self.ready_by_kind.get_mut(kind) {
            Some(rotation) => rotation.add(queue),
            None => self.ready_by_kind.entry(kind.to_owned()).or_default().add(queue),
        }
    }

    /// Records that a worker was served from a queue. `is_empty` means that the queue has no
    /// more jobs of those kinds.
    pub(super) fn mark_served(
        &mut self,
        id: WaitingWorkerId,
        ready_queue: &ReadyQueue<'_>,
        is_empty: bool,
    ) {
        self.orders_served += 1;
        if let Some(filter) = self.filters.get(&id)
            && let Some(group) = self.groups.get_mut(filter)
        {
            group.last_served = self.orders_served;
        }
        match &ready_queue.kinds {
            Some(kinds) => {
                for kind in kinds.iter() {
                    if let Some(rotation) = self.ready_by_kind.get_mut(kind) {
                        rotation.mark_served(ready_queue.queue, is_empty);
                    }
                }
            }
            None => {
                self.ready.mark_served(ready_queue.queue, is_empty);
                if is_empty {
                    let all = self.ready_by_kind.values_mut();
                    all.for_each(|rotation| rotation.mark_served(ready_queue.queue, true));
                }
            }
        }
        if is_empty {
            self.ready_by_kind.retain(|_, rotation| !rotation.is_empty());
        }
    }

    pub(super) fn filter_of(&self, id: WaitingWorkerId) -> Option<&LeaseFilter> {
        self.filters.get(&id)
    }

    /// Returns the ready queues that at least one waiting worker accepts.
    pub(super) fn queues_in_demand(&self) -> impl Iterator<Item = &QueueName> {
        let is_in_demand =
            |queue: &&QueueName| self.groups.keys().any(|filter| filter.accepts_queue(queue));
        self.ready.iter().filter(is_in_demand)
    }

    /// Returns the groups in the order in which they are served: the group that was served longest
    /// ago is first. Among groups that were never served, the one whose first worker has waited
    /// longest is first.
    pub(super) fn groups_in_order(&self) -> Vec<(&LeaseFilter, &FilterGroup)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups.sort_unstable_by_key(|(_, group)| {
            (group.last_served, group.waiting.keys().next().copied())
        });
        groups
    }

    /// Returns the queues that may have jobs for workers with this filter, in round-robin order.
    pub(super) fn ready_queues(&self, filter: &LeaseFilter) -> Vec<ReadyQueue<'_>> {
        let Some(kinds) = &filter.kinds else {
            let queues = self.ready.iter().filter(|queue| filter.accepts_queue(queue));
            return queues.map(|queue| ReadyQueue { queue, kinds: None }).collect();
        };
        let mut order: Vec<&QueueName> = Vec::new();
        let mut found: HashMap<&QueueName, Vec<String>> = HashMap::new();
        for kind in kinds.iter() {
            let queues = self.ready_by_kind.get(kind).into_iter().flat_map(Rotation::iter);
            for queue in queues.filter(|queue| filter.accepts_queue(queue)) {
                let ready_kinds = found.entry(queue).or_insert_with(|| {
                    order.push(queue);
                    Vec::new()
                });
                ready_kinds.push(kind.clone());
            }
        }
        let ready_queue = |queue| {
            let kinds = found.remove(queue).unwrap_or_default();
            ReadyQueue { queue, kinds: Some(kinds.into()) }
        };
        order.into_iter().map(ready_queue).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Lane;
    use crate::job::limit::Held;
    use crate::job::queue::{QueueRules, QueueSettings};
    use crate::job::time::Timestamp;
    use crate::roster::tests::leased;
    use crate::roster::{LeaseOrder, LeaseResult, Roster};

    fn name(text: &str) -> QueueName {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn worker(id: u64, queues: &[&str], kinds: &[&str], limit: u32) -> WaitingWorker {
        let queues = queues.iter().map(|text| name(text)).collect();
        let kinds = kinds.iter().map(|kind| kind.to_string()).collect();
        let some = |list: Vec<_>| Some(list).filter(|list| !list.is_empty());
        let kinds = Some(kinds).filter(|kinds: &Vec<String>| !kinds.is_empty());
        WaitingWorker {
            id: WaitingWorkerId(id),
            filter: LeaseFilter::new(some(queues), kinds),
            limit,
        }
    }

    fn roster(ready: &[&str], waiting_workers: &[WaitingWorker]) -> Roster {
        let rules = QueueRules { max_queues: 10, ..QueueRules::default() };
        let mut roster = Roster::new([0; Lane::COUNT], Vec::new(), rules);
        for queue in ready {
            roster.mark_remote_ready(&name(queue), "x");
        }
        waiting_workers.iter().cloned().for_each(|worker| roster.add_waiting_worker(worker));
        roster
    }

    /// Returns the orders as worker, queue and number of jobs.
    fn shares(orders: &[LeaseOrder]) -> Vec<(u64, &str, u32)> {
        let share = |order: &LeaseOrder| Some((order.waiting_worker?.0, order.limit));
        let shares = orders.iter().map(|order| (share(order).unwrap(), order.queue.as_str()));
        shares.map(|((worker, limit), queue)| (worker, queue, limit)).collect()
    }

    #[test]
    fn the_longest_waiting_worker_is_served_first() {
        let roster = roster(&["a"], &[worker(1, &[], &[], 5), worker(2, &[], &[], 7)]);
        assert_eq!(shares(&roster.plan(now())), [(1, "a", 5), (2, "a", 7)]);
    }

    #[test]
    fn a_request_is_shared_between_the_queues_that_the_worker_accepts() {
        let waiting_workers = [worker(1, &["a", "b"], &[], 5), worker(2, &["c"], &["w", "x"], 1)];
        let roster = roster(&["a", "b", "c", "d"], &waiting_workers);
        let orders = roster.plan(now());
        assert_eq!(shares(&orders), [(1, "a", 3), (1, "b", 2), (2, "c", 1)]);
        assert_eq!(orders[2].kinds.as_deref(), Some(&["x".to_string()][..]));
    }

    #[test]
    fn an_empty_queue_serves_no_worker_until_it_is_marked_ready_again() {
        let mut roster = roster(&["a"], &[worker(1, &[], &["x"], 5)]);
        let orders = roster.plan(now());
        roster.record_lease(&orders[0], leased(0, true), now());
        assert!(!roster.may_serve(WaitingWorkerId(1), now()));
        assert_eq!(roster.plan(now()), []);
        // The queue may still have jobs of other kinds, which another worker accepts.
        roster.add_waiting_worker(worker(2, &[], &[], 1));
        assert_eq!(shares(&roster.plan(now())), [(2, "a", 1)]);
        roster.remove_waiting_worker(WaitingWorkerId(2));
        roster.mark_remote_ready(&name("a"), "x");
        assert_eq!(shares(&roster.plan(now())), [(1, "a", 5)]);
    }

    #[test]
    fn a_queue_without_jobs_of_any_kind_is_skipped_for_all_workers() {
        let mut roster =
            roster(&["a", "b"], &[worker(1, &["a"], &[], 1), worker(2, &[], &["x"], 1)]);
        let orders = roster.plan(now());
        assert_eq!(shares(&orders), [(1, "a", 1), (2, "a", 1)]);
        roster.record_lease(&orders[0], leased(0, true), now());
        assert_eq!(shares(&roster.plan(now())), [(2, "b", 1)]);
    }

    #[test]
    fn jobs_of_one_kind_are_not_ordered_for_a_worker_that_accepts_another_kind() {
        let mut roster = roster(&[], &[worker(1, &[], &["y"], 1_000), worker(2, &[], &["x"], 3)]);
        for _ in 0..3 {
            roster.mark_remote_ready(&name("a"), "x");
            let orders = roster.plan(now());
            assert_eq!(shares(&orders), [(2, "a", 3)]);
            roster.record_lease(&orders[0], leased(0, true), now());
        }
    }

    #[test]
    fn a_large_request_does_not_delay_other_workers() {
        let mut roster = roster(&["a"], &[worker(1, &[], &["x"], 1_000), worker(2, &[], &[], 1)]);
        let orders = roster.plan(now());
        assert_eq!(shares(&orders), [(1, "a", 1_000)]);
        roster.record_lease(&orders[0], leased(1_000, false), now());
        // Worker 1 still waits, as if there were more workers with the same filter.
        assert_eq!(shares(&roster.plan(now()))[0], (2, "a", 1));
    }

    #[test]
    fn a_worker_that_no_longer_waits_is_not_served() {
        let mut roster = roster(&["a"], &[worker(1, &[], &[], 1), worker(2, &[], &[], 1)]);
        roster.remove_waiting_worker(WaitingWorkerId(1));
        assert_eq!(shares(&roster.plan(now())), [(2, "a", 1)]);
        roster.remove_waiting_worker(WaitingWorkerId(2));
        assert_eq!(roster.plan(now()), []);
        roster.remove_waiting_worker(WaitingWorkerId(2));
    }

    #[test]
    fn limits_hold_over_remote_and_local_workers_together() {
        let rules = QueueRules { max_queues: 10, ..QueueRules::default() };
        let mut roster = Roster::new([2, 0, 0, 0], Vec::new(), rules);
        let settings = QueueSettings { max_running: Some(5), ..QueueSettings::default() };
        roster.configure(&name("a"), settings);
        roster.change_remote_running(&name("a"), 1);
        roster.mark_ready(&name("a"), Lane::Async, None);
        roster.mark_remote_ready(&name("a"), "x");
        roster.add_waiting_worker(worker(1, &[], &[], 10));
        let orders = roster.plan(now());
        let limits: Vec<u32> = orders.iter().map(|order| order.limit).collect();
        assert_eq!(
            limits,
            [2, 2],
            "one runs; two for the async lane and two for the remote lane are left"
        );
        assert_eq!(orders[0].lane, Lane::Async);
        // Local workers were served last, so remote workers are served first now. Otherwise a
        // backlog of one side would starve the other.
        roster.record_lease(&orders[0], leased(1, false), now());
        let orders = roster.plan(now());
        let limits: Vec<(Lane, u32)> =
            orders.iter().map(|order| (order.lane, order.limit)).collect();
        assert_eq!(limits, [(Lane::Remote, 3)]);
    }

    #[test]
    fn a_queue_that_the_store_holds_back_sets_the_wake_time_of_remote_workers() {
        let mut roster = roster(&["a"], &[worker(1, &[], &[], 10)]);
        let orders = roster.plan(now());
        assert_eq!(shares(&orders), [(1, "a", 10)]);
        let until = Timestamp::from_millis(1_000);
        let held = LeaseResult { held: Some(Held::Rate(until)), ..leased(3, false) };
        roster.record_lease(&orders[0], held, now());
        assert_eq!(roster.plan(now()), []);
        assert_eq!(roster.wake_at(now()), Some(until));
    }

    #[test]
    fn one_plan_orders_at_most_the_limit_of_one_request() {
        let many: Vec<WaitingWorker> = (0..30).map(|id| worker(id, &[], &[], 100)).collect();
        let orders = roster(&["a"], &many).plan(now());
        assert_eq!(orders.len(), 10);
    }
}
