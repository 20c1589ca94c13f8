//! Making the lease orders of one moment.

use std::collections::HashMap;

use super::turns::{Candidate, Shares, Turns};
use super::{MAX_POLLED, Order, Roster};
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
    orders: Vec<Order>,
}

impl<'a> Plan<'a> {
    /// The orders at `now`: of this process's workers first, then of the remote ones that wait.
    pub(super) fn of(roster: &'a Roster, now: Timestamp) -> Vec<Order> {
        let mut plan = Self { roster, now, promised: HashMap::new(), orders: Vec::new() };
        plan.serve_lanes();
        plan.serve_polls();
        plan.orders
    }

    fn serve_lanes(&mut self) {
        for lane in Lane::LOCAL {
            let idle = self.roster.idle[lane.index()].min(MAX_AT_ONCE);
            if idle == 0 {
                continue;
            }
            let mut shares = self.shares(lane, &self.roster.turns[lane.index()]);
            for (queue, limit) in shares.grant(idle) {
                self.order(Order { queue: queue.clone(), lane, kinds: None, limit, poll: None });
            }
        }
    }

    fn serve_polls(&mut self) {
        let mut left = MAX_POLLED;
        for (filter, pool) in self.roster.polls.in_order() {
            let mut shares = self.shares(Lane::Remote, &pool.turns);
            for (poll, wanted) in &pool.waiting {
                if shares.is_over() {
                    break;
                }
                let Some(rest) = left.checked_sub(*wanted) else { return };
                left = rest;
                for (queue, limit) in shares.grant(*wanted) {
                    self.order(Order {
                        queue: queue.clone(),
                        lane: Lane::Remote,
                        kinds: filter.kinds.clone(),
                        limit,
                        poll: Some(*poll),
                    });
                }
            }
        }
    }

    fn shares(&self, lane: Lane, turns: &'a Turns) -> Shares<'a> {
        Shares::new(turns.iter().map(|queue| {
            let running =
                self.roster.queues.get(queue).map_or(0, |entry| entry.running[lane.index()]);
            let promised = self.promised.get(queue).copied().unwrap_or(0);
            let allowance = self.roster.allowance(queue, self.now).saturating_sub(promised);
            Candidate { queue, running, allowance }
        }))
    }

    fn order(&mut self, order: Order) {
        if let Some((queue, _)) = self.roster.queues.get_key_value(&order.queue) {
            *self.promised.entry(queue).or_default() += order.limit;
        }
        self.orders.push(order);
    }
}
