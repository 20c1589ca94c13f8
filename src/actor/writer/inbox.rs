//! The Writer's inbox: writes collect here until the Writer takes all of them for one transaction.
//!
//! The Writer owns the [`Inbox`], the receiving end. All senders use a [`WriterHandle`].
//! The inbox promises that a write which [`WriterHandle::commit`] has accepted is either taken by the
//! Writer or dropped together with its reply channel, so that no caller waits for ever.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::Recipient;

use crate::actor::message::{Commit, Flush};
use crate::actor::send_to;
use crate::actor::writer::selection::Selection;
use crate::actor::writer::write_health::WriteHealth;

/// The commits that the Writer has not taken yet.
#[derive(Default)]
struct PendingCommits {
    commits: Vec<Commit>,
    /// Whether a [`Flush`] has been sent since the Writer last took the commits.
    is_notified: bool,
    /// Whether the Writer is gone; no more commits are accepted then.
    is_closed: bool,
}

type Shared = Arc<Mutex<PendingCommits>>;

fn lock(shared: &Shared) -> MutexGuard<'_, PendingCommits> {
    // A poisoned lock is safe to use: a panic leaves only whole commits in the list.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Closes the inbox and drops its commits, which closes the reply channels of their callers.
fn close(shared: &Shared) {
    let mut pending = lock(shared);
    pending.is_closed = true;
    let dropped = mem::take(&mut pending.commits);
    drop(pending);
    drop(dropped);
}

/// The receiving end of the inbox, owned by the Writer.
///
/// Dropping it closes the inbox, even if the Writer never started.
#[derive(Default)]
pub(crate) struct Inbox(Shared, WriteHealth);

impl Inbox {
    /// Takes all pending commits, in the order in which they were sent.
    pub(crate) fn take(&self) -> Vec<Commit> {
        let mut pending = lock(&self.0);
        pending.is_notified = false;
        mem::take(&mut pending.commits)
    }

    /// Takes the pending commits that a selection takes. Returns also whether others are left: the Writer
    /// must then take them without a [`Flush`] from the inbox.
    pub(crate) fn take_selected(&self, selection: &mut Selection) -> (Vec<Commit>, bool) {
        let mut pending = lock(&self.0);
        let taken = selection.take_from(&mut pending.commits);
        pending.is_notified = !pending.commits.is_empty();
        (taken, pending.is_notified)
    }

    /// Returns a sending end, which becomes a handle once the Writer has an address.
    pub(crate) fn sender(&self) -> InboxSender {
        InboxSender(Arc::clone(&self.0), self.1.clone())
    }

    /// Returns the state of the database, which the handles of this inbox share.
    pub(super) fn write_health(&self) -> &WriteHealth {
        &self.1
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        close(&self.0);
    }
}

/// The sending end of the inbox, before the Writer's address is known.
pub(crate) struct InboxSender(Shared, WriteHealth);

impl InboxSender {
    /// Returns a handle to the Writer that takes from this inbox. `flush` wakes that Writer.
    pub(crate) fn into_handle(self, flush: Recipient<Flush>) -> WriterHandle {
        WriterHandle(Arc::new(Sender { inbox: self.0, write_health: self.1, flush }))
    }
}

/// The sending end of the inbox, with the recipient that wakes the Writer.
struct Sender {
    inbox: Shared,
    write_health: WriteHealth,
    flush: Recipient<Flush>,
}

/// Handle through which writes are sent to the Writer. Clones send to the same Writer and cost no
/// allocation.
#[derive(Clone)]
pub(crate) struct WriterHandle(Arc<Sender>);

impl WriterHandle {
    /// Adds a write to the next transaction. Returns false if the Writer is gone.
    ///
    /// If the Writer dies after this call, the reply channel of the commit is closed
    /// without an answer.
    pub(crate) fn commit(&self, commit: Commit) -> bool {
        let Sender { inbox, flush, .. } = &*self.0;
        let mut pending = lock(inbox);
        if pending.is_closed {
            return false;
        }
        pending.commits.push(commit);
        let is_notified = mem::replace(&mut pending.is_notified, true);
        drop(pending);
        if !is_notified && !send_to(flush, Flush) {
            close(inbox);
        }
        true
    }

    /// Returns whether the database can be written, as the last transactions showed.
    pub(crate) fn write_health(&self) -> &WriteHealth {
        &self.0.write_health
    }
}

#[cfg(test)]
mod tests {
    use actix::{Actor, Addr, AsyncContext, Context, Handler};
    use tokio::sync::oneshot;

    use super::*;
    use crate::actor::message::{Reply, WriteError, WriteResult};
    use crate::job::JobId;
    use crate::store::Write;

    /// A Writer that never starts.
    struct Unstarted;

    impl Actor for Unstarted {
        type Context = Context<Self>;
    }

    impl Handler<Flush> for Unstarted {
        type Result = ();

        fn handle(&mut self, _: Flush, _: &mut Self::Context) {}
    }

    fn handle(inbox: &Inbox, writer: Addr<Unstarted>) -> WriterHandle {
        inbox.sender().into_handle(writer.recipient())
    }

    fn commit() -> (Commit, oneshot::Receiver<WriteResult>) {
        let (reply, answer) = Reply::caller(Vec::new());
        (Commit { write: Write::Cancel(JobId(1)), reply }, answer)
    }

    #[test]
    fn dropping_the_inbox_closes_the_replies_of_its_commits_even_if_no_writer_ever_started() {
        let inbox = Inbox::default();
        let context = Context::<Unstarted>::new();
        let writer = handle(&inbox, context.address());
        let (first, mut answer) = commit();
        assert!(writer.commit(first));
        assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        drop(inbox);
        assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(!writer.commit(commit().0));
    }

    #[test]
    fn the_writer_takes_all_pending_commits_together_and_in_order() {
        let inbox = Inbox::default();
        let context = Context::<Unstarted>::new();
        let writer = handle(&inbox, context.address());
        let mut answers = Vec::new();
        for _ in 0..3 {
            let (next, answer) = commit();
            assert!(writer.commit(next));
            answers.push(answer);
        }
        for commit in inbox.take().into_iter().take(2) {
            commit.reply.answer_unknown();
        }
        let is_unknown = |answer: &mut oneshot::Receiver<WriteResult>| {
            matches!(answer.try_recv(), Ok(Err(WriteError::Unknown)))
        };
        let unknown: Vec<bool> = answers.iter_mut().map(is_unknown).collect();
        assert_eq!(unknown, [true, true, false]);
        assert!(inbox.take().is_empty());
    }
}
