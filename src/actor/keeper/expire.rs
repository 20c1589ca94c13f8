//! The duty to cancel jobs that expired before they started.

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use crate::actor::keeper::Keeper;
use crate::store::{Answer, MOVE_AT_ONCE, Write};

impl Keeper {
    /// Cancels the jobs that have expired, in chunks of [`MOVE_AT_ONCE`].
    pub(super) fn expire(&mut self, ctx: &mut Context<Self>) {
        let expired = self.commit(Write::Expire { limit: MOVE_AT_ONCE });
        ctx.spawn(expired.into_actor(self).map(|answer, keeper, ctx| {
            if let Some(Ok(Answer::Moved(moved))) = answer
                && moved.count >= MOVE_AT_ONCE as usize
            {
                keeper.expire(ctx);
            }
        }));
    }
}
