//! The actors of the server: what each one owns, and which messages they send to each other.
//!
//! ```text
//!  HTTP handlers, pages, the application
//!         |
//!       Handle: bounded by semaphores; past a bound the caller gets `Overloaded`
//!         |
//!         |--- Commit ---------------> Inbox --> Writer
//!         |--- Read -----------------> Reader x 2
//!         '--- WaitForEnd, Subscribe, WatchLeases, ... --> Announcer
//!
//!  Writer --- Dispatch ---> Dispatcher --- Run, Stop ---> Worker x N (async, thread, process lanes)
//!    |------- Announce ---> Announcer
//!    '------- DueAt ------> Keeper --- MaintainLeases ---> Dispatcher
//!
//!  Worker, Dispatcher, Keeper --- Commit ---> Inbox --> Writer
//! ```
//!
//! | from | to | messages |
//! | --- | --- | --- |
//! | `Handle`, Worker, Dispatcher, Keeper | Writer, through its [`inbox`](writer::inbox) | `Commit`: apply this write in the next transaction and answer after it is on disk |
//! | [`inbox`](writer::inbox), Writer | Writer | `Flush`: commit what is in the inbox |
//! | `Handle` | Writer | `AddWaitingWorker`, `RemoveWaitingWorker`: a remote worker waits for jobs, or no longer waits |
//! | Writer | Dispatcher | `Dispatch`: attempts that ended, jobs that were leased, jobs that were cancelled |
//! | Writer | Announcer | `Announce`: jobs and batches that ended, jobs that changed, jobs that remote workers should stop |
//! | Writer | Keeper | `DueAt`: a job becomes due at this time |
//! | Dispatcher | Worker | `Run`, `Stop` |
//! | Keeper | Dispatcher | `MaintainLeases`: renew the leases of running jobs, rescue jobs whose lease expired |
//! | Keeper | Announcer | `Sweep`: forget clients that have gone away |
//! | `Handle`, Keeper | Reader | `Read`: run this read and answer with its result |
//! | `Handle` | Announcer | `WaitForEnd`, `Subscribe`, `SubscribeToAll`, `WatchLeases`, `UnwatchLeases` |
//! | `Server` | Writer, Dispatcher | `StartLeasing`; then `Drain`, `NotifyWhenIdle`, `StopAll` |
//!
//! All messages are in [`message`]. An actor sends a message to a recipient of that message and does
//! not know which actor receives it; `server::start` connects the actors. Each actor can therefore be
//! tested alone.
//!
//! What each actor owns:
//!
//! - [`writer`]: the write connection, the planner (roster), the retry buffer.
//! - [`reader`]: one read connection. There are two Readers.
//! - [`dispatcher`]: which worker is idle and which worker runs which lease.
//! - [`worker`]: the attempt that it runs.
//! - [`keeper`]: the timers of all periodic duties.
//! - [`announcer`](events::announcer): the clients that wait for an end, and the subscribers of events.
//!
//! The Writer ends each commit group with the leases that the roster plans. A finish and the lease
//! that follows it, or a submission and its start, therefore share one transaction. The leased jobs
//! go to the Dispatcher, which passes each to an idle worker.
//!
//! Writes reach the Writer through an inbox and not through its mailbox: one actix message per
//! write would cost more than the write's share of the transaction, and the Writer takes all
//! pending writes together anyway.
//!
//! The rules are plain methods; a message handler only calls one. Only addresses, mailboxes and
//! timers of actix are used, because actix is only passively maintained.

pub(crate) mod dispatcher;
pub(crate) mod events;
pub(crate) mod keeper;
pub(crate) mod key_usage;
pub(crate) mod keyring;
pub(crate) mod learned_kinds;
pub(crate) mod message;
pub(crate) mod reader;
#[cfg(test)]
mod test_kit;
pub(crate) mod vital;
pub(crate) mod webhook_secrets;
pub(crate) mod worker;
pub(crate) mod writer;

use actix::dev::ToEnvelope;
use actix::prelude::SendError;
use actix::{Actor, Addr, Handler, Message, Recipient};

/// Mailbox capacity of every actor, large enough that a mailbox never refuses a message.
///
/// The number of requests in progress is bounded by the semaphores of the `Handle` instead.
pub(crate) const MAILBOX_CAPACITY: usize = 1 << 24;

/// Sends a message to an actor. Returns false if the actor has stopped; the caller must handle that.
#[allow(clippy::disallowed_methods, reason = "called only while the mailbox is open")]
pub(crate) fn send<A, M>(address: &Addr<A>, message: M) -> bool
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    is_sent(address.try_send(message), |message| address.do_send(message))
}

/// Sends a message to any actor that handles it. The same as [`send`] for an actor whose type the
/// sender does not know.
#[allow(clippy::disallowed_methods, reason = "called only while the mailbox is open")]
pub(crate) fn send_to<M>(recipient: &Recipient<M>, message: M) -> bool
where
    M: Message + Send + 'static,
    M::Result: Send,
{
    is_sent(recipient.try_send(message), |message| recipient.do_send(message))
}

/// Returns whether a message was accepted. If the mailbox is full, sends it with `send_anyway`: an
/// actor that has not started yet still has actix's default mailbox of 16 messages.
fn is_sent<M>(sent: Result<(), SendError<M>>, send_anyway: impl FnOnce(M)) -> bool {
    match sent {
        Ok(()) => true,
        Err(SendError::Closed(_)) => false,
        Err(SendError::Full(message)) => {
            send_anyway(message);
            true
        }
    }
}
