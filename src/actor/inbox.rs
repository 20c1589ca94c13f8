//! The way to the Writer. What is to be committed collects here until the Writer takes all of it.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};

use crate::actor::message::{Commit, Flush};
use crate::actor::tell;
use crate::actor::writer::Writer;

#[derive(Default)]
struct Waiting {
    commits: Vec<Commit>,
    /// Whether the Writer has been told that there is something.
    is_rung: bool,
    /// The Writer is gone.
    is_closed: bool,
}

/// What waits for the Writer's next transaction. Clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Inbox(Arc<Mutex<Waiting>>);

impl Inbox {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Whoever panicked had pushed whole commits or none.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes all of it, in the order in which it came.
    pub(super) fn take(&self) -> Vec<Commit> {
        let mut waiting = self.waiting();
        waiting.is_rung = false;
        mem::take(&mut waiting.commits)
    }

    /// Takes no more. Who waits for an answer hears that there will be none.
    pub(super) fn close(&self) {
        let mut waiting = self.waiting();
        waiting.is_closed = true;
        let dropped = mem::take(&mut waiting.commits);
        drop(waiting);
        drop(dropped);
    }
}

/// Sends to the Writer. Clones are the same way.
#[derive(Clone)]
pub(crate) struct ToWriter {
    inbox: Inbox,
    writer: Addr<Writer>,
}

impl ToWriter {
    /// The way to a Writer that takes from this inbox.
    pub(crate) fn new(inbox: Inbox, writer: Addr<Writer>) -> Self {
        Self { inbox, writer }
    }

    /// Puts a write into the next transaction; false where the Writer is gone.
    pub(crate) fn commit(&self, commit: Commit) -> bool {
        let mut waiting = self.inbox.waiting();
        if waiting.is_closed {
            return false;
        }
        waiting.commits.push(commit);
        let is_rung = mem::replace(&mut waiting.is_rung, true);
        drop(waiting);
        if !is_rung && !tell(&self.writer, Flush) {
            self.inbox.close();
        }
        true
    }

    /// Sends any other message; false where the Writer is gone.
    pub(crate) fn tell<M>(&self, message: M) -> bool
    where
        M: Message + Send + 'static,
        M::Result: Send,
        Writer: Handler<M>,
        <Writer as Actor>::Context: ToEnvelope<Writer, M>,
    {
        tell(&self.writer, message)
    }
}
