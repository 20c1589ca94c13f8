//! The Announcer: wakes clients that wait for the end of a job or batch, and subscribers of events.
//!
//! It owns the reply channels of waiting clients, the `Notify`s of subscribers to one job or batch,
//! and the feeds of subscribers to all jobs. It carries no data: a woken client reads the row. A
//! client registers first and reads the row second, so it misses no change. The Announcer promises that
//! a slow or dead client never blocks it, and that dead clients are removed at least once a minute.

use std::collections::HashMap;
use std::sync::Weak;

use actix::{Actor, Context, Handler};
use tokio::sync::{Notify, oneshot};

use crate::actor::MAILBOX_CAPACITY;
use crate::actor::events::feed::Feed;
use crate::actor::message::{
    Announce, ChangedJob, Subject, Subscribe, SubscribeToAll, Sweep, WaitForEnd,
};
use crate::actor::vital::Vital;

/// The Announcer: clients by the job or batch they are interested in.
pub(crate) struct Announcer {
    /// Clients that wait for the end of a subject.
    waiters: HashMap<Subject, Vec<oneshot::Sender<()>>>,
    /// Subscribers to the changes of a subject.
    subscribers: HashMap<Subject, Vec<Weak<Notify>>>,
    /// Feeds of the subscribers to all jobs.
    feeds: Vec<Weak<Feed>>,
    _vital: Vital,
}

impl Announcer {
    pub(crate) fn new(vital: Vital) -> Self {
        Self {
            waiters: HashMap::new(),
            subscribers: HashMap::new(),
            feeds: Vec::new(),
            _vital: vital,
        }
    }

    fn add_waiter(&mut self, wait: WaitForEnd) {
        let waiters = self.waiters.entry(wait.subject).or_default();
        // A client that polls the same subject repeatedly leaves a closed channel each time.
        waiters.retain(|reply| !reply.is_closed());
        waiters.push(wait.reply);
    }

    fn subscribe(&mut self, subscribe: Subscribe) {
        let subscribers = self.subscribers.entry(subscribe.subject).or_default();
        subscribers.retain(is_alive);
        subscribers.push(subscribe.notify);
    }

    fn announce(&mut self, announce: &Announce) {
        for job in &announce.ended_jobs {
            self.answer_waiters(Subject::Job(*job));
        }
        for batch in &announce.ended_batches {
            self.answer_waiters(Subject::Batch(*batch));
        }
        self.notify_subscribers(&announce.changed);
    }

    /// Answers the clients that wait for the end of this subject.
    fn answer_waiters(&mut self, subject: Subject) {
        for reply in self.waiters.remove(&subject).into_iter().flatten() {
            // Sending fails only if the client no longer waits.
            let _ = reply.send(());
        }
    }

    /// Notifies the subscribers of the changed jobs and of their batches.
    fn notify_subscribers(&mut self, changed: &[ChangedJob]) {
        if !self.subscribers.is_empty() {
            let mut last_batch = None;
            for ChangedJob { job, batch, .. } in changed {
                self.notify(Subject::Job(*job));
                if let Some(batch) = batch
                    && last_batch.replace(*batch) != Some(*batch)
                {
                    self.notify(Subject::Batch(*batch));
                }
            }
        }
        self.feeds.retain(is_alive);
        for feed in self.feeds.iter().filter_map(Weak::upgrade) {
            feed.add(changed.iter().map(|changed| (changed.job, &changed.queue)));
        }
    }

    fn notify(&self, subject: Subject) {
        for notify in self.subscribers.get(&subject).into_iter().flatten() {
            if let Some(notify) = notify.upgrade() {
                notify.notify_one();
            }
        }
    }

    /// Removes the clients that have gone away.
    fn sweep(&mut self) {
        self.waiters.retain(|_, waiters| {
            waiters.retain(|reply| !reply.is_closed());
            !waiters.is_empty()
        });
        self.subscribers.retain(|_, subscribers| {
            subscribers.retain(is_alive);
            !subscribers.is_empty()
        });
        self.feeds.retain(is_alive);
    }
}

/// Returns whether the subscriber still holds its `Notify` or feed.
fn is_alive<T>(subscriber: &Weak<T>) -> bool {
    subscriber.strong_count() > 0
}

impl Actor for Announcer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
    }
}

impl Handler<WaitForEnd> for Announcer {
    type Result = ();

    fn handle(&mut self, wait: WaitForEnd, _: &mut Self::Context) {
        self.add_waiter(wait);
    }
}

impl Handler<Subscribe> for Announcer {
    type Result = ();

    fn handle(&mut self, subscribe: Subscribe, _: &mut Self::Context) {
        self.subscribe(subscribe);
    }
}

impl Handler<SubscribeToAll> for Announcer {
    type Result = ();

    fn handle(&mut self, SubscribeToAll(feed): SubscribeToAll, _: &mut Self::Context) {
        self.feeds.push(feed);
    }
}

impl Handler<Announce> for Announcer {
    type Result = ();

    fn handle(&mut self, announce: Announce, _: &mut Self::Context) {
        self.announce(&announce);
    }
}

impl Handler<Sweep> for Announcer {
    type Result = ();

    fn handle(&mut self, _: Sweep, _: &mut Self::Context) {
        self.sweep();
    }
}
