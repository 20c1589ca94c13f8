//! The way to the Writer. What is to be committed collects here until the Writer takes all of it.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

use crate::actor::message::{Commit, Flush};
use crate::actor::send;
use crate::actor::writer::Writer;

#[derive(Default)]
struct Waiting {
    commits: Vec<Commit>,
    /// Whether the Writer has been told that there is something.
    is_notified: bool,
    /// The Writer is gone.
    is_closed: bool,
}

type Shared = Arc<Mutex<Waiting>>;

fn locked(shared: &Shared) -> MutexGuard<'_, Waiting> {
    // Whoever panicked had pushed whole commits or none.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes no more. Who waits for an answer hears that there will be none.
fn close(shared: &Shared) {
    let mut waiting = locked(shared);
    waiting.is_closed = true;
    let dropped = mem::take(&mut waiting.commits);
    drop(waiting);
    drop(dropped);
}

/// What waits for the Writer's next transaction: the end from which the Writer takes. Nothing can be
/// sent any more when it is dropped, even if there never was a Writer.
#[derive(Default)]
pub(crate) struct Inbox(Shared);

impl Inbox {
    /// Takes all of it, in the order in which it came.
    pub(super) fn take(&self) -> Vec<Commit> {
        let mut waiting = locked(&self.0);
        waiting.is_notified = false;
        mem::take(&mut waiting.commits)
    }

    /// The end at which commits are put in, for one who is going to know the Writer.
    pub(crate) fn sender(&self) -> Sender {
        Sender(Arc::clone(&self.0))
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        close(&self.0);
    }
}

/// The other end.
#[derive(Clone)]
pub(crate) struct Sender(Shared);

/// Sends to the Writer. Clones are the same way.
#[derive(Clone)]
pub(crate) struct WriterHandle {
    inbox: Sender,
    writer: Addr<Writer>,
}

impl WriterHandle {
    /// The way to a Writer that takes from this inbox.
    pub(crate) fn new(inbox: Sender, writer: Addr<Writer>) -> Self {
        Self { inbox, writer }
    }

    /// Puts a write into the next transaction; false where the Writer is gone. Where it goes at this
    /// moment, who waits hears that there will be no answer.
    pub(crate) fn commit(&self, commit: Commit) -> bool {
        let mut waiting = locked(&self.inbox.0);
        if waiting.is_closed {
            return false;
        }
        waiting.commits.push(commit);
        let is_notified = mem::replace(&mut waiting.is_notified, true);
        drop(waiting);
        if !is_notified && !send(&self.writer, Flush) {
            close(&self.inbox.0);
        }
        true
    }

    /// Sends any other message; false where the Writer is gone.
    pub(crate) fn send<M>(&self, message: M) -> bool
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Writer: Handler<M>,
        <Writer as Actor>::Context: ToEnvelope<Writer, M>,
    {
        send(&self.writer, message)
    }
}

#[cfg(test)]
mod tests {
    use actix::AsyncContext;
    use tokio::sync::oneshot;

    use super::*;
    use crate::actor::message::{Reply, WriteError, WriteResult};
    use crate::job::JobId;
    use crate::store::Write;

    fn commit() -> (Commit, oneshot::Receiver<WriteResult>) {
        let (reply, answer) = oneshot::channel();
        let reply = Reply::Caller { reply, permits: Vec::new() };
        (Commit { write: Write::Cancel(JobId(1)), reply }, answer)
    }

    #[test]
    fn who_waits_hears_that_there_will_be_no_answer_though_there_never_was_a_writer() {
        let inbox = Inbox::default();
        let context = actix::Context::<Writer>::new();
        let to = WriterHandle::new(inbox.sender(), context.address());
        let (first, mut answer) = commit();
        assert!(to.commit(first));
        assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Empty)));
        drop(inbox);
        assert!(matches!(answer.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(!to.commit(commit().0));
    }

    #[test]
    fn all_that_came_is_taken_at_once_and_in_its_order() {
        let inbox = Inbox::default();
        let context = actix::Context::<Writer>::new();
        let to = WriterHandle::new(inbox.sender(), context.address());
        let mut answers = Vec::new();
        for _ in 0..3 {
            let (next, answer) = commit();
            assert!(to.commit(next));
            answers.push(answer);
        }
        for commit in inbox.take().into_iter().take(2) {
            commit.reply.refuse();
        }
        let refused = |answer: &mut oneshot::Receiver<WriteResult>| {
            matches!(answer.try_recv(), Ok(Err(WriteError::Unknown)))
        };
        let refused: Vec<bool> = answers.iter_mut().map(refused).collect();
        assert_eq!(refused, [true, true, false]);
        assert!(inbox.take().is_empty());
    }
}
