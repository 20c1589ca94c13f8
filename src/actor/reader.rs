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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::test_kit::{at, submit, temporary};
    use crate::actor::vital::Fatal;
    use crate::job::{JobId, Lane};
    use crate::store::WriteStore;
    use crate::store::sqlite::{SqliteReads, SqliteWrites};

    #[actix_web::test]
    async fn a_read_gets_the_committed_rows_and_the_current_time() {
        let (_directory, config) = temporary();
        let mut writes = SqliteWrites::open(&config).unwrap();
        let reads = SqliteReads::open(&config).unwrap();
        let fatal = Fatal::new();
        fatal.expect_stop();
        let vital = Vital::new("reader", &fatal);
        let reader = Reader::new(Box::new(reads), Clock::manual(at(7)), vital).start();
        writes.commit(&[&submit(Lane::Async)], at(0)).unwrap();
        let read = Read::new(|store, now| Ok((store.job(JobId(1))?, store.job(JobId(2))?, now)));
        let (found, missing, now) = reader.send(read).await.unwrap().unwrap();
        assert_eq!((found.unwrap().kind.as_str(), missing, now), ("echo", None, at(7)));
        let failed = Read::new(|_, _| Err::<(), _>(StoreError::Unreadable("broken".into())));
        assert!(matches!(reader.send(failed).await.unwrap(), Err(StoreError::Unreadable(_))));
    }
}
