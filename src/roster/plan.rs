//! Computes the lease orders for one point in time.

use std::collections::HashMap;

use super::fair_share::{Candidate, FairShare};
use super::{LeaseOrder, MAX_LEASE_LIMIT, Roster};
use crate::job::lane::Lane;
use crate::job::queue::QueueName;
use crate::job::time::Timestamp;

/// Maximum number of leases that one plan orders for a lane; the next plan orders more. Short
/// transactions delay other writes less, and workers start while the next transaction is written.
const MAX_LEASES_PER_LANE: u32 = 256;

/// A plan under construction.
pub(super) struct Plan<'a> {
    roster: &'a Roster,
    now: Timestamp,
    /// Number of job starts of each queue that the plan already contains.
    planned: HashMap<&'a QueueName, u32>,
    orders: Vec<LeaseOrder>,
}

impl<'a> Plan<'a> {
    /// Returns the lease orders at `now`, for the idle workers of this process and for waiting
    /// remote workers. Local and remote workers take turns in being served first, because those that
    /// are served first may use up what the limits of a queue allow.
    pub(super) fn compute(roster: &'a Roster, now: Timestamp) -> Vec<LeaseOrder> {
        let mut plan = Self { roster, now, planned: HashMap::new(), orders: Vec::new() };
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
        let payload_room = self.roster.payload_room();
        if payload_room == 0 {
            return;
        }
        for lane in Lane::LOCAL {
            let idle = self.roster.idle[lane.index()].min(MAX_LEASES_PER_LANE);
            if idle == 0 {
                continue;
            }
            let mut share = self.fair_share(lane, self.roster.ready[lane.index()].iter());
            for (queue, limit) in share.grant(idle) {
                self.add_order(LeaseOrder {
                    queue: queue.clone(),
                    lane,
                    kinds: None,
                    limit,
                    waiting_worker: None,
                    payload_room,
                });
            }
        }
    }

    fn serve_waiting_workers(&mut self) {
        let mut remaining = MAX_LEASE_LIMIT;
        for (filter, group) in self.roster.waiting_workers.groups_in_order() {
            let ready_queues = self.roster.waiting_workers.ready_queues(filter);
            let kinds: HashMap<&QueueName, _> = ready_queues
                .iter()
                .map(|ready_queue| (ready_queue.queue, &ready_queue.kinds))
                .collect();
            let queues = ready_queues.iter().map(|ready_queue| ready_queue.queue);
            let mut share = self.fair_share(Lane::Remote, queues);
            for (id, wanted) in &group.waiting {
                if share.is_exhausted() || *wanted > remaining {
                    break;
                }
                remaining -= wanted;
                for (queue, limit) in share.grant(*wanted) {
                    self.add_order(LeaseOrder {
                        queue: queue.clone(),
                        lane: Lane::Remote,
                        kinds: kinds.get(queue).and_then(|kinds| (*kinds).clone()),
                        limit,
                        waiting_worker: Some(*id),
                        payload_room: usize::MAX,
                    });
                }
            }
        }
    }

    fn fair_share(&self, lane: Lane, queues: impl Iterator<Item = &'a QueueName>) -> FairShare<'a> {
        FairShare::new(queues.map(|queue| {
            let running =
                self.roster.queues.get(queue).map_or(0, |entry| entry.running[lane.index()]);
            let planned = self.planned.get(queue).copied().unwrap_or(0);
            let allowance = self.roster.allowance(queue, self.now).saturating_sub(planned);
            Candidate { queue, running, allowance }
        }))
    }

    fn add_order(&mut self, order: LeaseOrder) {
        if let Some((queue, _)) = self.roster.queues.get_key_value(&order.queue) {
            *self.planned.entry(queue).or_default() += order.limit;
        }
        self.orders.push(order);
    }
}
