//! Parts for the tests of single actors: recipients that pass messages on to the test, a Writer's
//! inbox without a Writer, and a store on a temporary file.

use std::collections::VecDeque;
use std::time::Duration;

use actix::{Actor, Context, Handler, Message, Recipient};
use tempfile::TempDir;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::actor::message::{Commit, Flush, Reply, WriteResult};
use crate::actor::writer::inbox::{Inbox, WriterHandle};
use crate::config::Config;
use crate::job::lease::{Lease, LeaseToken, LeasedJob};
use crate::job::{JobId, Json, Lane, NewJob, Span, Submission, Timestamp};
use crate::store::{Submit, Write};

/// An actor that passes every message on to the test.
struct Probe<M>(UnboundedSender<M>);

impl<M: Unpin + 'static> Actor for Probe<M> {
    type Context = Context<Self>;
}

impl<M: Message<Result = ()> + Unpin + 'static> Handler<M> for Probe<M> {
    type Result = ();

    fn handle(&mut self, message: M, _: &mut Self::Context) {
        let _ = self.0.send(message);
    }
}

/// Messages that have been sent to a probe.
pub(crate) struct Received<M>(UnboundedReceiver<M>);

impl<M> Received<M> {
    /// Waits for the next message.
    pub(crate) async fn next(&mut self) -> M {
        soon(self.0.recv()).await.unwrap()
    }

    /// Returns the next message that has already arrived.
    pub(crate) fn try_next(&mut self) -> Option<M> {
        self.0.try_recv().ok()
    }
}

/// Returns a recipient, and the messages that are sent to it.
pub(crate) fn probe<M>() -> (Recipient<M>, Received<M>)
where
    M: Message<Result = ()> + Send + Unpin + 'static,
{
    let (sender, messages) = mpsc::unbounded_channel();
    (Probe(sender).start().recipient(), Received(messages))
}

/// Waits for an event that must happen soon. Fails the test if it does not.
pub(crate) async fn soon<T>(event: impl Future<Output = T>) -> T {
    let deadline = Duration::from_secs(10);
    tokio::time::timeout(deadline, event).await.expect("the event did not happen in time")
}

/// The inbox of a Writer, without the Writer.
pub(crate) struct FakeWriter {
    inbox: Inbox,
    flushes: Received<Flush>,
    taken: VecDeque<Commit>,
}

impl FakeWriter {
    /// Returns the inbox, and a handle that sends to it.
    pub(crate) fn start() -> (Self, WriterHandle) {
        let inbox = Inbox::default();
        let (flush, flushes) = probe();
        let handle = inbox.sender().into_handle(flush);
        (Self { inbox, flushes, taken: VecDeque::new() }, handle)
    }

    /// Waits for the next write.
    pub(crate) async fn next(&mut self) -> Commit {
        loop {
            if let Some(commit) = self.try_next() {
                return commit;
            }
            self.flushes.next().await;
        }
    }

    /// Returns the next write that has already been sent.
    pub(crate) fn try_next(&mut self) -> Option<Commit> {
        self.taken.extend(self.inbox.take());
        self.taken.pop_front()
    }

    /// Returns the number of writes that have been sent and not been taken.
    pub(crate) fn pending(&mut self) -> usize {
        self.taken.extend(self.inbox.take());
        self.taken.len()
    }
}

/// Sends the result of a write to its caller.
pub(crate) fn answer(commit: Commit, result: WriteResult) {
    let Reply::Caller { reply, .. } = commit.reply else { panic!("no caller waits") };
    reply.send(result).unwrap();
}

/// Returns a configuration with a database in a temporary directory.
pub(crate) fn temporary() -> (TempDir, Config) {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { database: directory.path().join("jobs.db").into(), ..Config::default() };
    (directory, config)
}

/// Returns the time `secs` seconds after the epoch.
pub(crate) fn at(secs: i64) -> Timestamp {
    Timestamp::from_millis(secs * 1_000)
}

/// Returns a submission of one job of the kind `echo`, in a lane.
pub(crate) fn submit(lane: Lane) -> Write {
    let submission = Submission::new("echo", &1).unwrap();
    let job: NewJob = submission.check(lane, &Default::default(), at(0)).unwrap();
    Write::Submit(Submit { jobs: [job].into(), key: None, batch: None })
}

/// Returns a leased job of a kind, in the lane `async`.
pub(crate) fn leased_job(id: i64, kind: &str) -> LeasedJob {
    LeasedJob {
        provider: None,
        key: None,
        lease: Lease { job: JobId(id), token: LeaseToken(1) },
        lease_expires_at: at(30),
        started_at: at(0),
        kind: kind.to_owned(),
        queue: "default".parse().unwrap(),
        lane: Lane::Async,
        attempt: 1,
        max_attempts: 3,
        timeout: Span::from_secs(60),
        batch: None,
        tags: Vec::new(),
        metadata: None,
        payload: Json::of(&1).unwrap(),
    }
}
