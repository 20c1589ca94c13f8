//! Fair share: divides idle workers between the queues that are ready.
//!
//! Each worker goes to the ready queue with the fewest running jobs, which is max-min fairness. A
//! tie goes to the queue that was served longest ago, which is round robin between equal queues.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet, VecDeque};

use crate::job::queue::QueueName;

/// Ready queues in round-robin order: the queue that was served longest ago is first. A queue is
/// ready if it may have queued jobs.
#[derive(Debug, Default)]
pub(super) struct Rotation {
    order: VecDeque<QueueName>,
    members: HashSet<QueueName>,
}

impl Rotation {
    /// Adds a ready queue at the end, unless it is already in the rotation.
    pub(super) fn add(&mut self, queue: &QueueName) {
        if !self.members.contains(queue) {
            self.members.insert(queue.clone());
            self.order.push_back(queue.clone());
        }
    }

    /// Moves a queue that was served to the end, or removes it if it has no more jobs.
    pub(super) fn mark_served(&mut self, queue: &QueueName, is_empty: bool) {
        if !self.contains(queue) {
            return;
        }
        let Some(index) = self.order.iter().position(|other| other == queue) else { return };
        let Some(queue) = self.order.remove(index) else { return };
        if is_empty {
            self.members.remove(&queue);
        } else {
            self.order.push_back(queue);
        }
    }

    pub(super) fn contains(&self, queue: &QueueName) -> bool {
        self.members.contains(queue)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &QueueName> {
        self.order.iter()
    }
}

/// A queue that takes part in the division.
#[derive(Debug)]
pub(super) struct Candidate<'a> {
    pub(super) queue: &'a QueueName,
    /// Number of its jobs that run already.
    pub(super) running: u32,
    /// Number of its jobs that may start now within the limits of the queue.
    pub(super) allowance: u32,
}

/// Division of job starts between queues. See the module documentation.
#[derive(Debug)]
pub(super) struct FairShare<'a> {
    candidates: Vec<Candidate<'a>>,
    /// Min-heap of candidates with an allowance: number of running jobs, then index.
    heap: BinaryHeap<Reverse<(u32, usize)>>,
}

impl<'a> FairShare<'a> {
    /// Starts a division between candidates in round-robin order.
    pub(super) fn new(candidates: impl Iterator<Item = Candidate<'a>>) -> Self {
        let candidates: Vec<_> = candidates.filter(|candidate| candidate.allowance > 0).collect();
        let indexed = candidates.iter().enumerate();
        let heap = indexed.map(|(index, candidate)| Reverse((candidate.running, index))).collect();
        Self { candidates, heap }
    }

    /// Returns whether no queue may start another job.
    pub(super) fn is_exhausted(&self) -> bool {
        self.heap.is_empty()
    }

    /// Grants up to `wanted` job starts. Returns the queues and the number of starts of each.
    pub(super) fn grant(&mut self, mut wanted: u32) -> Vec<(&'a QueueName, u32)> {
        let mut granted: BTreeMap<usize, u32> = BTreeMap::new();
        while wanted > 0 {
            let Some(Reverse((running, index))) = self.heap.pop() else { break };
            let candidate = &mut self.candidates[index];
            // The last remaining queue gets all remaining starts in one step.
            let count = if self.heap.is_empty() { wanted.min(candidate.allowance) } else { 1 };
            candidate.allowance -= count;
            wanted -= count;
            *granted.entry(index).or_default() += count;
            if candidate.allowance > 0 {
                self.heap.push(Reverse((running + count, index)));
            }
        }
        granted.into_iter().map(|(index, count)| (self.candidates[index].queue, count)).collect()
    }
}
