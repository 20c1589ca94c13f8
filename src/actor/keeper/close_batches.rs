//! The duty to close batches to which no jobs were added for long.

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use crate::actor::keeper::Keeper;
use crate::store::{Answer, MOVE_AT_ONCE, Write};

impl Keeper {
    /// Closes the batches whose time to be open is over, in chunks of [`MOVE_AT_ONCE`].
    pub(super) fn close_batches(&mut self, ctx: &mut Context<Self>) {
        let closed = self.commit(Write::CloseBatches { limit: MOVE_AT_ONCE });
        ctx.spawn(closed.into_actor(self).map(|answer, keeper, ctx| {
            if let Some(Ok(Answer::Moved(closed))) = answer
                && closed.count >= MOVE_AT_ONCE as usize
            {
                keeper.close_batches(ctx);
            }
        }));
    }
}
