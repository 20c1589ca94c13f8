//! Hands leased jobs to idle workers, and knows who runs what.

use std::collections::HashMap;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, WrapFuture};
use tokio::sync::oneshot;

use crate::actor::inbox::WriterHandle;
use crate::actor::message::{
    Commit, Dispatch, MaintainLeases, NotifyWhenIdle, Reply, Run, Stop, StopAll,
};
use crate::actor::vital::Vital;
use crate::actor::worker::Worker;
use crate::actor::{MAILBOX_CAPACITY, send};
use crate::clock::Clock;
use crate::executor::StopReason;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::{Lane, Span, Timestamp};
use crate::store::{Answer, Holder, MOVE_AT_ONCE, Renew, RescueScope, Write};

/// Who wanted to renew a lease while the server was down, or stood still, has so long to do it after.
const GRACE: Duration = Duration::from_secs(2);
/// The same after nothing could be written; lease_replies were told to try again in five seconds.
const GRACE_AFTER_REFUSALS: Duration = Duration::from_secs(7);
/// A look comes once a second. After a longer pause than this the server stood still.
const STOOD_STILL: Duration = Duration::from_secs(3);

struct Running {
    lane: Lane,
    worker: Addr<Worker>,
}

/// The Dispatcher. The roster orders only as many leases as workers are idle, so each finds one.
pub(crate) struct Dispatcher {
    writer: WriterHandle,
    idle: [Vec<Addr<Worker>>; Lane::COUNT],
    /// By lease and not by job: an attempt that lost its lease still holds its worker while the next
    /// one runs.
    running: HashMap<Lease, Running>,
    lease: Span,
    clock: Clock,
    renewed_at: Timestamp,
    looked_at: Timestamp,
    /// No lease is taken back before: its holder could not reach the server, or not be told that it
    /// holds on.
    rescue_from: Timestamp,
    /// Whether a rescue was put off because the server stood still.
    is_put_off: bool,
    notify_when_idle: Vec<oneshot::Sender<()>>,
    vital: Vital,
}

impl Dispatcher {
    pub(crate) fn new(
        writer: WriterHandle,
        workers: [Vec<Addr<Worker>>; Lane::COUNT],
        lease: Span,
        clock: Clock,
        vital: Vital,
    ) -> Self {
        Self {
            writer,
            idle: workers,
            running: HashMap::new(),
            lease,
            renewed_at: clock.now(),
            looked_at: clock.now(),
            rescue_from: clock.now().plus(GRACE),
            is_put_off: false,
            clock,
            notify_when_idle: Vec::new(),
            vital,
        }
    }

    fn ended(&mut self, lease: Lease) {
        if let Some(running) = self.running.remove(&lease) {
            self.idle[running.lane.index()].push(running.worker);
        }
    }

    fn start(&mut self, job: LeasedJob) {
        let Some(worker) = self.idle[job.lane.index()].pop() else {
            return self.vital.raise("a job was leased for which no worker is idle");
        };
        let running = Running { lane: job.lane, worker: worker.clone() };
        self.running.insert(job.lease, running);
        if !send(&worker, Run(job)) {
            self.vital.raise("a worker died");
        }
    }

    fn stop(&self, lease: Lease, running: &Running, reason: StopReason) {
        if !send(&running.worker, Stop { lease, reason }) {
            self.vital.raise("a worker died");
        }
    }

    fn dispatch(&mut self, dispatch: Dispatch) {
        for lease in dispatch.ended {
            self.ended(lease);
        }
        for job in dispatch.leased {
            self.start(job);
        }
        for job in dispatch.cancelled {
            for (lease, running) in self.running.iter().filter(|(lease, _)| lease.job == job) {
                self.stop(*lease, running, StopReason::Cancelled);
            }
        }
        if self.running.is_empty() {
            for reply in self.notify_when_idle.drain(..) {
                let _ = reply.send(());
            }
        }
    }

    /// Extends the leases of all that runs when a third of them is over, and has those that have run
    /// out by now taken back. In this order, and by the time of this look: so a pause of the whole
    /// process, or a disk that is full for long, loses no running job.
    fn maintain_leases(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        if now.since(self.renewed_at) >= self.lease.duration() / 3 {
            self.renewed_at = now;
            let leases = self.running.keys().copied().collect();
            let renew =
                Renew { leases, lease: Some(self.lease), holder: Holder::Local, progress: None };
            self.commit(Write::Renew(renew), Reply::Nobody);
        }
        // Once only: on a machine so busy that every look comes late, leases have to run out as well.
        if now.since(self.looked_at) > STOOD_STILL && !self.is_put_off {
            self.is_put_off = true;
            self.rescue_from = self.rescue_from.max(now.plus(GRACE));
        }
        self.looked_at = now;
        if now >= self.rescue_from {
            self.is_put_off = false;
            self.rescue(now, ctx);
        }
    }

    /// Has the leases taken back that had run out `by` then, portion by portion.
    fn rescue(&self, by: Timestamp, ctx: &mut Context<Self>) {
        let scope = RescueScope::Expired { by };
        let (reply, answer) = oneshot::channel();
        let reply = Reply::Caller { reply, permits: Vec::new() };
        self.commit(Write::Rescue { scope, limit: MOVE_AT_ONCE }, reply);
        ctx.spawn(answer.into_actor(self).map(move |answer, dispatcher, ctx| match answer {
            Ok(Ok(Answer::Moved(moved))) if moved.count >= MOVE_AT_ONCE as usize => {
                dispatcher.rescue(by, ctx);
            }
            Ok(Err(_)) => {
                dispatcher.rescue_from = dispatcher.clock.now().plus(GRACE_AFTER_REFUSALS);
            }
            _ => {}
        }));
    }

    fn commit(&self, write: Write, reply: Reply) {
        if !self.writer.commit(Commit { write, reply }) {
            self.vital.raise("the writer is gone");
        }
    }
}

impl Actor for Dispatcher {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
    }
}

impl Handler<Dispatch> for Dispatcher {
    type Result = ();

    fn handle(&mut self, dispatch: Dispatch, _: &mut Self::Context) {
        self.dispatch(dispatch);
    }
}

impl Handler<MaintainLeases> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: MaintainLeases, ctx: &mut Self::Context) {
        self.maintain_leases(ctx);
    }
}

impl Handler<NotifyWhenIdle> for Dispatcher {
    type Result = ();

    fn handle(&mut self, NotifyWhenIdle(reply): NotifyWhenIdle, _: &mut Self::Context) {
        self.notify_when_idle.push(reply);
        self.dispatch(Dispatch::default());
    }
}

impl Handler<StopAll> for Dispatcher {
    type Result = ();

    fn handle(&mut self, _: StopAll, _: &mut Self::Context) {
        for (lease, running) in &self.running {
            self.stop(*lease, running, StopReason::Shutdown);
        }
    }
}
