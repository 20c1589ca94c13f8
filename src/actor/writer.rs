//! The only one that writes: commits in groups, and leases in the same transactions.

use std::mem;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};

use crate::actor::inbox::Inbox;
use crate::actor::late_leases;
use crate::actor::lease_replies::LeaseReplies;
use crate::actor::message::{
    AddWaitingWorker, Commit, Dispatch, Drain, DueAt, Flush, RemoveWaitingWorker, Reply,
    StartLeasing, WriteError,
};
use crate::actor::publisher::{CommitEffects, Publisher};
use crate::actor::retry_buffer::{exists_nowhere_else, keep};
use crate::actor::vital::Vital;
use crate::actor::{MAILBOX_CAPACITY, send};
use crate::clock::Clock;
use crate::job::roster::{LeaseOrder, Roster, WaitingWorkerId};
use crate::job::{Lane, Span, State, Timestamp};
use crate::store::{
    Answer, Change, Committed, LeaseRequest, Leased, StoreError, Write, WriteStore,
};

/// How long the Writer waits where nothing can be written before it tries again what must not be
/// lost.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The Writer. What arrives while one transaction runs goes into the next, all of it.
pub(crate) struct Writer {
    inbox: Inbox,
    store: Box<dyn WriteStore>,
    roster: Roster,
    clock: Clock,
    lease: Span,
    /// What was kept for the next transaction; what comes meanwhile collects in the inbox.
    pending: Vec<Commit>,
    lease_replies: LeaseReplies,
    is_flush_due: bool,
    /// The end: whether the last transaction was written is not known.
    has_failed: bool,
    peers: Option<StartLeasing>,
    publisher: Publisher,
    wake: Option<(Timestamp, SpawnHandle)>,
    /// The next try, while nothing can be written.
    retry: Option<SpawnHandle>,
    vital: Vital,
}

impl Writer {
    pub(crate) fn new(
        inbox: Inbox,
        store: Box<dyn WriteStore>,
        roster: Roster,
        clock: Clock,
        lease: Span,
        publisher: Publisher,
        vital: Vital,
    ) -> Self {
        Self {
            inbox,
            store,
            roster,
            clock,
            lease,
            pending: Vec::new(),
            lease_replies: LeaseReplies::default(),
            is_flush_due: false,
            has_failed: false,
            peers: None,
            publisher,
            wake: None,
            retry: None,
            vital,
        }
    }

    /// Sends the actor itself a message, which lands behind all that waits in the mailbox.
    fn flush_soon(&mut self, ctx: &mut Context<Self>) {
        if !mem::replace(&mut self.is_flush_due, true) && !send(&ctx.address(), Flush) {
            self.vital.raise("the writer's mailbox is closed");
        }
    }

    fn flush(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let (mut writes, replies) = self.take_pending();
        self.note_before(&writes, &replies);
        let orders = if self.peers.is_some() { self.roster.plan(now) } else { Vec::new() };
        if writes.is_empty() && orders.is_empty() {
            self.answer_no_wait(now);
            return self.wake_for_rates(now, ctx);
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
                self.wake_for_rates(now, ctx);
            }
            Err(error) => match WriteError::where_nothing_was_written(&error) {
                Some(told) => self.keep_for_later(writes, replies, (&error, told), ctx),
                None => self.give_up(replies, &error),
            },
        }
    }

    fn request(&self, order: &LeaseOrder) -> LeaseRequest {
        let own = || LeaseRequest { order: order.clone(), lease: self.lease, worker: None };
        self.lease_replies.request(order).unwrap_or_else(own)
    }

    /// All that waits, plain submissions first: the store inserts together what follows each other, and
    /// they depend on nothing that stands before them. One with a key does: a delete frees its key.
    fn take_pending(&mut self) -> (Vec<Write>, Vec<Reply>) {
        let mut pending = mem::take(&mut self.pending);
        pending.append(&mut self.inbox.take());
        let is_plain = |commit: &Commit| commit.write.plain_submit().is_some();
        let (submits, others): (Vec<_>, Vec<_>) = pending.into_iter().partition(is_plain);
        let all = submits.into_iter().chain(others);
        all.map(|commit| (commit.write, commit.reply)).unzip()
    }

    /// Tells the roster what the group is about to bring, so that leases can close the group:
    /// workers that are done, and jobs that are new.
    fn note_before(&mut self, writes: &[Write], replies: &[Reply]) {
        for reply in replies {
            if let Reply::Worker { queue, lane, .. } = reply {
                self.roster.freed(queue, *lane);
            }
        }
        for write in writes {
            let Write::Submit(submit) = write else { continue };
            let fresh = submit.jobs.iter().filter(|job| !job.is_scheduled);
            self.roster.mark_all_ready(fresh.map(|job| {
                let kind = (job.lane == Lane::Remote).then_some(job.kind.as_str());
                (&job.queue, job.lane, kind)
            }));
        }
    }

    /// Tells everybody what the group gave. It is on disk.
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
                // Refused, for whatever reason: not asked again until the queue is ready anew.
                _ => Leased { jobs: Vec::new(), is_empty: true },
            };
            let started = u32::try_from(jobs.len()).unwrap_or(u32::MAX);
            self.roster.leased(order, started, is_empty, now);
            match order.waiting_worker {
                Some(waiting_worker) => self.lease_replies.grant(waiting_worker, jobs),
                None => dispatch.leased.append(&mut jobs),
            }
        }
        self.deliver_granted();
        self.tell_peers(dispatch, CommitEffects { changes: &changes, reported, ended_batches });
    }

    /// Gives remote workers what was leased for them. What finds nobody any more goes back.
    fn deliver_granted(&mut self) {
        let (served, orphans) = self.lease_replies.deliver_granted();
        self.part_from(&served);
        let back = orphans.map(|write| Commit { write, reply: Reply::Nobody });
        self.pending.extend(back);
    }

    /// Tells remote workers that do not want to wait that there is nothing.
    fn answer_no_wait(&mut self, now: Timestamp) {
        let roster = &self.roster;
        let gone = self
            .lease_replies
            .answer_no_wait(|waiting_worker| !roster.may_serve(waiting_worker, now));
        self.part_from(&gone);
    }

    fn part_from(&mut self, gone: &[WaitingWorkerId]) {
        for waiting_worker in gone {
            self.roster.remove_waiting_worker(*waiting_worker);
        }
    }

    fn note_changes(&mut self, changes: &[Change]) {
        for change in changes.iter().filter(|change| change.lane == Lane::Remote) {
            let delta = |state: Option<State>| i32::from(state == Some(State::Running));
            self.roster.remote_moved(&change.queue, delta(change.to) - delta(change.from));
        }
        // What is new and for remote workers was noted before.
        let queued = changes.iter().filter(|change| {
            let is_told = change.lane != Lane::Remote || change.remote_kind.is_some();
            change.to == Some(State::Queued) && is_told
        });
        self.roster.mark_all_ready(
            queued.map(|change| (&change.queue, change.lane, change.remote_kind.as_deref())),
        );
    }

    fn tell_peers(&mut self, dispatch: Dispatch, granted: CommitEffects<'_>) {
        let Some(peers) = &self.peers else { return };
        let is_news = !dispatch.ended.is_empty()
            || !dispatch.leased.is_empty()
            || !dispatch.cancelled.is_empty();
        let mut is_told = !is_news || send(&peers.dispatcher, dispatch);
        if let Some(due_at) = granted.changes.iter().filter_map(|change| change.due_at).min() {
            is_told &= send(&peers.keeper, DueAt(due_at));
        }
        is_told &= self.publisher.announce(granted, &peers.announcer);
        if !is_told {
            self.vital.raise("a core actor is gone");
        }
    }

    /// Where nothing could be written: lease_replies are told. What exists nowhere else is kept: outcomes,
    /// jobs that remote workers never got, and renewals, without which the leases of running jobs would run out.
    ///
    /// Submissions take most room. Without them the rest may pass, so it is tried again at once.
    fn keep_for_later(
        &mut self,
        writes: Vec<Write>,
        replies: Vec<Reply>,
        (error, told): (&StoreError, WriteError),
        ctx: &mut Context<Self>,
    ) {
        if self.retry.is_none() {
            tracing::error!(%error, "nothing can be written: submissions are refused until that passes");
        }
        let gone = self.lease_replies.answer_all(&Err(told.clone()));
        self.part_from(&gone);
        let has_submissions = writes.iter().any(|write| matches!(write, Write::Submit(_)));
        for (write, reply) in writes.into_iter().zip(replies) {
            let is_dear = has_submissions && !matches!(write, Write::Submit(_));
            match reply {
                Reply::Worker { ref queue, lane, .. } => {
                    self.roster.occupied(queue, lane);
                    self.pending.push(Commit { write, reply });
                }
                _ if is_dear => keep(&mut self.pending, Commit { write, reply }),
                Reply::Nobody if exists_nowhere_else(&write) => {
                    keep(&mut self.pending, Commit { write, reply });
                }
                Reply::Caller { reply, .. } => drop(reply.send(Err(told.clone()))),
                Reply::Nobody => {}
            }
        }
        if has_submissions && !self.pending.is_empty() {
            self.flush_soon(ctx);
        } else if self.retry.is_none() && !self.pending.is_empty() {
            self.retry = Some(ctx.run_later(RETRY_PAUSE, |writer, ctx| {
                writer.retry = None;
                writer.flush_soon(ctx);
            }));
        }
    }

    fn give_up(&mut self, replies: Vec<Reply>, error: &StoreError) {
        self.has_failed = true;
        replies.into_iter().for_each(Reply::refuse);
        self.lease_replies.answer_all(&Err(WriteError::Unknown));
        self.vital.raise(&error.to_string());
    }

    /// A rate limit frees by time alone: look again when it does.
    fn wake_for_rates(&mut self, now: Timestamp, ctx: &mut Context<Self>) {
        let Some(wake_at) = self.roster.wake_at(now) else { return };
        if let Some((set, handle)) = self.wake {
            if set <= wake_at && set > now {
                return;
            }
            ctx.cancel_future(handle);
        }
        // One millisecond more, for the clock is cut to whole ones.
        let pause = wake_at.since(now) + Duration::from_millis(1);
        let handle = ctx.run_later(pause, |writer, ctx| {
            writer.wake = None;
            writer.flush_soon(ctx);
        });
        self.wake = Some((wake_at, handle));
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
            self.inbox.take().into_iter().for_each(|commit| commit.reply.refuse());
        } else {
            self.flush(ctx);
        }
    }
}

impl Handler<StartLeasing> for Writer {
    type Result = ();

    fn handle(&mut self, begin: StartLeasing, ctx: &mut Self::Context) {
        self.peers = Some(begin);
        self.flush_soon(ctx);
    }
}

impl Handler<Drain> for Writer {
    type Result = ();

    fn handle(&mut self, Drain(reply): Drain, _: &mut Self::Context) {
        self.roster.drain();
        self.lease_replies.answer_all(&Ok(Vec::new()));
        // Who drains may have been told to end at once meanwhile.
        let _ = reply.send(());
    }
}

impl Handler<AddWaitingWorker> for Writer {
    type Result = ();

    fn handle(&mut self, join: AddWaitingWorker, ctx: &mut Self::Context) {
        let waiting_worker = self.lease_replies.add(join);
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
