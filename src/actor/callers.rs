//! The remote workers that wait for jobs, as the Writer has to answer them.

use std::collections::{HashMap, HashSet};

use tokio::sync::oneshot;

use crate::actor::message::{Join, Polled};
use crate::job::Span;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::outcome::Outcome;
use crate::job::roster::{Order, Poll, PollId};
use crate::store::{Finish, Holder, LeaseRequest, Write};

struct Caller {
    lease: Span,
    worker: Option<String>,
    tell: oneshot::Sender<Polled>,
}

/// Those who wait. The roster knows what they wait for.
#[derive(Default)]
pub(super) struct Callers {
    waiting: HashMap<PollId, Caller>,
    /// Those who want to know at once.
    hasty: HashSet<PollId>,
    /// What the transaction at hand has brought them.
    brought: HashMap<PollId, Vec<LeasedJob>>,
}

impl Callers {
    /// Adds one, and gives out what the roster has to know.
    pub(super) fn join(&mut self, join: Join) -> Poll {
        let Join { poll, is_patient, lease, worker, tell } = join;
        if !is_patient {
            self.hasty.insert(poll.id);
        }
        self.waiting.insert(poll.id, Caller { lease, worker, tell });
        poll
    }

    pub(super) fn leave(&mut self, id: PollId) {
        self.waiting.remove(&id);
        self.hasty.remove(&id);
    }

    /// What to ask of the store for an order; none where its caller is not there.
    pub(super) fn request(&self, order: &Order) -> Option<LeaseRequest> {
        let caller = self.waiting.get(&order.poll?)?;
        let worker = caller.worker.clone();
        Some(LeaseRequest { order: order.clone(), lease: caller.lease, worker })
    }

    /// Keeps what was leased for one until all of the transaction is known.
    pub(super) fn bring(&mut self, id: PollId, jobs: Vec<LeasedJob>) {
        if !jobs.is_empty() {
            self.brought.entry(id).or_default().extend(jobs);
        }
    }

    /// Hands over what was brought. Gives back who was served, and the leases of those who went away
    /// in the meantime.
    pub(super) fn hand_over(&mut self) -> (Vec<PollId>, Option<Write>) {
        let mut served = Vec::new();
        let mut orphans = Vec::new();
        for (id, jobs) in std::mem::take(&mut self.brought) {
            served.push(id);
            let Some(caller) = self.take(id) else {
                orphans.extend(jobs);
                continue;
            };
            if let Err(Ok(jobs)) = caller.tell.send(Ok(jobs)) {
                orphans.extend(jobs);
            }
        }
        let orphans = (!orphans.is_empty()).then(|| release(orphans.iter().map(|job| job.lease)));
        (served, orphans)
    }

    /// Tells those who want to know at once that there is nothing. Gives back whom.
    pub(super) fn send_away(&mut self, mut is_nothing: impl FnMut(PollId) -> bool) -> Vec<PollId> {
        let gone: Vec<PollId> = self.hasty.iter().copied().filter(|id| is_nothing(*id)).collect();
        for caller in gone.iter().filter_map(|id| self.take(*id)) {
            // Who has gone away need not know.
            let _ = caller.tell.send(Ok(Vec::new()));
        }
        gone
    }

    /// Tells all the same. Gives back whom.
    pub(super) fn tell_all(&mut self, told: &Polled) -> Vec<PollId> {
        self.hasty.clear();
        let all = std::mem::take(&mut self.waiting).into_iter();
        let tell = |(id, caller): (PollId, Caller)| {
            let _ = caller.tell.send(told.clone());
            id
        };
        all.map(tell).collect()
    }

    fn take(&mut self, id: PollId) -> Option<Caller> {
        self.hasty.remove(&id);
        self.waiting.remove(&id)
    }
}

/// Gives leases back: nobody has begun to work under them.
pub(crate) fn release(leases: impl Iterator<Item = Lease>) -> Write {
    let (outcome, holder) = (Outcome::NotBegun, Holder::Remote);
    let release =
        |lease| Finish { lease, outcome: outcome.clone(), holder, place: None, started_at: None };
    Write::Each(leases.map(release).map(Write::Finish).collect())
}
