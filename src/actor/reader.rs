//! The Reader: reads committed rows on its own connection and thread.
//!
//! A Reader owns one read connection. There are two Readers: one for single rows and one for lists,
//! so that a long list does not delay a status request. It sees every write whose caller was
//! answered before the read was sent.
//!
//! Readers are normal actors with an arbiter each, and not `SyncArbiter`s, because those route every
//! message through the thread of the actix system.

use actix::{Actor, Context, Handler};

use crate::actor::MAILBOX_CAPACITY;
use crate::actor::message::Read;
use crate::actor::vital::Vital;
use crate::clock::Clock;
use crate::store::{ReadStore, StoreError};

/// The Reader: one read connection and the clock for queries that depend on the time.
pub(crate) struct Reader {
    store: Box<dyn ReadStore>,
    clock: Clock,
    _vital: Vital,
}

impl Reader {
    pub(crate) fn new(store: Box<dyn ReadStore>, clock: Clock, vital: Vital) -> Self {
        Self { store, clock, _vital: vital }
    }
}

impl Actor for Reader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(MAILBOX_CAPACITY);
    }
}

impl<T: Send + 'static> Handler<Read<T>> for Reader {
    type Result = Result<T, StoreError>;

    fn handle(&mut self, read: Read<T>, _: &mut Self::Context) -> Self::Result {
        read.run(&mut *self.store, self.clock.now())
    }
}
