//! Tells those who wait that a job or a batch has ended.

use std::collections::HashMap;

use actix::{Actor, Context, Handler};
use tokio::sync::oneshot;

use crate::actor::MAILBOX_CAPACITY;
use crate::actor::message::{Announce, Subject, Sweep, Watch};
use crate::actor::vital::Vital;

/// Who waits for what.
pub(crate) struct Announcer {
    waiting: HashMap<Subject, Vec<oneshot::Sender<()>>>,
    _vital: Vital,
}

impl Announcer {
    pub(crate) fn new(vital: Vital) -> Self {
        Self { waiting: HashMap::new(), _vital: vital }
    }

    fn watch(&mut self, watch: Watch) {
        let waiting = self.waiting.entry(watch.subject).or_default();
        // Whoever waits again and again for the same leaves his former places behind.
        waiting.retain(|tell| !tell.is_closed());
        waiting.push(watch.tell);
    }

    fn announce(&mut self, subject: Subject) {
        for tell in self.waiting.remove(&subject).into_iter().flatten() {
            // Nobody listens any more: as good as told.
            let _ = tell.send(());
        }
    }

    fn sweep(&mut self) {
        self.waiting.retain(|_, waiting| {
            waiting.retain(|tell| !tell.is_closed());
            !waiting.is_empty()
        });
    }
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

impl Handler<Announce> for Announcer {
    type Result = ();

    fn handle(&mut self, ended: Announce, _: &mut Self::Context) {
        for job in ended.jobs {
            self.announce(Subject::Job(job));
        }
        for batch in ended.batches {
            self.announce(Subject::Batch(batch));
        }
    }
}

impl Handler<Sweep> for Announcer {
    type Result = ();

    fn handle(&mut self, _: Sweep, _: &mut Self::Context) {
        self.sweep();
    }
}
