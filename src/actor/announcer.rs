//! Tells those who wait that a job or a batch has ended, and those who listen that it moved.

use std::collections::HashMap;
use std::sync::Weak;

use actix::{Actor, Context, Handler};
use tokio::sync::{Notify, oneshot};

use crate::actor::MAILBOX_CAPACITY;
use crate::actor::feed::Feed;
use crate::actor::message::{Announce, Listen, Moved, Subject, Sweep, Tune, Watch};
use crate::actor::vital::Vital;

/// Who waits for what, and who listens to what.
pub(crate) struct Announcer {
    waiting: HashMap<Subject, Vec<oneshot::Sender<()>>>,
    listening: HashMap<Subject, Vec<Weak<Notify>>>,
    feeds: Vec<Weak<Feed>>,
    _vital: Vital,
}

impl Announcer {
    pub(crate) fn new(vital: Vital) -> Self {
        Self {
            waiting: HashMap::new(),
            listening: HashMap::new(),
            feeds: Vec::new(),
            _vital: vital,
        }
    }

    fn watch(&mut self, watch: Watch) {
        let waiting = self.waiting.entry(watch.subject).or_default();
        // Whoever waits again and again for the same leaves his former places behind.
        waiting.retain(|tell| !tell.is_closed());
        waiting.push(watch.tell);
    }

    fn listen(&mut self, listen: Listen) {
        let listening = self.listening.entry(listen.subject).or_default();
        listening.retain(is_there);
        listening.push(listen.bell);
    }

    fn announce(&mut self, announce: &Announce) {
        for job in &announce.jobs {
            self.ended(Subject::Job(*job));
        }
        for batch in &announce.batches {
            self.ended(Subject::Batch(*batch));
        }
        self.moved(&announce.moved);
    }

    fn ended(&mut self, subject: Subject) {
        for tell in self.waiting.remove(&subject).into_iter().flatten() {
            // Nobody listens any more: as good as told.
            let _ = tell.send(());
        }
    }

    fn moved(&mut self, moved: &[Moved]) {
        if !self.listening.is_empty() {
            let mut last_batch = None;
            for Moved { job, batch, .. } in moved {
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
        for bell in self.listening.get(&subject).into_iter().flatten() {
            if let Some(bell) = bell.upgrade() {
                bell.notify_one();
            }
        }
    }

    fn sweep(&mut self) {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|tell| !tell.is_closed());
            !waiting.is_empty()
        });
        self.listening.retain(|_, listening| {
            listening.retain(is_there);
            !listening.is_empty()
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

impl Handler<Watch> for Announcer {
    type Result = ();

    fn handle(&mut self, watch: Watch, _: &mut Self::Context) {
        self.watch(watch);
    }
}

impl Handler<Listen> for Announcer {
    type Result = ();

    fn handle(&mut self, listen: Listen, _: &mut Self::Context) {
        self.listen(listen);
    }
}

impl Handler<Tune> for Announcer {
    type Result = ();

    fn handle(&mut self, Tune(feed): Tune, _: &mut Self::Context) {
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
