//! The remote workers that wait for jobs, as the Writer has to answer them.

use std::collections::{HashMap, HashSet};

use tokio::sync::oneshot;

use crate::actor::message::{AddWaitingWorker, LeaseReply};
use crate::job::Span;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::outcome::Outcome;
use crate::job::roster::{LeaseOrder, WaitingWorker, WaitingWorkerId};
use crate::store::{Finish, Holder, LeaseRequest, Write};

struct OpenReply {
    lease: Span,
    worker: Option<String>,
    reply: oneshot::Sender<LeaseReply>,
}

/// Those who wait. The roster knows what they wait for.
#[derive(Default)]
pub(super) struct LeaseReplies {
    waiting: HashMap<WaitingWorkerId, OpenReply>,
    /// Those who want to know at once.
    no_wait: HashSet<WaitingWorkerId>,
    /// What the transaction at hand has granted them.
    granted: HashMap<WaitingWorkerId, Vec<LeasedJob>>,
}

impl LeaseReplies {
    /// Adds one, and gives out what the roster has to know.
    pub(super) fn add(&mut self, join: AddWaitingWorker) -> WaitingWorker {
        let AddWaitingWorker { waiting_worker, no_wait, lease, worker, reply } = join;
        if no_wait {
            self.no_wait.insert(waiting_worker.id);
        }
        self.waiting.insert(waiting_worker.id, OpenReply { lease, worker, reply });
        waiting_worker
    }

    pub(super) fn remove(&mut self, id: WaitingWorkerId) {
        self.waiting.remove(&id);
        self.no_wait.remove(&id);
    }

    /// What to ask of the store for an order; none where its open_reply is not there.
    pub(super) fn request(&self, order: &LeaseOrder) -> Option<LeaseRequest> {
        let open_reply = self.waiting.get(&order.waiting_worker?)?;
        let worker = open_reply.worker.clone();
        Some(LeaseRequest { order: order.clone(), lease: open_reply.lease, worker })
    }

    /// Keeps what was leased for one until all of the transaction is known.
    pub(super) fn grant(&mut self, id: WaitingWorkerId, jobs: Vec<LeasedJob>) {
        if !jobs.is_empty() {
            self.granted.entry(id).or_default().extend(jobs);
        }
    }

    /// Hands over what was granted. Gives back who was served, and the leases of those who went away
    /// in the meantime.
    pub(super) fn deliver_granted(&mut self) -> (Vec<WaitingWorkerId>, Option<Write>) {
        let mut served = Vec::new();
        let mut orphans = Vec::new();
        for (id, jobs) in std::mem::take(&mut self.granted) {
            served.push(id);
            let Some(open_reply) = self.take(id) else {
                orphans.extend(jobs);
                continue;
            };
            if let Err(Ok(jobs)) = open_reply.reply.send(Ok(jobs)) {
                orphans.extend(jobs);
            }
        }
        let orphans = (!orphans.is_empty()).then(|| release(orphans.iter().map(|job| job.lease)));
        (served, orphans)
    }

    /// Tells those who want to know at once that there is nothing. Gives back whom.
    pub(super) fn answer_no_wait(
        &mut self,
        mut is_nothing: impl FnMut(WaitingWorkerId) -> bool,
    ) -> Vec<WaitingWorkerId> {
        let gone: Vec<WaitingWorkerId> =
            self.no_wait.iter().copied().filter(|id| is_nothing(*id)).collect();
        for open_reply in gone.iter().filter_map(|id| self.take(*id)) {
            // Who has gone away need not know.
            let _ = open_reply.reply.send(Ok(Vec::new()));
        }
        gone
    }

    /// Tells all the same. Gives back whom.
    pub(super) fn answer_all(&mut self, told: &LeaseReply) -> Vec<WaitingWorkerId> {
        self.no_wait.clear();
        let all = std::mem::take(&mut self.waiting).into_iter();
        let tell = |(id, open_reply): (WaitingWorkerId, OpenReply)| {
            let _ = open_reply.reply.send(told.clone());
            id
        };
        all.map(tell).collect()
    }

    fn take(&mut self, id: WaitingWorkerId) -> Option<OpenReply> {
        self.no_wait.remove(&id);
        self.waiting.remove(&id)
    }
}

/// Gives leases back: nobody has begun to work under them.
pub(crate) fn release(leases: impl Iterator<Item = Lease>) -> Write {
    let (outcome, holder) = (Outcome::NotBegun, Holder::Remote);
    let release = |lease| Finish {
        lease,
        outcome: outcome.clone(),
        holder,
        location: None,
        started_at: None,
    };
    Write::Each(leases.map(release).map(Write::Finish).collect())
}
