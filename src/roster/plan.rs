//! Computes the lease orders for one point in time.

use std::collections::HashMap;

use super::fair_share::{Candidate, FairShare};
use super::{LeaseOrder, MAX_LEASE_LIMIT, ProviderShare, Roster};
use crate::job::lane::Lane;
use crate::job::limit::provider::ProviderName;
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
    /// Number of calls of each provider that the plan already contains.
    planned_calls: HashMap<&'a ProviderName, u32>,
    orders: Vec<LeaseOrder>,
}

impl<'a> Plan<'a> {
    /// Returns the lease orders at `now`, for the idle workers of this process and for waiting
    /// remote workers. Local and remote workers take turns in being served first, because those that
    /// are served first may use up what the limits of a queue allow.
    pub(super) fn compute(roster: &'a Roster, now: Timestamp) -> Vec<LeaseOrder> {
        let mut plan = Self { roster, now, planned: HashMap::new(), planned_calls: HashMap::new(), orders: Vec::new() };
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
            let idle = self.roster.idle[lane.index()].min(MAX_LEASES_PER_LANE);
            if idle == 0 {
                continue;
            }
            let mut share = self.fair_share(lane, self.roster.ready[lane.index()].iter());
            let mut granted = share.grant(idle);
            let mut demand = HashMap::new();
            if lane == Lane::Async && !self.roster.providers.is_empty() {
                demand = self.demand(&granted);
                // What a provider allows goes first to the queues with the fewest running jobs.
                granted.sort_by_key(|(queue, _)| self.running(queue, lane));
            }
            for (queue, limit) in granted {
                let providers = self.provider_shares(lane, queue, limit, &mut demand);
                let without_provider = lane != Lane::Async
                    || self.roster.queues.get(queue).is_some_and(|entry| entry.has_async_jobs);
                if !without_provider && providers.is_empty() {
                    continue;
                }
                self.add_order(LeaseOrder {
                    queue: queue.clone(),
                    lane,
                    kinds: None,
                    limit,
                    waiting_worker: None,
                    payload_room: self.roster.payloads.room(queue),
                    without_provider,
                    providers,
                });
            }
        }
    }

    /// Returns by how many of the granted queues each provider is wanted.
    fn demand(&self, granted: &[(&'a QueueName, u32)]) -> HashMap<&'a ProviderName, u32> {
        let entries = granted.iter().filter_map(|(queue, _)| self.roster.queues.get(*queue));
        let mut demand = HashMap::new();
        for provider in entries.flat_map(|entry| &entry.providers) {
            *demand.entry(provider).or_default() += 1;
        }
        demand
    }

    /// Divides the rooms of the providers that a queue wants between this queue and the `demand` of those
    /// that follow.
    fn provider_shares(
        &mut self,
        lane: Lane,
        queue: &QueueName,
        limit: u32,
        demand: &mut HashMap<&'a ProviderName, u32>,
    ) -> Vec<ProviderShare> {
        let roster = self.roster;
        let mut shares = Vec::new();
        let Some(entry) = roster.queues.get(queue).filter(|_| lane == Lane::Async) else {
            return shares;
        };
        for provider in &entry.providers {
            let waiting = demand.get_mut(provider);
            let room = self.provider_room(provider);
            let share = room.div_ceil(waiting.as_ref().map_or(1, |waiting| **waiting).max(1));
            let share = share.min(limit);
            if let Some(waiting) = waiting {
                *waiting = waiting.saturating_sub(1);
            }
            if share > 0 {
                *self.planned_calls.entry(provider).or_default() += share;
                shares.push(ProviderShare { provider: provider.clone(), limit: share });
            }
        }
        shares
    }

    /// Returns how many more calls of a provider the plan may contain.
    fn provider_room(&self, provider: &ProviderName) -> u32 {
        let planned = self.planned_calls.get(provider).copied().unwrap_or(0);
        self.roster.provider_room(provider, self.now).saturating_sub(planned)
    }

    fn running(&self, queue: &QueueName, lane: Lane) -> u32 {
        self.roster.queues.get(queue).map_or(0, |entry| entry.running[lane.index()])
    }

    /// Returns how many jobs of a queue may start in a lane beside those that the plan contains.
    fn allowance(&self, queue: &QueueName, lane: Lane) -> u32 {
        let Some(entry) = self.roster.queues.get(queue) else { return 0 };
        if self.roster.payloads.holds_back(queue, lane) {
            return 0;
        }
        let planned = self.planned.get(queue).copied().unwrap_or(0);
        let mut allowance = entry.allowance(self.now).saturating_sub(planned);
        if lane == Lane::Async {
            if entry.settings.max_running.is_none() {
                let share = self.roster.shares.of(queue);
                allowance = allowance.min(share.saturating_sub(entry.running[lane.index()]));
            }
            if !entry.has_async_jobs {
                let rooms = entry.providers.iter().map(|provider| self.provider_room(provider));
                allowance = allowance.min(rooms.fold(0, u32::saturating_add));
            }
        }
        allowance
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
                        without_provider: true,
                        providers: Vec::new(),
                    });
                }
            }
        }
    }

    fn fair_share(&self, lane: Lane, queues: impl Iterator<Item = &'a QueueName>) -> FairShare<'a> {
        FairShare::new(queues.map(|queue| {
            let (running, allowance) = (self.running(queue, lane), self.allowance(queue, lane));
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
