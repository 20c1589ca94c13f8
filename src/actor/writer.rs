//! The Writer: the only actor that writes. It commits in groups, each with its planned leases.
//!
//! It owns the write connection, the roster, the inbox, the replies owed to waiting workers, and the
//! retry buffer. It promises:
//!
//! - A caller is answered only after the transaction with its write is on disk.
//! - A refused write does not affect the other writes of its group.
//! - If nothing could be written, callers get an error; outcomes, renewals and logs are retried.
//! - If it is unknown whether a transaction was written, callers get `Unknown` and the server ends.
//!
//! A commit group: while one transaction runs, more writes collect in the inbox. The next
//! transaction takes all of them, so the cost of a disk sync is shared. Example: at 4 ms per commit
//! and 10,000 submissions per second, each group has about 40 submissions.

pub(crate) mod inbox;
mod late_leases;
pub(crate) mod lease_replies;
mod reply;
mod retry_buffer;

use std::mem;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};

use crate::actor::events::publisher::{CommitEffects, Publisher};
use crate::actor::message::{
    AddWaitingWorker, Commit, Dispatch, Drain, DueAt, Flush, RemoveWaitingWorker, Reply,
    StartLeasing, WriteError,
};
use crate::actor::vital::Vital;
use crate::actor::writer::inbox::Inbox;
use crate::actor::writer::lease_replies::LeaseReplies;
use crate::actor::{MAILBOX_CAPACITY, send, send_to};
use crate::clock::Clock;
use crate::job::{Lane, Span, State, Timestamp};
use crate::roster::{LeaseOrder, Roster, WaitingWorkerId};
use crate::store::{
    Answer, Change, Committed, LeaseRequest, Leased, StoreError, Write, WriteStore,
};

/// Pause before the Writer retries the writes that must not be lost, while nothing can be written.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The Writer. See the module documentation.
pub(crate) struct Writer {
    inbox: Inbox,
    store: Box<dyn WriteStore>,
    roster: Roster,
    clock: Clock,
    /// Duration of the leases of local workers.
    lease_duration: Span,
    /// The retry buffer, with the Writer's own renewals and releases for the next transaction.
    pending: Vec<Commit>,
    lease_replies: LeaseReplies,
    /// Whether a `Flush` message to itself is in the mailbox.
    is_flush_due: bool,
    /// Whether the result of a transaction is unknown. If so, the Writer writes nothing more.
    has_failed: bool,
    /// The other actors, once leasing has started.
    peers: Option<StartLeasing>,
    publisher: Publisher,
    /// The timer that plans again when a rate limit allows another start, with its time.
    rate_timer: Option<(Timestamp, SpawnHandle)>,
    /// The timer of the next attempt to write, while nothing can be written.
    retry_timer: Option<SpawnHandle>,
    vital: Vital,
}

impl Writer {
    pub(crate) fn new(
        inbox: Inbox,
        store: Box<dyn WriteStore>,
        roster: Roster,
        clock: Clock,
        lease_duration: Span,
        publisher: Publisher,
        vital: Vital,
    ) -> Self {
        Self {
            inbox,
            store,
            roster,
            clock,
            lease_duration,
            pending: Vec::new(),
            lease_replies: LeaseReplies::default(),
            is_flush_due: false,
            has_failed: false,
            peers: None,
            publisher,
            rate_timer: None,
            retry_timer: None,
            vital,
        }
    }

    /// Schedules a flush after the messages that are in the mailbox now.
    fn flush_soon(&mut self, ctx: &mut Context<Self>) {
        if !mem::replace(&mut self.is_flush_due, true) && !send(&ctx.address(), Flush) {
            self.vital.raise("the writer's mailbox is closed");
        }
    }

    /// Commits all pending writes and the planned leases in one transaction.
    fn flush(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let (mut writes, replies) = self.take_pending();
        self.update_roster_before(&writes, &replies);
        let orders = if self.peers.is_some() { self.roster.plan(now) } else { Vec::new() };
        if writes.is_empty() && orders.is_empty() {
            self.answer_no_wait(now);
            return self.set_rate_timer(now, ctx);
        }
        writes.extend(orders.iter().map(|order| Write::Lease(self.request(order))));
        match self.store.commit(&writes, now) {
            Ok(committed) => {
                let times = (now, self.clock.now());
                self.pending.extend(late_leases::renewals(&writes, &committed.answers, times));
                self.deliver(committed, replies, &orders, now);
                self.answer_no_wait(now);
                if !self.pending.is_empty() || !self.roster.plan(now).is_empty() {
                    self.flush_soon(ctx);
                }
                self.set_rate_timer(now, ctx);
            }
            Err(error) => match WriteError::if_nothing_was_written(&error) {
                Some(answer) => self.retry_later(writes, replies, (&error, answer), ctx),
                None => self.fail(replies, &error),
            },
        }
    }

    /// Returns the store's request for a lease order, for a waiting worker or for local workers.
    fn request(&self, order: &LeaseOrder) -> LeaseRequest {
        let local =
            || LeaseRequest { order: order.clone(), duration: self.lease_duration, worker: None };
        self.lease_replies.request(order).unwrap_or_else(local)
    }

    /// Takes all pending writes, plain submissions first.
    ///
    /// The store inserts consecutive plain submissions together, and they depend on no earlier write.
    /// A submission with an idempotency key does: deleting a job frees its key.
    fn take_pending(&mut self) -> (Vec<Write>, Vec<Reply>) {
        let mut pending = mem::take(&mut self.pending);
        pending.append(&mut self.inbox.take());
        let is_plain = |commit: &Commit| commit.write.plain_submit().is_some();
        let (submits, others): (Vec<_>, Vec<_>) = pending.into_iter().partition(is_plain);
        let all = submits.into_iter().chain(others);
        all.map(|commit| (commit.write, commit.reply)).unzip()
    }

    /// Updates the roster with the idle workers and new jobs of the group before it is committed, so
    /// that the group can end with their leases.
    fn update_roster_before(&mut self, writes: &[Write], replies: &[Reply]) {
        for reply in replies {
            if let Reply::Worker { queue, lane, .. } = reply {
                self.roster.release_worker(queue, *lane);
            }
        }
        for write in writes {
            let Write::Submit(submit) = write else { continue };
            let ready = submit.jobs.iter().filter(|job| !job.is_scheduled);
            self.roster.mark_all_ready(ready.map(|job| {
                let kind = (job.lane == Lane::Remote).then_some(job.kind.as_str());
                (&job.queue, job.lane, kind)
            }));
        }
    }

    /// Delivers the results of a group, which is on disk.
    fn deliver(
        &mut self,
        committed: Committed,
        replies: Vec<Reply>,
        orders: &[LeaseOrder],
        now: Timestamp,
    ) {
        let Committed { answers, changes, reported, ended_batches, configured } = committed;
        for (queue, settings) in configured {
            self.roster.configure(&queue, settings);
        }
        self.note_changes(&changes);
        self.publisher.record(&changes, now);
        let mut dispatch = Dispatch::default();
        let mut answers = answers.into_iter();
        for (reply, answer) in replies.into_iter().zip(&mut answers) {
            if let Ok(answer) = &answer {
                answer.note_cancelled(&mut dispatch.cancelled);
            }
            reply.answer(answer.map_err(WriteError::from), &mut dispatch);
        }
        for (order, answer) in orders.iter().zip(answers) {
            let Leased { mut jobs, is_empty } = match answer {
                Ok(Answer::Leased(leased)) => leased,
                // Refused: the roster orders no more from this queue until it is ready again.
                _ => Leased { jobs: Vec::new(), is_empty: true },
            };
            let started = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
            self.roster.record_lease(order, started, is_empty, now);
            match order.waiting_worker {
                Some(waiting_worker) => self.lease_replies.grant(waiting_worker, jobs),
                None => dispatch.leased.append(&mut jobs),
            }
        }
        self.deliver_granted();
        self.notify_peers(dispatch, CommitEffects { changes: &changes, reported, ended_batches });
    }

    /// Sends the leased jobs to their waiting workers; releases the jobs of workers that have left.
    fn deliver_granted(&mut self) {
        let (served, orphans) = self.lease_replies.deliver_granted();
        self.remove_waiting_workers(&served);
        let releases = orphans.map(|write| Commit { write, reply: Reply::Discard });
        self.pending.extend(releases);
    }

    /// Sends an empty answer to the `no_wait` workers for which no job is available.
    fn answer_no_wait(&mut self, now: Timestamp) {
        let roster = &self.roster;
        let answered = self
            .lease_replies
            .answer_no_wait(|waiting_worker| !roster.may_serve(waiting_worker, now));
        self.remove_waiting_workers(&answered);
    }

    fn remove_waiting_workers(&mut self, ids: &[WaitingWorkerId]) {
        for waiting_worker in ids {
            self.roster.remove_waiting_worker(*waiting_worker);
        }
    }

    fn note_changes(&mut self, changes: &[Change]) {
        for change in changes.iter().filter(|change| change.lane == Lane::Remote) {
            let delta = |state: Option<State>| i32::from(state == Some(State::Running));
            self.roster.change_remote_running(&change.queue, delta(change.to) - delta(change.from));
        }
        // New jobs for remote workers have no `remote_kind`; they were added before the commit.
        let queued = changes.iter().filter(|change| {
            let has_kind = change.lane != Lane::Remote || change.remote_kind.is_some();
            change.to == Some(State::Queued) && has_kind
        });
        self.roster.mark_all_ready(
            queued.map(|change| (&change.queue, change.lane, change.remote_kind.as_deref())),
        );
    }

    /// Sends the effects of the group to the Dispatcher, the Keeper and the Announcer.
    fn notify_peers(&mut self, dispatch: Dispatch, effects: CommitEffects<'_>) {
        let Some(peers) = &self.peers else { return };
        let is_needed = !dispatch.ended.is_empty()
            || !dispatch.leased.is_empty()
            || !dispatch.cancelled.is_empty();
        let mut is_sent = !is_needed || send_to(&peers.dispatch, dispatch);
        if let Some(due_at) = effects.changes.iter().filter_map(|change| change.due_at).min() {
            is_sent &= send_to(&peers.due_at, DueAt(due_at));
        }
        is_sent &= self.publisher.announce(effects, &peers.announce);
        if !is_sent {
            self.vital.raise("a core actor is gone");
        }
    }

    /// Handles a transaction of which nothing was written: callers and waiting workers get the error,
    /// and writes that must not be lost are retried.
    ///
    /// These are outcomes, log lines, releases of jobs that remote workers never received, and
    /// renewals, without which the leases of running jobs would expire. If the group had submissions,
    /// all its other writes are retried at once, because submissions need most of the disk space and
    /// the others may fit without them.
    fn retry_later(
        &mut self,
        writes: Vec<Write>,
        replies: Vec<Reply>,
        (error, answer): (&StoreError, WriteError),
        ctx: &mut Context<Self>,
    ) {
        if self.retry_timer.is_none() {
            tracing::error!(%error, "nothing can be written: submissions are refused until writing works again");
        }
        let answered = self.lease_replies.answer_all(&Err(answer.clone()));
        self.remove_waiting_workers(&answered);
        let has_submissions = writes.iter().any(|write| matches!(write, Write::Submit(_)));
        for (write, reply) in writes.into_iter().zip(replies) {
            let may_fit = has_submissions && !matches!(write, Write::Submit(_));
            match reply {
                Reply::Worker { ref queue, lane, .. } => {
                    self.roster.undo_release(queue, lane);
                    self.pending.push(Commit { write, reply });
                }
                _ if may_fit => retry_buffer::push(&mut self.pending, Commit { write, reply }),
                Reply::Discard if retry_buffer::must_not_be_lost(&write) => {
                    retry_buffer::push(&mut self.pending, Commit { write, reply });
                }
                Reply::Caller { reply, .. } => drop(reply.send(Err(answer.clone()))),
                Reply::Discard => {}
            }
        }
        if has_submissions && !self.pending.is_empty() {
            self.flush_soon(ctx);
        } else if self.retry_timer.is_none() && !self.pending.is_empty() {
            self.retry_timer = Some(ctx.run_later(RETRY_PAUSE, |writer, ctx| {
                writer.retry_timer = None;
                writer.flush_soon(ctx);
            }));
        }
    }

    /// Handles a transaction whose result is unknown: answers all callers with `Unknown`, and ends the
    /// server.
    fn fail(&mut self, replies: Vec<Reply>, error: &StoreError) {
        self.has_failed = true;
        replies.into_iter().for_each(Reply::answer_unknown);
        self.lease_replies.answer_all(&Err(WriteError::Unknown));
        self.vital.raise(&error.to_string());
    }

    /// Sets a timer for the time at which a rate limit allows the next start, because no message arrives
    /// at that time.
    fn set_rate_timer(&mut self, now: Timestamp, ctx: &mut Context<Self>) {
        let Some(wake_at) = self.roster.wake_at(now) else { return };
        if let Some((set, handle)) = self.rate_timer {
            if set <= wake_at && set > now {
                return;
            }
            ctx.cancel_future(handle);
        }
        // One millisecond more, because the clock is truncated to whole milliseconds.
        let pause = wake_at.since(now) + Duration::from_millis(1);
        let handle = ctx.run_later(pause, |writer, ctx| {
            writer.rate_timer = None;
            writer.flush_soon(ctx);
        });
        self.rate_timer = Some((wake_at, handle));
    }
}

impl Actor for Writer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
    }
}

impl Handler<Flush> for Writer {
    type Result = ();

    fn handle(&mut self, _: Flush, ctx: &mut Self::Context) {
        self.is_flush_due = false;
        if self.has_failed {
            self.inbox.take().into_iter().for_each(|commit| commit.reply.answer_unknown());
        } else {
            self.flush(ctx);
        }
    }
}

impl Handler<StartLeasing> for Writer {
    type Result = ();

    fn handle(&mut self, peers: StartLeasing, ctx: &mut Self::Context) {
        self.peers = Some(peers);
        self.flush_soon(ctx);
    }
}

impl Handler<Drain> for Writer {
    type Result = ();

    fn handle(&mut self, Drain(reply): Drain, _: &mut Self::Context) {
        self.roster.drain();
        self.lease_replies.answer_all(&Ok(Vec::new()));
        // The channel is closed if the drain was abandoned.
        let _ = reply.send(());
    }
}

impl Handler<AddWaitingWorker> for Writer {
    type Result = ();

    fn handle(&mut self, request: AddWaitingWorker, ctx: &mut Self::Context) {
        let waiting_worker = self.lease_replies.add(request);
        self.roster.add_waiting_worker(waiting_worker);
        if self.has_failed {
            self.lease_replies.answer_all(&Err(WriteError::Unknown));
        } else if self.roster.is_draining() {
            self.lease_replies.answer_all(&Ok(Vec::new()));
        } else {
            self.flush_soon(ctx);
        }
    }
}

impl Handler<RemoveWaitingWorker> for Writer {
    type Result = ();

    fn handle(
        &mut self,
        RemoveWaitingWorker(waiting_worker): RemoveWaitingWorker,
        _: &mut Self::Context,
    ) {
        self.lease_replies.remove(waiting_worker);
        self.roster.remove_waiting_worker(waiting_worker);
    }
}
