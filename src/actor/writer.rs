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

mod delivery;
mod failure;
mod group;
pub(crate) mod inbox;
mod late_leases;
pub(crate) mod lease_replies;
mod provider_log;
mod reply;
mod retry_buffer;
mod roster_input;
mod selection;
#[cfg(test)]
mod tests;
pub(crate) mod write_health;

use std::mem;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, SpawnHandle};

use crate::actor::events::publisher::Publisher;
use crate::actor::message::{
    AddWaitingWorker, Drain, Flush, RemoveWaitingWorker, StartLeasing, WriteError,
};
use crate::actor::vital::Vital;
use crate::actor::writer::group::Group;
use crate::actor::writer::inbox::Inbox;
use crate::actor::writer::lease_replies::{LeaseReplies, LeaseTerms};
use crate::actor::writer::retry_buffer::RetryBuffer;
use crate::actor::writer::selection::Selection;
use crate::actor::{MAILBOX_CAPACITY, send};
use crate::clock::Clock;
use crate::job::{Span, Timestamp};
use crate::roster::{LeaseOrder, Roster, WaitingWorkerId};
use crate::store::{LeaseRequest, WriteStore};

/// Pause before the Writer retries the writes that must not be lost, while nothing can be written.
const RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Pause after a plan of leases that started no job.
const IDLE_PLAN_PAUSE: Duration = Duration::from_millis(10);
/// Size of the texts of a commit group, in bytes, at which further writes wait for the next group, so that
/// their callers do not wait for a long transaction. The retry buffer gets at most half of it, so that each
/// group tries new writes too.
const MAX_GROUP_BYTES: usize = 8 << 20;

pub(crate) struct Writer {
    inbox: Inbox,
    store: Box<dyn WriteStore>,
    roster: Roster,
    clock: Clock,
    /// Duration of the leases of local workers.
    lease_duration: Span,
    /// Writes to retry, with the Writer's own renewals and releases for the next transaction.
    retry_buffer: RetryBuffer,
    lease_replies: LeaseReplies,
    /// Whether a `Flush` message to itself is in the mailbox.
    is_flush_due: bool,
    /// Whether a timer is set for a flush after a plan that changed nothing.
    is_flush_planned: bool,
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
            retry_buffer: RetryBuffer::default(),
            lease_replies: LeaseReplies::default(),
            is_flush_due: false,
            is_flush_planned: false,
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

    /// Schedules the next flush after one that left something to do. A plan that changed nothing is repeated
    /// only after a pause, so that no disagreement between the roster and the store can keep a core busy.
    fn flush_again(&mut self, has_changed: bool, ctx: &mut Context<Self>) {
        if has_changed {
            self.flush_soon(ctx);
        } else if !mem::replace(&mut self.is_flush_planned, true) {
            ctx.run_later(IDLE_PLAN_PAUSE, |writer, ctx| {
                writer.is_flush_planned = false;
                writer.flush_soon(ctx);
            });
        }
    }

    /// Commits all pending writes and the planned leases in one transaction.
    fn flush(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let (mut group, has_more) = self.take_pending();
        if has_more {
            self.flush_soon(ctx);
        }
        roster_input::before_commit(&mut self.roster, group.commits_mut());
        self.add_planned_leases(&mut group, now);
        if group.is_empty() {
            self.answer_no_wait(now);
            return self.set_rate_timer(now, ctx);
        }
        match self.store.commit(&group.writes(), now) {
            Ok(committed) => {
                if group.shows_that_writing_works() && self.inbox.write_health().recover() {
                    tracing::info!(state = "writable", "writing works again");
                }
                let now = committed.at;
                let has_changed = !group.has_only_leases() || !committed.changes.is_empty();
                self.deliver(group, committed);
                self.answer_no_wait(now);
                if !self.retry_buffer.is_empty() || !self.roster.plan(now).is_empty() {
                    self.flush_again(has_changed, ctx);
                }
                self.set_rate_timer(now, ctx);
            }
            Err(error) => match WriteError::if_nothing_was_written(&error) {
                Some(answer) => self.retry_later(group, (&error, answer), ctx),
                None => self.fail(group, &error),
            },
        }
    }

    /// Takes pending writes up to [`MAX_GROUP_BYTES`]: first those of the retry buffer, then those of the
    /// inbox. Returns also whether the inbox has more.
    fn take_pending(&mut self) -> (Group, bool) {
        let mut selection = Selection::new(MAX_GROUP_BYTES / 2);
        let mut pending = self.retry_buffer.take_selected(&mut selection);
        selection.add_room(MAX_GROUP_BYTES / 2);
        let (mut arrived, has_more) = self.inbox.take_selected(&mut selection);
        // Usually there is nothing to retry, and the writes are not copied.
        if pending.is_empty() {
            return (Group::new(arrived), has_more);
        }
        pending.append(&mut arrived);
        (Group::new(pending), has_more)
    }

    /// Adds the leases that the roster plans, once leasing has started.
    ///
    /// If the group has left some of the retry buffer, it leases nothing: a worker that the roster counts as
    /// idle may have its outcome in the rest, and gets no job before that is written.
    fn add_planned_leases(&self, group: &mut Group, now: Timestamp) {
        if self.peers.is_some() && self.retry_buffer.is_empty() {
            for order in self.roster.plan(now) {
                group.push_lease(self.request(order));
            }
        }
    }

    /// Returns the store's request for a lease order, for a waiting worker or for local workers.
    fn request(&self, order: LeaseOrder) -> LeaseRequest {
        let of_local = LeaseTerms { duration: self.lease_duration, worker: None, key: None };
        let LeaseTerms { duration, worker, key } =
            self.lease_replies.terms(&order).unwrap_or(of_local);
        LeaseRequest { order, duration, worker, key }
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
