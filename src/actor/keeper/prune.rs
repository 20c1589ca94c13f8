//! The duty to delete old final jobs, and old batches without jobs.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use crate::actor::keeper::Keeper;
use crate::actor::keeper::prune_hold::HOLD;
use crate::actor::message::Read;
use crate::job::{JobId, Timestamp};
use crate::store::{Prunable, Write};

/// Pause between two chunks of the table while it is searched for old jobs.
const CHUNK_PAUSE: Duration = Duration::from_millis(100);
/// Pause between two passes over the table, and after a failed search.
const PASS_PAUSE: Duration = Duration::from_secs(30);

impl Keeper {
    /// Starts a pass over the table, once pruning is not held. When it has ended, the next pass
    /// follows.
    pub(super) fn prune(&mut self, ctx: &mut Context<Self>) {
        if self.prune_hold.jump().is_none() {
            return self.prune_after(JobId(0), ctx);
        }
        ctx.run_later(HOLD, |keeper, _| {
            if keeper.prune_hold.release() {
                tracing::info!(
                    "the server has run for 24h: old final jobs are deleted from now on"
                );
            }
        });
        let hold = self.prune_hold.clone();
        let released = async move { hold.released().await };
        ctx.spawn(released.into_actor(self).map(|(), keeper, ctx| {
            // The time was not recorded while it was in doubt.
            keeper.record_activity(ctx);
            keeper.prune_after(JobId(0), ctx);
        }));
    }

    /// Searches the next chunk of the table, which starts after an id, for old final jobs.
    fn prune_after(&self, after: JobId, ctx: &mut Context<Self>) {
        let finished_before = self.clock.now().minus(self.retention.duration());
        let read = Read::new(move |store, _| store.prunable(after, finished_before));
        let found = self.peers.prunable.send(read);
        ctx.spawn(found.into_actor(self).map(move |found, keeper, ctx| {
            let Ok(Ok(found)) = found else {
                ctx.run_later(PASS_PAUSE, move |keeper, ctx| keeper.prune_after(after, ctx));
                return;
            };
            keeper.remove(found, finished_before, ctx);
        }));
    }

    /// Removes the old jobs of a chunk and old batches without jobs, then continues with the next chunk.
    fn remove(&self, found: Prunable, finished_before: Timestamp, ctx: &mut Context<Self>) {
        let (next, pause) = match found.next {
            Some(next) => (next, CHUNK_PAUSE),
            None => (JobId(0), PASS_PAUSE),
        };
        let Prunable { jobs, batches, .. } = found;
        let jobs = (!jobs.is_empty()).then(|| self.commit(Write::Prune { jobs, finished_before }));
        let batches = (!batches.is_empty())
            .then(|| self.commit(Write::PruneBatches { batches, finished_before }));
        let removed = async {
            if let Some(jobs) = jobs {
                jobs.await;
            }
            if let Some(batches) = batches {
                batches.await;
            }
        };
        ctx.spawn(removed.into_actor(self).map(move |(), _, ctx| {
            ctx.run_later(pause, move |keeper, ctx| keeper.prune_after(next, ctx));
        }));
    }
}
