//! Remote workers that wait for jobs: who asks for what, in the order in which they came.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::turns::Turns;
use crate::job::queue::QueueName;

/// Which waiting remote worker is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PollId(pub u64);

/// A remote worker that waits for up to `limit` jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Poll {
    /// Which one.
    pub id: PollId,
    /// What it takes.
    pub filter: Filter,
    /// How many jobs it takes at most.
    pub limit: u32,
}

/// What a remote worker takes; none means all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// From which queues.
    pub queues: Option<Arc<[QueueName]>>,
    /// Of which kinds.
    pub kinds: Option<Arc<[String]>>,
}

impl Filter {
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
pub(super) struct Pool {
    /// With how many jobs each takes at most; their ids rise, so the first waits longest.
    pub(super) waiting: BTreeMap<PollId, u32>,
    /// The queues that may have something for them.
    pub(super) turns: Turns,
}

/// All remote workers that wait.
#[derive(Debug, Default)]
pub(super) struct Polls {
    pools: HashMap<Filter, Pool>,
    filters: HashMap<PollId, Filter>,
}

impl Polls {
    /// Adds one to those who wait. `ready` are the queues that may have jobs of any kind.
    pub(super) fn join<'a>(&mut self, poll: Poll, ready: impl Iterator<Item = &'a QueueName>) {
        let Poll { id, filter, limit } = poll;
        let pool = self.pools.entry(filter.clone()).or_insert_with(|| {
            let mut pool = Pool::default();
            ready.filter(|queue| filter.takes_from(queue)).for_each(|queue| pool.turns.add(queue));
            pool
        });
        pool.waiting.insert(id, limit);
        self.filters.insert(id, filter);
    }

    /// Takes one away, who was served or has gone.
    pub(super) fn leave(&mut self, id: PollId) {
        let Some(filter) = self.filters.remove(&id) else { return };
        let Some(pool) = self.pools.get_mut(&filter) else { return };
        pool.waiting.remove(&id);
        if pool.waiting.is_empty() {
            self.pools.remove(&filter);
        }
    }

    /// Notes that a queue may have jobs for remote workers.
    pub(super) fn mark_ready(&mut self, queue: &QueueName) {
        for (filter, pool) in &mut self.pools {
            if filter.takes_from(queue) {
                pool.turns.add(queue);
            }
        }
    }

    /// Notes that a queue has given to a poll, and whether that was less than asked.
    pub(super) fn served(&mut self, id: PollId, queue: &QueueName, is_empty: bool) {
        if let Some(filter) = self.filters.get(&id)
            && let Some(pool) = self.pools.get_mut(filter)
        {
            pool.turns.served(queue, is_empty);
        }
    }

    pub(super) fn pool_of(&self, id: PollId) -> Option<&Pool> {
        self.pools.get(self.filters.get(&id)?)
    }

    /// Those who wait for the same together, whoever waits longest first.
    pub(super) fn in_order(&self) -> Vec<(&Filter, &Pool)> {
        let mut pools: Vec<_> = self.pools.iter().collect();
        pools.sort_unstable_by_key(|(_, pool)| pool.waiting.keys().next().copied());
        pools
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Lane;
    use crate::job::queue::{QueueRules, QueueSettings, Rate};
    use crate::job::roster::{Order, Roster};
    use crate::job::time::{Span, Timestamp};

    fn name(text: &str) -> QueueName {
        text.parse().unwrap()
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(0)
    }

    fn poll(id: u64, queues: &[&str], kinds: &[&str], limit: u32) -> Poll {
        let queues = queues.iter().map(|text| name(text)).collect();
        let kinds = kinds.iter().map(|kind| kind.to_string()).collect();
        let some = |list: Vec<_>| Some(list).filter(|list| !list.is_empty());
        let kinds = Some(kinds).filter(|kinds: &Vec<String>| !kinds.is_empty());
        Poll { id: PollId(id), filter: Filter::new(some(queues), kinds), limit }
    }

    fn roster(ready: &[&str], polls: &[Poll]) -> Roster {
        let rules = QueueRules { max_queues: 10, ..QueueRules::default() };
        let mut roster = Roster::new([0; Lane::COUNT], Vec::new(), rules);
        for queue in ready {
            roster.mark_ready(&name(queue), Lane::Remote);
        }
        polls.iter().cloned().for_each(|poll| roster.join(poll));
        roster
    }

    /// Who gets how much of which queue.
    fn shares(orders: &[Order]) -> Vec<(u64, &str, u32)> {
        let share = |order: &Order| Some((order.poll?.0, order.limit));
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
        let polls = [poll(1, &["a", "b"], &[], 5), poll(2, &["c"], &["x"], 1)];
        let roster = roster(&["a", "b", "c", "d"], &polls);
        let orders = roster.plan(now());
        assert_eq!(shares(&orders), [(1, "a", 3), (1, "b", 2), (2, "c", 1)]);
        assert_eq!(orders[2].kinds.as_deref(), Some(&["x".to_string()][..]));
    }

    #[test]
    fn nobody_is_served_from_a_queue_that_has_nothing_until_it_is_ready_again() {
        let mut roster = roster(&["a"], &[poll(1, &[], &["x"], 5)]);
        let orders = roster.plan(now());
        roster.leased(&orders[0], 0, now());
        assert!(!roster.may_serve(PollId(1), now()));
        assert_eq!(roster.plan(now()), []);
        // There may be other kinds, which others take.
        roster.join(poll(2, &[], &["y"], 1));
        assert_eq!(shares(&roster.plan(now())), [(2, "a", 1)]);
        roster.leave(PollId(2));
        roster.mark_ready(&name("a"), Lane::Remote);
        assert_eq!(shares(&roster.plan(now())), [(1, "a", 5)]);
    }

    #[test]
    fn who_has_left_is_not_served() {
        let mut roster = roster(&["a"], &[poll(1, &[], &[], 1), poll(2, &[], &[], 1)]);
        roster.leave(PollId(1));
        assert_eq!(shares(&roster.plan(now())), [(2, "a", 1)]);
        roster.leave(PollId(2));
        assert_eq!(roster.plan(now()), []);
        roster.leave(PollId(2));
    }

    #[test]
    fn limits_hold_over_remote_workers_and_those_of_this_process() {
        let rules = QueueRules { max_queues: 10, ..QueueRules::default() };
        let mut roster = Roster::new([2, 0, 0, 0], Vec::new(), rules);
        let settings = QueueSettings { max_running: Some(5), ..QueueSettings::default() };
        roster.configure(&name("a"), settings);
        roster.remote_moved(&name("a"), 1);
        roster.mark_ready(&name("a"), Lane::Async);
        roster.mark_ready(&name("a"), Lane::Remote);
        roster.join(poll(1, &[], &[], 10));
        let limits: Vec<u32> = roster.plan(now()).iter().map(|order| order.limit).collect();
        assert_eq!(limits, [2, 2], "one runs, two of the async lane, two more");
    }

    #[test]
    fn a_rate_counts_what_remote_workers_start_and_wakes_them() {
        let mut roster = roster(&["a"], &[poll(1, &[], &[], 10)]);
        let rate = Some(Rate { limit: 3, period: Span::from_secs(1) });
        roster.configure(&name("a"), QueueSettings { rate, ..QueueSettings::default() });
        let orders = roster.plan(now());
        assert_eq!(shares(&orders), [(1, "a", 3)]);
        roster.leased(&orders[0], 3, now());
        assert_eq!(roster.plan(now()), []);
        assert_eq!(roster.wake_at(now()), Some(Timestamp::from_millis(1_000)));
    }

    #[test]
    fn no_more_is_ordered_at_once_than_one_may_ask_for() {
        let many: Vec<Poll> = (0..30).map(|id| poll(id, &[], &[], 100)).collect();
        let orders = roster(&["a"], &many).plan(now());
        assert_eq!(orders.len(), 10);
    }
}
