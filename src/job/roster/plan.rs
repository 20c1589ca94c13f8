//! Making the lease orders of one moment.

use std::collections::HashMap;

use super::turns::{Candidate, Shares};
use super::{LeaseOrder, MAX_LEASE_LIMIT, Roster};
use crate::job::lane::Lane;
use crate::job::queue::QueueName;
use crate::job::time::Timestamp;

/// How many leases of a lane are ordered at once. What is left over is ordered in the transaction that
/// follows: a short one lets others in sooner, and workers run while the next is written.
const MAX_AT_ONCE: u32 = 256;

/// A plan in the making.
pub(super) struct Plan<'a> {
    roster: &'a Roster,
    now: Timestamp,
    /// How many starts of a queue are in the plan already.
    promised: HashMap<&'a QueueName, u32>,
    orders: Vec<LeaseOrder>,
}

impl<'a> Plan<'a> {
    /// The orders at `now`: of this process's workers and of the remote ones that wait, those first
    /// that came last the time before.
    pub(super) fn of(roster: &'a Roster, now: Timestamp) -> Vec<LeaseOrder> {
        let mut plan = Self { roster, now, promised: HashMap::new(), orders: Vec::new() };
        if roster.is_remote_first {
            plan.serve_waiting_workers();
            plan.serve_lanes();
        } else {
            plan.serve_lanes();
            plan.serve_waiting_workers();
        }
        plan.orders
    }

    fn serve_lanes(&mut self) {
        for lane in Lane::LOCAL {
            let idle = self.roster.idle[lane.index()].min(MAX_AT_ONCE);
            if idle == 0 {
                continue;
            }
            let mut shares = self.shares(lane, self.roster.turns[lane.index()].iter());
            for (queue, limit) in shares.grant(idle) {
                self.order(LeaseOrder {
                    queue: queue.clone(),
                    lane,
                    kinds: None,
                    limit,
                    waiting_worker: None,
                });
            }
        }
    }

    fn serve_waiting_workers(&mut self) {
        let mut left = MAX_LEASE_LIMIT;
        for (filter, group) in self.roster.waiting_workers.in_turn() {
            let ready_queues = self.roster.waiting_workers.ready_queues(filter);
            let kinds: HashMap<&QueueName, _> = ready_queues
                .iter()
                .map(|ready_queue| (ready_queue.queue, &ready_queue.kinds))
                .collect();
            let mut shares =
                self.shares(Lane::Remote, ready_queues.iter().map(|ready_queue| ready_queue.queue));
            for (id, wanted) in &group.waiting {
                if shares.is_over() || *wanted > left {
                    break;
                }
                left -= wanted;
                for (queue, limit) in shares.grant(*wanted) {
                    self.order(LeaseOrder {
                        queue: queue.clone(),
                        lane: Lane::Remote,
                        kinds: kinds.get(queue).and_then(|kinds| (*kinds).clone()),
                        limit,
                        waiting_worker: Some(*id),
                    });
                }
            }
        }
    }

    fn shares(&self, lane: Lane, queues: impl Iterator<Item = &'a QueueName>) -> Shares<'a> {
        Shares::new(queues.map(|queue| {
            let running =
                self.roster.queues.get(queue).map_or(0, |entry| entry.running[lane.index()]);
            let promised = self.promised.get(queue).copied().unwrap_or(0);
            let allowance = self.roster.allowance(queue, self.now).saturating_sub(promised);
            Candidate { queue, running, allowance }
        }))
    }

    fn order(&mut self, order: LeaseOrder) {
        if let Some((queue, _)) = self.roster.queues.get_key_value(&order.queue) {
            *self.promised.entry(queue).or_default() += order.limit;
        }
        self.orders.push(order);
    }
}
