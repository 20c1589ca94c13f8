//! Which queues may have jobs, and how places are shared between them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet, VecDeque};

use crate::job::queue::QueueName;

/// The queues that may have queued jobs, those served last at the end.
#[derive(Debug, Default)]
pub(super) struct Turns {
    order: VecDeque<QueueName>,
    members: HashSet<QueueName>,
}

impl Turns {
    pub(super) fn add(&mut self, queue: &QueueName) {
        if !self.members.contains(queue) {
            self.members.insert(queue.clone());
            self.order.push_back(queue.clone());
        }
    }

    /// Puts a queue that was served at the end, or out where it has no more.
    pub(super) fn served(&mut self, queue: &QueueName, is_empty: bool) {
        if !self.has(queue) {
            return;
        }
        let Some(place) = self.order.iter().position(|other| other == queue) else { return };
        let Some(queue) = self.order.remove(place) else { return };
        if is_empty {
            self.members.remove(&queue);
        } else {
            self.order.push_back(queue);
        }
    }

    pub(super) fn has(&self, queue: &QueueName) -> bool {
        self.members.contains(queue)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &QueueName> {
        self.order.iter()
    }
}

/// A queue that takes part when places are shared.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) queue: &'a QueueName,
    /// How many of its jobs run already.
    pub(super) running: u32,
    /// How many more may start.
    pub(super) allowance: u32,
}

/// Shares places between queues: each goes to the queue that runs least, among equals to the one
/// served longest ago.
#[derive(Debug)]
pub(super) struct Shares<'a> {
    candidates: Vec<Candidate<'a>>,
    /// By how many run, then by turn.
    next: BinaryHeap<Reverse<(u32, usize)>>,
}

impl<'a> Shares<'a> {
    /// Takes candidates in the order of their turns.
    pub(super) fn new(candidates: impl Iterator<Item = Candidate<'a>>) -> Self {
        let candidates: Vec<_> = candidates.filter(|candidate| candidate.allowance > 0).collect();
        let places = candidates.iter().enumerate();
        let next = places.map(|(place, candidate)| Reverse((candidate.running, place))).collect();
        Self { candidates, next }
    }

    pub(super) fn is_over(&self) -> bool {
        self.next.is_empty()
    }

    /// Gives out as many places as there are, and wanted: queues and how many of them.
    pub(super) fn grant(&mut self, mut wanted: u32) -> Vec<(&'a QueueName, u32)> {
        let mut granted: BTreeMap<usize, u32> = BTreeMap::new();
        while wanted > 0 {
            let Some(Reverse((running, place))) = self.next.pop() else { break };
            let candidate = &mut self.candidates[place];
            // One alone takes all at once.
            let count = if self.next.is_empty() { wanted.min(candidate.allowance) } else { 1 };
            candidate.allowance -= count;
            wanted -= count;
            *granted.entry(place).or_default() += count;
            if candidate.allowance > 0 {
                self.next.push(Reverse((running + count, place)));
            }
        }
        granted.into_iter().map(|(place, count)| (self.candidates[place].queue, count)).collect()
    }
}
