//! The Dispatcher: passes leased jobs to idle workers, renews their leases and stops attempts.
//!
//! It owns the lists of idle workers and the map from each lease to the worker that runs it. It
//! promises that every job it receives starts on an idle worker, that the leases of running jobs are
//! renewed well before they expire, and that no job is rescued before the holder of its lease had time
//! to renew it after a restart or a stall of the server.
//!
//! Example of a stall, with leases of 30 s: SIGSTOP stops the process for a minute, so every lease
//! has expired when the process continues. The next check finds that the last one was more than
//! [`STALL_THRESHOLD`] ago. It renews the leases of its own workers at once, and waits
//! [`RENEWAL_GRACE`] before it rescues any job, so that remote workers can renew theirs.

use std::collections::HashMap;
use std::time::Duration;

use actix::{Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, WrapFuture};
use tokio::sync::oneshot;

use crate::actor::message::{
    Commit, Dispatch, MaintainLeases, NotifyWhenIdle, Reply, Run, Stop, StopAll,
};
use crate::actor::vital::Vital;
use crate::actor::writer::inbox::WriterHandle;
use crate::actor::{MAILBOX_CAPACITY, send_to};
use crate::clock::Clock;
use crate::executor::StopReason;
use crate::job::lease::{Lease, LeasedJob};
use crate::job::{Lane, Span, Timestamp};
use crate::store::{Answer, Holder, MOVE_AT_ONCE, Renew, RescueScope, Write};

/// Grace period after a restart or a stall, in which remote workers may still renew expired leases
/// before their jobs are rescued.
const RENEWAL_GRACE: Duration = Duration::from_secs(2);
/// Grace period after a rescue failed because nothing could be written. It is longer because the
/// HTTP API asks refused clients to try again after five seconds.
const RENEWAL_GRACE_AFTER_REFUSALS: Duration = Duration::from_secs(7);
/// Pause between two lease checks above which the server counts as having stalled. Checks are due
/// once a second.
const STALL_THRESHOLD: Duration = Duration::from_secs(3);

/// A local worker, as the Dispatcher sees it: something that starts and stops one attempt at a time.
pub(crate) struct WorkerRecipients {
    pub(crate) run: Recipient<Run>,
    pub(crate) stop: Recipient<Stop>,
}

/// A local worker that runs an attempt.
struct BusyWorker {
    lane: Lane,
    worker: WorkerRecipients,
}

/// The Dispatcher. The roster orders at most as many leases as there are idle workers, so every
/// leased job finds an idle worker.
pub(crate) struct Dispatcher {
    writer: WriterHandle,
    idle: [Vec<WorkerRecipients>; Lane::COUNT],
    /// Busy workers by the lease of their attempt, and not by job: an attempt that lost its lease still
    /// occupies its worker while the job's next attempt runs.
    running: HashMap<Lease, BusyWorker>,
    lease_duration: Span,
    clock: Clock,
    renewed_at: Timestamp,
    checked_at: Timestamp,
    /// Time before which no job is rescued, because the holder of its lease may have been unable to
    /// renew it.
    rescue_not_before: Timestamp,
    /// Whether the rescue is postponed because the server stalled.
    is_rescue_postponed: bool,
    notify_when_idle: Vec<oneshot::Sender<()>>,
    vital: Vital,
}

impl Dispatcher {
    pub(crate) fn new(
        writer: WriterHandle,
        workers: [Vec<WorkerRecipients>; Lane::COUNT],
        lease_duration: Span,
        clock: Clock,
        vital: Vital,
    ) -> Self {
        Self {
            writer,
            idle: workers,
            running: HashMap::new(),
            lease_duration,
            renewed_at: clock.now(),
            checked_at: clock.now(),
            rescue_not_before: clock.now().plus(RENEWAL_GRACE),
            is_rescue_postponed: false,
            clock,
            notify_when_idle: Vec::new(),
            vital,
        }
    }

    /// Marks the worker of an ended attempt as idle.
    fn mark_idle(&mut self, lease: Lease) {
        if let Some(busy) = self.running.remove(&lease) {
            self.idle[busy.lane.index()].push(busy.worker);
        }
    }

    fn start(&mut self, job: LeasedJob) {
        let Some(worker) = self.idle[job.lane.index()].pop() else {
            return self.vital.raise("a job was leased although no worker of its lane is idle");
        };
        let (lease, lane) = (job.lease, job.lane);
        if !send_to(&worker.run, Run(job)) {
            self.vital.raise("a worker died");
        }
        self.running.insert(lease, BusyWorker { lane, worker });
    }

    fn stop(&self, lease: Lease, busy: &BusyWorker, reason: StopReason) {
        if !send_to(&busy.worker.stop, Stop { lease, reason }) {
            self.vital.raise("a worker died");
        }
    }

    fn dispatch(&mut self, dispatch: Dispatch) {
        for lease in dispatch.ended {
            self.mark_idle(lease);
        }
        for job in dispatch.leased {
            self.start(job);
        }
        for job in dispatch.cancelled {
            for (lease, busy) in self.running.iter().filter(|(lease, _)| lease.job == job) {
                self.stop(*lease, busy, StopReason::Cancelled);
            }
        }
        if self.running.is_empty() {
            for reply in self.notify_when_idle.drain(..) {
                let _ = reply.send(());
            }
        }
    }

    /// Renews the leases of all running jobs once a third of the lease time has passed, then rescues
    /// the jobs whose lease has expired.
    ///
    /// The order matters, and so does rescuing by the time of this check instead of the time of the
    /// transaction: a pause of the whole process, or a disk that is full for a long time, must not cost a
    /// running job its lease.
    fn maintain_leases(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        if now.since(self.renewed_at) >= self.lease_duration.duration() / 3 {
            self.renewed_at = now;
            let leases = self.running.keys().copied().collect();
            let renew = Renew {
                leases,
                duration: Some(self.lease_duration),
                holder: Holder::Local,
                progress: None,
                keeps_percent: false,
            };
            self.commit(Write::Renew(renew), Reply::Discard);
        }
        // The rescue is postponed only once: on a machine so busy that every check is late, jobs must still be
        // rescued.
        if now.since(self.checked_at) > STALL_THRESHOLD && !self.is_rescue_postponed {
            self.is_rescue_postponed = true;
            self.rescue_not_before = self.rescue_not_before.max(now.plus(RENEWAL_GRACE));
        }
        self.checked_at = now;
        if now >= self.rescue_not_before {
            self.is_rescue_postponed = false;
            self.rescue(now, ctx);
        }
    }

    /// Rescues the jobs whose lease had expired at `by`, in chunks of [`MOVE_AT_ONCE`].
    fn rescue(&self, by: Timestamp, ctx: &mut Context<Self>) {
        let scope = RescueScope::Expired { by };
        let (reply, answer) = Reply::caller(Vec::new());
        self.commit(Write::Rescue { scope, limit: MOVE_AT_ONCE }, reply);
        ctx.spawn(answer.into_actor(self).map(move |answer, dispatcher, ctx| match answer {
            Ok(Ok(Answer::Moved(moved))) if moved.count >= MOVE_AT_ONCE as usize => {
                dispatcher.rescue(by, ctx);
            }
            Ok(Err(_)) => {
                dispatcher.rescue_not_before =
                    dispatcher.clock.now().plus(RENEWAL_GRACE_AFTER_REFUSALS);
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
        for (lease, busy) in &self.running {
            self.stop(*lease, busy, StopReason::Shutdown);
        }
    }
}

#[cfg(test)]
mod tests {
    use actix::Addr;

    use super::*;
    use crate::actor::message::WriteError;
    use crate::actor::test_kit::{FakeWriter, Received, answer, at, leased_job, probe, soon};
    use crate::actor::vital::Fatal;
    use crate::job::JobId;
    use crate::store::MoveSummary;

    const LEASE_DURATION: Span = Span::from_secs(30);

    /// A Dispatcher with two workers in the lane `async`, and everything that it sends messages to.
    struct Fixture {
        dispatcher: Addr<Dispatcher>,
        writer: FakeWriter,
        clock: Clock,
        runs: Received<Run>,
        stops: Received<Stop>,
    }

    fn start() -> Fixture {
        let (writer, handle) = FakeWriter::start();
        let ((run, runs), (stop, stops)) = (probe(), probe());
        let worker = || WorkerRecipients { run: run.clone(), stop: stop.clone() };
        let workers = [vec![worker(), worker()], vec![], vec![], vec![]];
        let (clock, fatal) = (Clock::manual(at(0)), Fatal::new());
        fatal.expect_stop();
        let vital = Vital::new("dispatcher", &fatal);
        let dispatcher =
            Dispatcher::new(handle, workers, LEASE_DURATION, clock.clone(), vital).start();
        Fixture { dispatcher, writer, clock, runs, stops }
    }

    impl Fixture {
        /// Sends a lease check, `secs` seconds after the last one.
        async fn check_after(&mut self, secs: u64) {
            self.clock.advance(Duration::from_secs(secs));
            self.dispatcher.send(MaintainLeases).await.unwrap();
        }

        async fn lease(&mut self, id: i64) -> LeasedJob {
            let job = leased_job(id, "echo");
            let dispatch = Dispatch { leased: vec![job.clone()], ..Dispatch::default() };
            self.dispatcher.send(dispatch).await.unwrap();
            job
        }
    }

    fn rescue_time(commit: &Commit) -> Timestamp {
        match commit.write {
            Write::Rescue { scope: RescueScope::Expired { by }, .. } => by,
            ref write => panic!("{write:?}"),
        }
    }

    #[actix_web::test]
    async fn a_worker_runs_one_job_after_another_and_stops_only_its_own() {
        let mut fixture = start();
        let (first, second) = (fixture.lease(1).await, fixture.lease(2).await);
        assert_eq!(fixture.runs.next().await.0, first);
        assert_eq!(fixture.runs.next().await.0, second);
        let cancelled = vec![JobId(3), JobId(1)];
        fixture.dispatcher.send(Dispatch { cancelled, ..Dispatch::default() }).await.unwrap();
        let stop = fixture.stops.next().await;
        assert_eq!((stop.lease, stop.reason), (first.lease, StopReason::Cancelled));
        // Both workers are busy until the first job has ended.
        let third = leased_job(3, "echo");
        let dispatch =
            Dispatch { ended: vec![first.lease], leased: vec![third.clone()], cancelled: vec![] };
        fixture.dispatcher.send(dispatch).await.unwrap();
        assert_eq!(fixture.runs.next().await.0, third);
        assert!(fixture.stops.try_next().is_none(), "another job was stopped");
    }

    #[actix_web::test]
    async fn the_server_is_notified_when_the_last_job_has_ended() {
        let mut fixture = start();
        let job = fixture.lease(1).await;
        let (reply, mut idle) = oneshot::channel();
        fixture.dispatcher.send(NotifyWhenIdle(reply)).await.unwrap();
        assert!(idle.try_recv().is_err());
        let dispatch = Dispatch { ended: vec![job.lease], ..Dispatch::default() };
        fixture.dispatcher.send(dispatch).await.unwrap();
        soon(idle).await.unwrap();
    }

    #[actix_web::test]
    async fn after_a_stall_leases_are_renewed_at_once_and_jobs_are_rescued_only_after_a_pause() {
        let mut fixture = start();
        let job = fixture.lease(1).await;
        fixture.check_after(60).await;
        let Write::Renew(renew) = fixture.writer.next().await.write else { panic!("no renewal") };
        assert_eq!((renew.leases, renew.duration), (vec![job.lease], Some(LEASE_DURATION)));
        fixture.check_after(1).await;
        assert_eq!(fixture.writer.pending(), 0, "a job was rescued within the grace period");
        fixture.check_after(1).await;
        assert_eq!(rescue_time(&fixture.writer.next().await), at(62));
    }

    #[actix_web::test]
    async fn leases_are_renewed_after_a_third_of_their_duration_and_before_the_rescue() {
        let mut fixture = start();
        let job = fixture.lease(1).await;
        for _ in 0..9 {
            fixture.check_after(1).await;
        }
        while let Some(commit) = fixture.writer.try_next() {
            rescue_time(&commit);
        }
        fixture.check_after(1).await;
        let Write::Renew(renew) = fixture.writer.next().await.write else { panic!("no renewal") };
        assert_eq!(renew.leases, [job.lease]);
        assert_eq!(rescue_time(&fixture.writer.next().await), at(10));
    }

    #[actix_web::test]
    async fn a_full_chunk_of_rescued_jobs_is_followed_by_the_next_and_a_refusal_by_a_pause() {
        let mut fixture = start();
        fixture.check_after(2).await;
        let first = fixture.writer.next().await;
        let moved = MoveSummary { count: MOVE_AT_ONCE as usize, next_at: None };
        answer(first, Ok(Answer::Moved(moved)));
        let second = fixture.writer.next().await;
        assert_eq!(rescue_time(&second), at(2));
        answer(second, Err(WriteError::Full));
        // The refusal has been handled when the Dispatcher has handled this message.
        fixture.dispatcher.send(Dispatch::default()).await.unwrap();
        for _ in 0..6 {
            fixture.check_after(1).await;
        }
        assert_eq!(
            fixture.writer.pending(),
            0,
            "no client can renew a lease while nothing is written"
        );
        fixture.check_after(1).await;
        assert_eq!(rescue_time(&fixture.writer.next().await), at(9));
    }
}
