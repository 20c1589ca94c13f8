//! The actors: who owns what, and who tells whom.
//!
//! ```text
//!  Handle (bounded)                   workers: async, thread and process lanes
//!    | writes     | Get.., List..       ^ Run, Stop        | outcomes
//!    v Inbox      v                     |                  v Inbox
//!  Writer       Reader x 2          Dispatcher <---- Dispatch ---- Writer
//!    |  one transaction a group         ^ MaintainLeases
//!    |---- Announce --> Announcer     Keeper: stage, expire, rescue, renew, prune, checkpoint
//! ```
//!
//! The Writer closes each group of writes with the leases that the roster orders, so that a finish
//! and the lease that follows it, or a submission and its start, share one transaction. What was
//! leased goes to the Dispatcher, which knows the workers by name.
//!
//! Writes go to the Writer by way of an inbox and not of its mailbox: a message for each would cost more
//! than its place in a transaction, and the Writer wants all of them at once.
//!
//! Rules are plain methods; a handler only passes on. Of actix itself little is used, for it is only
//! passively maintained: addresses, mailboxes, timers.

pub(crate) mod announcer;
pub(crate) mod blocking;
pub(crate) mod dispatcher;
pub(crate) mod feed;
pub(crate) mod inbox;
pub(crate) mod keeper;
mod late_leases;
pub(crate) mod lease_replies;
pub(crate) mod message;
pub(crate) mod publisher;
pub(crate) mod reader;
mod reply;
mod retry_buffer;
pub(crate) mod shared_recorder;
pub(crate) mod vital;
pub(crate) mod worker;
pub(crate) mod writer;

use actix::dev::ToEnvelope;
use actix::prelude::SendError;
use actix::{Actor, Addr, Handler, Message};

/// A mailbox that refuses nothing: what may be under way is bounded where it enters.
pub(crate) const MAILBOX_CAPACITY: usize = 1 << 24;

/// Sends to an actor of this process; false where it is gone, which the open_reply must mind.
pub(crate) fn send<A, M>(address: &Addr<A>, message: M) -> bool
where
    A: Actor + Handler<M>,
    A::Context: ToEnvelope<A, M>,
    M: Message + Send + 'static,
    M::Result: Send,
{
    match address.try_send(message) {
        Ok(()) => true,
        Err(SendError::Closed(_)) => false,
        Err(SendError::Full(message)) => {
            // An actor that has not begun yet still has the mailbox of 16 that all begin with.
            #[allow(clippy::disallowed_methods, reason = "the mailbox is open, only full")]
            address.do_send(message);
            true
        }
    }
}
