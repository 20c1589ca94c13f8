//! The duty to queue scheduled and retrying jobs when they are due.

use std::time::Duration;

use actix::{ActorFutureExt, AsyncContext, Context, WrapFuture};

use crate::actor::keeper::{CHECK_INTERVAL, Keeper};
use crate::job::Timestamp;
use crate::store::{Answer, MOVE_AT_ONCE, MoveSummary, Write};

/// Maximum pause between two stagings, as a safeguard in case a due time was missed.
const MAX_STAGE_PAUSE: Duration = Duration::from_secs(60);

impl Keeper {
    /// Stages the due jobs, and sets the timer for the next job that becomes due.
    pub(super) fn stage(&mut self, ctx: &mut Context<Self>) {
        self.stage_timer = None;
        let staged = self.commit(Write::Stage { limit: MOVE_AT_ONCE });
        ctx.spawn(staged.into_actor(self).map(|answer, keeper, ctx| {
            let now = keeper.clock.now();
            let (latest, later) = (now.plus(MAX_STAGE_PAUSE), now.plus(CHECK_INTERVAL));
            let next_at = match answer {
                // A job that has been due for long and was not staged is an impossible row. It must not be
                // tried again without a pause.
                Some(Ok(Answer::Moved(MoveSummary { count: 0, next_at: Some(at) })))
                    if now.since(at) >= CHECK_INTERVAL =>
                {
                    later
                }
                Some(Ok(Answer::Moved(MoveSummary { next_at, .. }))) => next_at.unwrap_or(latest),
                // Most likely the disk is full. Try again later.
                _ => later,
            };
            keeper.stage_at(next_at.min(latest), ctx);
        }));
    }

    /// Sets the timer of the next staging, unless it is set to an earlier time already.
    pub(super) fn stage_at(&mut self, at: Timestamp, ctx: &mut Context<Self>) {
        if let Some((set, handle)) = self.stage_timer {
            if set <= at {
                return;
            }
            ctx.cancel_future(handle);
        }
        let pause = at.since(self.clock.now());
        let handle = ctx.run_later(pause, Self::stage);
        self.stage_timer = Some((at, handle));
    }
}
