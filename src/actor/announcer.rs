//! Tells those who wait that a job or a batch has ended, and those who listen that it moved.

use std::collections::HashMap;
use std::sync::Weak;

use actix::{Actor, Context, Handler};
use tokio::sync::{Notify, oneshot};

use crate::actor::MAILBOX_CAPACITY;
use crate::actor::feed::Feed;
use crate::actor::message::{
    Announce, ChangedJob, Subject, Subscribe, SubscribeToAll, Sweep, WaitForEnd,
};
use crate::actor::vital::Vital;

/// Who waits for what, and who listens to what.
pub(crate) struct Announcer {
    waiting: HashMap<Subject, Vec<oneshot::Sender<()>>>,
    subscription: HashMap<Subject, Vec<Weak<Notify>>>,
    feeds: Vec<Weak<Feed>>,
    _vital: Vital,
}

impl Announcer {
    pub(crate) fn new(vital: Vital) -> Self {
        Self {
            waiting: HashMap::new(),
            subscription: HashMap::new(),
            feeds: Vec::new(),
            _vital: vital,
        }
    }

    fn watch(&mut self, watch: WaitForEnd) {
        let waiting = self.waiting.entry(watch.subject).or_default();
        // Whoever waits again and again for the same leaves his former places behind.
        waiting.retain(|reply| !reply.is_closed());
        waiting.push(watch.reply);
    }

    fn listen(&mut self, listen: Subscribe) {
        let subscription = self.subscription.entry(listen.subject).or_default();
        subscription.retain(is_there);
        subscription.push(listen.notify);
    }

    fn announce(&mut self, announce: &Announce) {
        for job in &announce.jobs {
            self.ended(Subject::Job(*job));
        }
        for batch in &announce.batches {
            self.ended(Subject::Batch(*batch));
        }
        self.moved(&announce.changed);
    }

    fn ended(&mut self, subject: Subject) {
        for reply in self.waiting.remove(&subject).into_iter().flatten() {
            // Nobody listens any more: as good as told.
            let _ = reply.send(());
        }
    }

    fn moved(&mut self, moved: &[ChangedJob]) {
        if !self.subscription.is_empty() {
            let mut last_batch = None;
            for ChangedJob { job, batch, .. } in moved {
                self.ring(Subject::Job(*job));
                if let Some(batch) = batch
                    && last_batch.replace(*batch) != Some(*batch)
                {
                    self.ring(Subject::Batch(*batch));
                }
            }
        }
        self.feeds.retain(is_there);
        for feed in self.feeds.iter().filter_map(Weak::upgrade) {
            feed.add(moved.iter().map(|moved| (moved.job, &moved.queue)));
        }
    }

    fn ring(&self, subject: Subject) {
        for notify in self.subscription.get(&subject).into_iter().flatten() {
            if let Some(notify) = notify.upgrade() {
                notify.notify_one();
            }
        }
    }

    fn sweep(&mut self) {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|reply| !reply.is_closed());
            !waiting.is_empty()
        });
        self.subscription.retain(|_, subscription| {
            subscription.retain(is_there);
            !subscription.is_empty()
        });
        self.feeds.retain(is_there);
    }
}

fn is_there<T>(listener: &Weak<T>) -> bool {
    listener.strong_count() > 0
}

impl Actor for Announcer {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
    }
}

impl Handler<WaitForEnd> for Announcer {
    type Result = ();

    fn handle(&mut self, watch: WaitForEnd, _: &mut Self::Context) {
        self.watch(watch);
    }
}

impl Handler<Subscribe> for Announcer {
    type Result = ();

    fn handle(&mut self, listen: Subscribe, _: &mut Self::Context) {
        self.listen(listen);
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
