//! The duty to write closed time buckets.

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use crate::actor::keeper::Keeper;
use crate::store::Write;

impl Keeper {
    /// Writes the closed time buckets, and drops them from memory once they are on disk.
    pub(super) fn write_time_buckets(&mut self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let closed = self.peers.recorder.with(|recorder| {
            recorder.roll(now);
            recorder.take_unwritten()
        });
        if closed.is_empty() {
            return;
        }
        let count = closed.len();
        let written = self.commit(Write::TimeBuckets(closed));
        ctx.spawn(written.into_actor(self).map(move |written, keeper, _| {
            keeper.peers.recorder.with(|recorder| match written {
                Some(Ok(_)) => recorder.mark_written(count),
                _ => recorder.mark_unwritten(count),
            });
        }));
    }
}
