//! Remote workers that wait for jobs: who asks for what, in the order in which they came.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::turns::Turns;
use crate::job::queue::QueueName;

/// Which waiting remote worker is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaitingWorkerId(pub u64);

/// A remote worker that waits for up to `limit` jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingWorker {
    /// Which one.
    pub id: WaitingWorkerId,
    /// What it takes.
    pub filter: LeaseFilter,
    /// How many jobs it takes at most.
    pub limit: u32,
}

/// What a remote worker takes; none means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct LeaseFilter {
    /// From which queues.
    pub queues: Option<Arc<[QueueName]>>,
    /// Of which kinds.
    pub kinds: Option<Arc<[String]>>,
}

impl LeaseFilter {
    /// A filter in which each stands once, so that the same wishes are one.
    pub fn new(queues: Option<Vec<QueueName>>, kinds: Option<Vec<String>>) -> Self {
        Self { queues: queues.map(sorted), kinds: kinds.map(sorted) }
    }

    fn takes_from(&self, queue: &QueueName) -> bool {
        self.queues.as_ref().is_none_or(|queues| queues.binary_search(queue).is_ok())
    }
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Arc<[T]> {
    list.sort_unstable();
    list.dedup();
    list.into()
}

/// All who wait for the same.
#[derive(Debug, Default)]
pub(super) struct FilterGroup {
    /// With how many jobs each takes at most; their ids rise, so the first waits longest.
    pub(super) waiting: BTreeMap<WaitingWorkerId, u32>,
    /// When it had its turn last, as a number that rises with every turn.
    turn: u64,
}

/// A queue that may have something for a group, and of which of its kinds; none means all.
#[derive(Debug)]
pub(super) struct ReadyQueue<'a> {
    pub(super) queue: &'a QueueName,
    pub(super) kinds: Option<Arc<[String]>>,
}

/// All remote workers that wait, and where there may be jobs for them.
#[derive(Debug, Default)]
pub(super) struct WaitingWorkers {
    groups: HashMap<LeaseFilter, FilterGroup>,
    filters: HashMap<WaitingWorkerId, LeaseFilter>,
    turns_given: u64,
    /// The queues that may have queued jobs for remote workers.
    ready: Turns,
    /// The same by kind. Kinds that have none are not there.
    ready_by_kind: HashMap<String, Turns>,
}

impl WaitingWorkers {
    /// Adds one to those who wait.
    pub(super) fn add(&mut self, poll: WaitingWorker) {
        let WaitingWorker { id, filter, limit } = poll;
        self.groups.entry(filter.clone()).or_default().waiting.insert(id, limit);
        self.filters.insert(id, filter);
    }

    /// Takes one away, who was served or has gone.
    pub(super) fn remove(&mut self, id: WaitingWorkerId) {
        let Some(filter) = self.filters.remove(&id) else { return };
        let Some(group) = self.groups.get_mut(&filter) else { return };
        group.waiting.remove(&id);
        if group.waiting.is_empty() {
            self.groups.remove(&filter);
        }
    }

    /// Notes that a queue may have jobs of a kind for remote workers.
    pub(super) fn mark_ready(&mut self, queue: &QueueName, kind: &str) {
        self.ready.add(queue);
        match self.ready_by_kind.get_mut(kind) {
            Some(turns) => turns.add(queue),
            None => self.ready_by_kind.entry(kind.to_owned()).or_default().add(queue),
        }
    }

    /// Notes that a queue has given to a poll, and whether it has no more of those kinds.
    pub(super) fn served(
        &mut self,
        id: WaitingWorkerId,
        ready_queue: &ReadyQueue<'_>,
        is_empty: bool,
    ) {
        self.turns_given += 1;
        if let Some(filter) = self.filters.get(&id)
            && let Some(group) = self.groups.get_mut(filter)
        {
            group.turn = self.turns_given;
        }
        match &ready_queue.kinds {
            Some(kinds) => {
                for kind in kinds.iter() {
                    if let Some(turns) = self.ready_by_kind.get_mut(kind) {
                        turns.served(ready_queue.queue, is_empty);
                    }
                }
            }
            None => {
                self.ready.served(ready_queue.queue, is_empty);
                if is_empty {
                    let all = self.ready_by_kind.values_mut();
                    all.for_each(|turns| turns.served(ready_queue.queue, true));
                }
            }
        }
        if is_empty {
            self.ready_by_kind.retain(|_, turns| !turns.is_empty());
        }
    }

    pub(super) fn filter_of(&self, id: WaitingWorkerId) -> Option<&LeaseFilter> {
        self.filters.get(&id)
    }

    /// The queues that may have something for one of those who wait.
    pub(super) fn waited_for(&self) -> impl Iterator<Item = &QueueName> {
        let is_waited_for =
            |queue: &&QueueName| self.groups.keys().any(|filter| filter.takes_from(queue));
        self.ready.iter().filter(is_waited_for)
    }

    /// Those who wait for the same together, whoever had no turn for longest first, and among those
    /// who had none whoever waits longest.
    pub(super) fn in_turn(&self) -> Vec<(&LeaseFilter, &FilterGroup)> {
        let mut groups: Vec<_> = self.groups.iter().collect();
        groups
            .sort_unstable_by_key(|(_, group)| (group.turn, group.waiting.keys().next().copied()));
        groups
    }

    /// Where there may be something for those with this filter, in turn.
    pub(super) fn ready_queues(&self, filter: &LeaseFilter) -> Vec<ReadyQueue<'_>> {
        let Some(kinds) = &filter.kinds else {
            let queues = self.ready.iter().filter(|queue| filter.takes_from(queue));
            return queues.map(|queue| ReadyQueue { queue, kinds: None }).collect();
        };
        let mut order: Vec<&QueueName> = Vec::new();
        let mut found: HashMap<&QueueName, Vec<String>> = HashMap::new();
        for kind in kinds.iter() {
            let turns = self.ready_by_kind.get(kind).into_iter().flat_map(Turns::iter);
            for queue in turns.filter(|queue| filter.takes_from(queue)) {
                let of_queue = found.entry(queue).or_insert_with(|| {
                    order.push(queue);
                    Vec::new()
                });
                of_queue.push(kind.clone());
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
    use crate::job::queue::{QueueRules, QueueSettings, Rate};
    use crate::job::roster::{LeaseOrder, Roster};
    use crate::job::time::{Span, Timestamp};

    fn name(text: &str) -> QueueName {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn poll(id: u64, queues: &[&str], kinds: &[&str], limit: u32) -> WaitingWorker {
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
        waiting_workers.iter().cloned().for_each(|poll| roster.add_waiting_worker(poll));
        roster
    }

    /// Who gets how much of which queue.
    fn shares(orders: &[LeaseOrder]) -> Vec<(u64, &str, u32)> {
        let share = |order: &LeaseOrder| Some((order.waiting_worker?.0, order.limit));
        let shares = orders.iter().map(|order| (share(order).unwrap(), order.queue.as_str()));
        shares.map(|((poll, limit), queue)| (poll, queue, limit)).collect()
    }

    #[test]
    fn who_waits_longest_is_served_first() {
        let roster = roster(&["a"], &[poll(1, &[], &[], 5), poll(2, &[], &[], 7)]);
        assert_eq!(shares(&roster.plan(now())), [(1, "a", 5), (2, "a", 7)]);
    }

    #[test]
    fn a_poll_is_shared_between_the_queues_that_it_takes() {
        let waiting_workers = [poll(1, &["a", "b"], &[], 5), poll(2, &["c"], &["w", "x"], 1)];
        let roster = roster(&["a", "b", "c", "d"], &waiting_workers);
        let orders = roster.plan(now());
        assert_eq!(shares(&orders), [(1, "a", 3), (1, "b", 2), (2, "c", 1)]);
        assert_eq!(orders[2].kinds.as_deref(), Some(&["x".to_string()][..]));
    }

    #[test]
    fn nobody_is_served_from_a_queue_that_has_nothing_until_it_is_ready_again() {
        let mut roster = roster(&["a"], &[poll(1, &[], &["x"], 5)]);
        let orders = roster.plan(now());
        roster.leased(&orders[0], 0, true, now());
        assert!(!roster.may_serve(WaitingWorkerId(1), now()));
        assert_eq!(roster.plan(now()), []);
        // There may be other kinds, which others take.
        roster.add_waiting_worker(poll(2, &[], &[], 1));
        assert_eq!(shares(&roster.plan(now())), [(2, "a", 1)]);
        roster.remove_waiting_worker(WaitingWorkerId(2));
        roster.mark_remote_ready(&name("a"), "x");
        assert_eq!(shares(&roster.plan(now())), [(1, "a", 5)]);
    }

    #[test]
    fn who_takes_everything_finds_it_empty_for_all() {
        let mut roster = roster(&["a", "b"], &[poll(1, &["a"], &[], 1), poll(2, &[], &["x"], 1)]);
        let orders = roster.plan(now());
        assert_eq!(shares(&orders), [(1, "a", 1), (2, "a", 1)]);
        roster.leased(&orders[0], 0, true, now());
        assert_eq!(shares(&roster.plan(now())), [(2, "b", 1)]);
    }

    #[test]
    fn jobs_of_one_kind_are_no_news_for_who_takes_another() {
        let mut roster = roster(&[], &[poll(1, &[], &["y"], 1_000), poll(2, &[], &["x"], 3)]);
        for _ in 0..3 {
            roster.mark_remote_ready(&name("a"), "x");
            let orders = roster.plan(now());
            assert_eq!(shares(&orders), [(2, "a", 3)]);
            roster.leased(&orders[0], 0, true, now());
        }
    }

    #[test]
    fn who_asks_for_much_holds_nobody_up() {
        let all = ["a"];
        let mut roster = roster(&all, &[poll(1, &[], &["x"], 1_000), poll(2, &[], &[], 1)]);
        let orders = roster.plan(now());
        assert_eq!(shares(&orders), [(1, "a", 1_000)]);
        roster.leased(&orders[0], 1_000, false, now());
        // It waits on, as it would with others like it.
        assert_eq!(shares(&roster.plan(now()))[0], (2, "a", 1));
    }

    #[test]
    fn who_has_left_is_not_served() {
        let mut roster = roster(&["a"], &[poll(1, &[], &[], 1), poll(2, &[], &[], 1)]);
        roster.remove_waiting_worker(WaitingWorkerId(1));
        assert_eq!(shares(&roster.plan(now())), [(2, "a", 1)]);
        roster.remove_waiting_worker(WaitingWorkerId(2));
        assert_eq!(roster.plan(now()), []);
        roster.remove_waiting_worker(WaitingWorkerId(2));
    }

    #[test]
    fn limits_hold_over_remote_workers_and_those_of_this_process() {
        let rules = QueueRules { max_queues: 10, ..QueueRules::default() };
        let mut roster = Roster::new([2, 0, 0, 0], Vec::new(), rules);
        let settings = QueueSettings { max_running: Some(5), ..QueueSettings::default() };
        roster.configure(&name("a"), settings);
        roster.remote_moved(&name("a"), 1);
        roster.mark_ready(&name("a"), Lane::Async);
        roster.mark_remote_ready(&name("a"), "x");
        roster.add_waiting_worker(poll(1, &[], &[], 10));
        let orders = roster.plan(now());
        let limits: Vec<u32> = orders.iter().map(|order| order.limit).collect();
        assert_eq!(limits, [2, 2], "one runs, two of the async lane, two more");
        assert_eq!(orders[0].lane, Lane::Async);
        // Those that came last go first the next time, or a backlog of the one would starve the other.
        roster.leased(&orders[0], 1, false, now());
        let orders = roster.plan(now());
        let limits: Vec<(Lane, u32)> =
            orders.iter().map(|order| (order.lane, order.limit)).collect();
        assert_eq!(limits, [(Lane::Remote, 3)]);
    }

    #[test]
    fn a_rate_counts_what_remote_workers_start_and_wakes_them() {
        let mut roster = roster(&["a"], &[poll(1, &[], &[], 10)]);
        let rate = Some(Rate { limit: 3, period: Span::from_secs(1) });
        roster.configure(&name("a"), QueueSettings { rate, ..QueueSettings::default() });
        let orders = roster.plan(now());
        assert_eq!(shares(&orders), [(1, "a", 3)]);
        roster.leased(&orders[0], 3, false, now());
        assert_eq!(roster.plan(now()), []);
        assert_eq!(roster.wake_at(now()), Some(Timestamp::from_millis(1_000)));
    }

    #[test]
    fn no_more_is_ordered_at_once_than_one_may_ask_for() {
        let many: Vec<WaitingWorker> = (0..30).map(|id| poll(id, &[], &[], 100)).collect();
        let orders = roster(&["a"], &many).plan(now());
        assert_eq!(orders.len(), 10);
    }
}
