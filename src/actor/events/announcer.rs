//! The Announcer: wakes clients that wait for the end of a job or batch, and subscribers of events. It
//! also logs the jobs that failed for good, so that a slow log does not delay the Writer.
//!
//! It owns the reply channels of waiting clients, the `Notify`s of subscribers to one job or batch,
//! those of remote workers that watch their leases, and the feeds of subscribers to all jobs. It carries
//! no data: a woken client reads the row. A client registers first and reads the row second, so it misses
//! no change. The Announcer promises that a slow or dead client never blocks it, and that dead clients are
//! removed at least once a minute.

use std::collections::HashMap;
use std::sync::Weak;

use actix::{Actor, AsyncContext, Context, Handler};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::actor::MAILBOX_CAPACITY;
use crate::actor::events::failure_log::FailureLog;
use crate::actor::events::feed::Feed;
use crate::actor::events::lease_watches::LeaseWatches;
use crate::actor::message::{
    Announce, ChangedJob, Subject, Subscribe, SubscribeToAll, Sweep, UnwatchLeases, WaitForEnd,
    WatchLeases,
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
    /// Remote workers that wait until they should stop a job.
    lease_watches: LeaseWatches,
    failure_log: FailureLog,
    _vital: Vital,
}

impl Announcer {
    pub(crate) fn new(vital: Vital) -> Self {
        Self {
            waiters: HashMap::new(),
            subscribers: HashMap::new(),
            feeds: Vec::new(),
            lease_watches: LeaseWatches::default(),
            failure_log: FailureLog::default(),
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
        self.lease_watches.notify(&announce.stopped);
        for batch in &announce.closed_batches {
            self.notify(Subject::Batch(*batch));
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

impl Handler<WatchLeases> for Announcer {
    type Result = ();

    fn handle(&mut self, watch: WatchLeases, _: &mut Self::Context) {
        self.lease_watches.add(&watch);
    }
}

impl Handler<UnwatchLeases> for Announcer {
    type Result = ();

    fn handle(&mut self, unwatch: UnwatchLeases, _: &mut Self::Context) {
        self.lease_watches.remove(&unwatch);
    }
}

impl Handler<Announce> for Announcer {
    type Result = ();

    fn handle(&mut self, announce: Announce, ctx: &mut Self::Context) {
        self.announce(&announce);
        if let Some(pause) = self.failure_log.log(&announce.failed, Instant::now()) {
            ctx.run_later(pause, |announcer, _| {
                announcer.failure_log.end_old_window(Instant::now());
            });
        }
    }
}

impl Handler<Sweep> for Announcer {
    type Result = ();

    fn handle(&mut self, _: Sweep, _: &mut Self::Context) {
        self.sweep();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use actix::Addr;
    use futures_util::FutureExt;

    use super::*;
    use crate::actor::test_kit::soon;
    use crate::actor::vital::Fatal;
    use crate::auth::access::QueueAccess;
    use crate::job::{BatchId, JobId};

    fn announcer() -> Announcer {
        let fatal = Fatal::new();
        fatal.expect_stop();
        Announcer::new(Vital::new("announcer", &fatal))
    }

    fn changed(job: i64, queue: &str, batch: Option<i64>) -> ChangedJob {
        ChangedJob { job: JobId(job), queue: queue.parse().unwrap(), batch: batch.map(BatchId) }
    }

    async fn wait_for_end(announcer: &Addr<Announcer>, subject: Subject) -> oneshot::Receiver<()> {
        let (reply, ended) = oneshot::channel();
        announcer.send(WaitForEnd { subject, reply }).await.unwrap();
        ended
    }

    async fn subscribe(announcer: &Addr<Announcer>, subject: Subject) -> Arc<Notify> {
        let notify = Arc::new(Notify::new());
        let subscribe = Subscribe { subject, notify: Arc::downgrade(&notify) };
        announcer.send(subscribe).await.unwrap();
        notify
    }

    fn is_notified(notify: &Notify) -> bool {
        notify.notified().now_or_never().is_some()
    }

    #[actix_web::test]
    async fn clients_that_wait_are_answered_when_their_job_or_batch_ends() {
        let announcer = announcer().start();
        let first = wait_for_end(&announcer, Subject::Job(JobId(1))).await;
        let second = wait_for_end(&announcer, Subject::Job(JobId(1))).await;
        let mut other = wait_for_end(&announcer, Subject::Job(JobId(2))).await;
        let batch = wait_for_end(&announcer, Subject::Batch(BatchId(2))).await;
        let (ended_jobs, ended_batches) = (vec![JobId(1)], vec![BatchId(2)]);
        let announce = Announce { ended_jobs, ended_batches, ..Announce::default() };
        announcer.send(announce).await.unwrap();
        for answered in [first, second, batch] {
            soon(answered).await.unwrap();
        }
        assert_eq!(other.try_recv(), Err(oneshot::error::TryRecvError::Empty));
    }

    #[actix_web::test]
    async fn a_change_is_announced_to_the_subscribers_of_its_job_and_batch_and_to_feeds() {
        let announcer = announcer().start();
        let job = subscribe(&announcer, Subject::Job(JobId(1))).await;
        let other = subscribe(&announcer, Subject::Job(JobId(3))).await;
        let batch = subscribe(&announcer, Subject::Batch(BatchId(7))).await;
        let feed = Arc::new(Feed::new(Some("mail".parse().unwrap()), QueueAccess::All));
        announcer.send(SubscribeToAll(Arc::downgrade(&feed))).await.unwrap();
        let changed = vec![changed(1, "mail", Some(7)), changed(2, "bulk", Some(7))];
        announcer.send(Announce { changed, ..Announce::default() }).await.unwrap();
        assert_eq!([&job, &batch, &other].map(|notify| is_notified(notify)), [true, true, false]);
        assert_eq!(feed.take(), (vec![JobId(1)], 0));
    }

    #[test]
    fn a_sweep_removes_the_clients_that_have_gone_away_and_no_others() {
        let mut announcer = announcer();
        let (reply, ended) = oneshot::channel();
        announcer.add_waiter(WaitForEnd { subject: Subject::Job(JobId(1)), reply });
        let (reply, _ended) = oneshot::channel();
        announcer.add_waiter(WaitForEnd { subject: Subject::Job(JobId(2)), reply });
        let notify = Arc::new(Notify::new());
        let subject = Subject::Batch(BatchId(1));
        announcer.subscribe(Subscribe { subject, notify: Arc::downgrade(&notify) });
        let feed = Arc::new(Feed::new(None, QueueAccess::All));
        announcer.feeds.push(Arc::downgrade(&feed));
        drop((ended, notify, feed));
        announcer.sweep();
        let waiting: Vec<_> = announcer.waiters.keys().collect();
        assert_eq!(waiting, [&Subject::Job(JobId(2))]);
        assert!(announcer.subscribers.is_empty() && announcer.feeds.is_empty());
    }
}
