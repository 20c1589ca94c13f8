//! The duty to copy the write-ahead log into the database file.

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use crate::actor::keeper::Keeper;
use crate::actor::message::Read;

impl Keeper {
    /// Checkpoints the write-ahead log, in addition to SQLite's automatic checkpoints.
    pub(super) fn checkpoint(&mut self, ctx: &mut Context<Self>) {
        let moved = self.peers.checkpoint.send(Read::new(|store, _| store.checkpoint()));
        ctx.spawn(moved.into_actor(self).map(|moved, _, _| match moved {
            Ok(Ok(moved)) => tracing::debug!(
                log_pages = moved.log_pages,
                moved_pages = moved.moved_pages,
                "checkpointed the write-ahead log"
            ),
            Ok(Err(error)) => {
                tracing::warn!(%error, "the write-ahead log could not be checkpointed")
            }
            // The Reader is gone: the server is ending.
            Err(_) => {}
        }));
    }
}
