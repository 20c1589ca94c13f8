//! The replies that the Writer owes to waiting workers (remote workers that wait for jobs).
//!
//! The roster knows what each waiting worker asks for; this module knows how to answer it.
//! It promises that jobs which were leased for a worker that has gone away are released at once, and do
//! not have to wait until their lease expires.

use std::collections::{HashMap, HashSet};

use tokio::sync::oneshot;

use crate::actor::message::{AddWaitingWorker, LeaseReply};
use crate::auth::key_id::KeyId;
use crate::job::Span;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::outcome::Outcome;
use crate::roster::{LeaseOrder, WaitingWorker, WaitingWorkerId};
use crate::store::{Finish, Holder, Write};

/// What a waiting worker asked for.
pub(super) struct LeaseTerms {
    pub(super) duration: Span,
    pub(super) worker: Option<String>,
    pub(super) key: Option<KeyId>,
}

/// A reply that is owed to one waiting worker.
struct OpenReply {
    /// Duration of the leases that the worker asked for.
    lease_duration: Span,
    worker: Option<String>,
    key: Option<KeyId>,
    reply: oneshot::Sender<LeaseReply>,
}

/// The open replies, by waiting worker.
#[derive(Default)]
pub(super) struct LeaseReplies {
    open: HashMap<WaitingWorkerId, OpenReply>,
    /// Workers that want an answer at once, even if there are no jobs.
    no_wait: HashSet<WaitingWorkerId>,
    /// Jobs that the current transaction has leased for each worker.
    granted: HashMap<WaitingWorkerId, Vec<LeasedJob>>,
}

impl LeaseReplies {
    /// Adds a waiting worker, and returns what the roster must know about it.
    pub(super) fn add(&mut self, request: AddWaitingWorker) -> WaitingWorker {
        let AddWaitingWorker { waiting_worker, no_wait, lease_duration, worker, key, reply } =
            request;
        if no_wait {
            self.no_wait.insert(waiting_worker.id);
        }
        self.open.insert(waiting_worker.id, OpenReply { lease_duration, worker, key, reply });
        waiting_worker
    }

    /// Removes a worker that no longer waits. It gets no reply.
    pub(super) fn remove(&mut self, id: WaitingWorkerId) {
        self.open.remove(&id);
        self.no_wait.remove(&id);
    }

    /// Returns the duration of the leases of an order, and the name and the API key of the worker that they are
    /// for; `None` if the order is not for a waiting worker or the worker no longer waits.
    pub(super) fn terms(&self, order: &LeaseOrder) -> Option<LeaseTerms> {
        let open_reply = self.open.get(&order.waiting_worker?)?;
        let (duration, worker) = (open_reply.lease_duration, open_reply.worker.clone());
        Some(LeaseTerms { duration, worker, key: open_reply.key })
    }

    /// Collects the jobs leased for a worker until all answers of the transaction are read.
    pub(super) fn grant(&mut self, id: WaitingWorkerId, jobs: Vec<LeasedJob>) {
        if !jobs.is_empty() {
            self.granted.entry(id).or_default().extend(jobs);
        }
    }

    /// Sends the granted jobs to their workers.
    ///
    /// Returns the workers that were served, and a write that releases the jobs of those that
    /// had gone away.
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

    /// Sends an empty answer to the `no_wait` workers for which `has_no_jobs` returns true, and
    /// returns their ids.
    pub(super) fn answer_no_wait(
        &mut self,
        mut has_no_jobs: impl FnMut(WaitingWorkerId) -> bool,
    ) -> Vec<WaitingWorkerId> {
        let answered: Vec<WaitingWorkerId> =
            self.no_wait.iter().copied().filter(|id| has_no_jobs(*id)).collect();
        for open_reply in answered.iter().filter_map(|id| self.take(*id)) {
            // A closed channel means that the worker has gone away.
            let _ = open_reply.reply.send(Ok(Vec::new()));
        }
        answered
    }

    /// Sends the same answer to all waiting workers, and returns their ids.
    pub(super) fn answer_all(&mut self, answer: &LeaseReply) -> Vec<WaitingWorkerId> {
        self.no_wait.clear();
        let all = std::mem::take(&mut self.open).into_iter();
        let send = |(id, open_reply): (WaitingWorkerId, OpenReply)| {
            let _ = open_reply.reply.send(answer.clone());
            id
        };
        all.map(send).collect()
    }

    fn take(&mut self, id: WaitingWorkerId) -> Option<OpenReply> {
        self.no_wait.remove(&id);
        self.open.remove(&id)
    }
}

/// Returns a write that releases leases under which no work has started, so that the attempts
/// do not count.
pub(crate) fn release(leases: impl Iterator<Item = Lease>) -> Write {
    let (outcome, holder) = (Outcome::NotStarted, Holder::Remote(None));
    let release = |lease| Finish {
        lease,
        outcome: outcome.clone(),
        holder,
        location: None,
        started_at: None,
    };
    Write::Each(leases.map(release).map(Write::Finish).collect())
}
