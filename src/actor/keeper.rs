//! The Keeper: one actor with all periodic duties. Each duty is idempotent.
//!
//! It owns the timers:
//!
//! | duty | when |
//! | --- | --- |
//! | stage: queue scheduled and retrying jobs that are due | at the time at which the next job is due |
//! | expire: cancel jobs that expired before they started | every [`CHECK_INTERVAL`] |
//! | renew and rescue leases, done by the Dispatcher | every [`CHECK_INTERVAL`] |
//! | prune: delete old final jobs | continuously, in chunks of the table |
//! | write closed time buckets | every ten seconds |
//! | checkpoint the write-ahead log | every [`CHECKPOINT_INTERVAL`] |
//! | forget clients that have gone away, check the wall clock | every [`SWEEP_INTERVAL`] |
//!
//! It promises that a duty that fails, as on a full disk, is tried again later, and that a due job is
//! staged without polling.

use std::time::Duration;

use crate::actor::events::shared_recorder::SharedRecorder;
use crate::actor::message::{Commit, DueAt, MaintainLeases, Read, Reply, Sweep, WriteResult};
use crate::actor::send_to;
use crate::actor::vital::Vital;
use crate::actor::writer::inbox::WriterHandle;
use crate::clock::Clock;
use crate::job::{JobId, Span, Timestamp};
use crate::metrics::stats::STEP;
use crate::store::{Answer, Checkpoint, MOVE_AT_ONCE, MoveSummary, Prunable, Write};
use actix::{
    Actor, ActorFutureExt, AsyncContext, Context, Handler, Recipient, SpawnHandle, WrapFuture,
};

/// Interval between two checks for expired jobs and expired leases. Each check costs one index seek if
/// it finds none.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Interval between two checkpoints of the write-ahead log, in addition to SQLite's automatic ones.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(30);
/// Interval at which the Announcer forgets clients that have gone away.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// Pause between two chunks of the table while it is searched for old jobs.
const PRUNE_CHUNK_PAUSE: Duration = Duration::from_millis(100);
/// Pause between two passes over the table, and after a failed search.
const PRUNE_PASS_PAUSE: Duration = Duration::from_secs(30);
/// Difference between the wall clock and the server's clock above which a warning is logged.
const MAX_CLOCK_DRIFT: Duration = Duration::from_secs(5);
/// Maximum pause between two stagings, as a safeguard in case a due time was missed.
const MAX_STAGE_PAUSE: Duration = Duration::from_secs(60);

/// The Keeper. See the module documentation.
pub(crate) struct Keeper {
    writer: WriterHandle,
    prunable: Recipient<Read<Prunable>>,
    checkpoint: Recipient<Read<Checkpoint>>,
    maintain_leases: Recipient<MaintainLeases>,
    sweep: Recipient<Sweep>,
    recorder: SharedRecorder,
    clock: Clock,
    retention: Span,
    /// The timer of the next staging, with the time it is set to.
    stage_timer: Option<(Timestamp, SpawnHandle)>,
    /// Clock drift at the last warning about it.
    logged_drift: Option<Duration>,
    _vital: Vital,
}

/// The actors that the Keeper sends messages to, and the recorder.
pub(crate) struct Peers {
    pub(crate) writer: WriterHandle,
    /// A Reader, for the search for old jobs.
    pub(crate) prunable: Recipient<Read<Prunable>>,
    /// A Reader, for the checkpoints.
    pub(crate) checkpoint: Recipient<Read<Checkpoint>>,
    /// The Dispatcher.
    pub(crate) maintain_leases: Recipient<MaintainLeases>,
    /// The Announcer.
    pub(crate) sweep: Recipient<Sweep>,
    pub(crate) recorder: SharedRecorder,
}

impl Keeper {
    pub(crate) fn new(peers: Peers, clock: Clock, retention: Span, vital: Vital) -> Self {
        let Peers { writer, prunable, checkpoint, maintain_leases, sweep, recorder } = peers;
        Self {
            writer,
            prunable,
            checkpoint,
            maintain_leases,
            sweep,
            recorder,
            clock,
            retention,
            stage_timer: None,
            logged_drift: None,
            _vital: vital,
        }
    }

    /// Sends a write to the Writer and returns its result; `None` if the server is ending.
    fn commit(&self, write: Write) -> impl Future<Output = Option<WriteResult>> + use<> {
        let (reply, answer) = Reply::caller(Vec::new());
        self.writer.commit(Commit { write, reply });
        async move { answer.await.ok() }
    }

    /// Stages the due jobs, and sets the timer for the next job that becomes due.
    fn stage(&mut self, ctx: &mut Context<Self>) {
        self.stage_timer = None;
        let staged = self.commit(Write::Stage { limit: MOVE_AT_ONCE });
        ctx.spawn(staged.into_actor(self).map(|answer, keeper, ctx| {
            let latest = keeper.clock.now().plus(MAX_STAGE_PAUSE);
            let next_at = match answer {
                Some(Ok(Answer::Moved(MoveSummary { next_at, .. }))) => next_at.unwrap_or(latest),
                // Most likely the disk is full. Try again later.
                _ => keeper.clock.now().plus(CHECK_INTERVAL),
            };
            keeper.stage_at(next_at.min(latest), ctx);
        }));
    }

    /// Sets the timer of the next staging, unless it is set to an earlier time already.
    fn stage_at(&mut self, at: Timestamp, ctx: &mut Context<Self>) {
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

    fn check(&self, ctx: &mut Context<Self>) {
        self.expire(ctx);
        send_to(&self.maintain_leases, MaintainLeases);
    }

    /// Cancels the jobs that have expired, in chunks of [`MOVE_AT_ONCE`].
    fn expire(&self, ctx: &mut Context<Self>) {
        let expired = self.commit(Write::Expire { limit: MOVE_AT_ONCE });
        ctx.spawn(expired.into_actor(self).map(|answer, keeper, ctx| {
            if let Some(Ok(Answer::Moved(moved))) = answer
                && moved.count >= MOVE_AT_ONCE as usize
            {
                keeper.expire(ctx);
            }
        }));
    }

    /// Searches the next chunk of the table, which starts after an id, for old final jobs.
    fn prune(&self, after: JobId, ctx: &mut Context<Self>) {
        let finished_before = self.clock.now().minus(self.retention.duration());
        let read = Read::new(move |store, _| store.prunable(after, finished_before));
        let found = self.prunable.send(read);
        ctx.spawn(found.into_actor(self).map(move |found, keeper, ctx| {
            let Ok(Ok(found)) = found else {
                ctx.run_later(PRUNE_PASS_PAUSE, move |keeper, ctx| keeper.prune(after, ctx));
                return;
            };
            keeper.remove(found, finished_before, ctx);
        }));
    }

    /// Removes the old jobs of a chunk, then continues with the next chunk.
    fn remove(&self, found: Prunable, finished_before: Timestamp, ctx: &mut Context<Self>) {
        let (next, pause) = match found.next {
            Some(next) => (next, PRUNE_CHUNK_PAUSE),
            None => (JobId(0), PRUNE_PASS_PAUSE),
        };
        let removed = (!found.jobs.is_empty())
            .then(|| self.commit(Write::Prune { jobs: found.jobs, finished_before }));
        let removed = async {
            if let Some(removed) = removed {
                removed.await;
            }
        };
        ctx.spawn(removed.into_actor(self).map(move |(), _, ctx| {
            ctx.run_later(pause, move |keeper, ctx| keeper.prune(next, ctx));
        }));
    }

    /// Writes the closed time buckets, and drops them from memory once they are on disk.
    fn write_time_buckets(&self, ctx: &mut Context<Self>) {
        let now = self.clock.now();
        let closed = self.recorder.with(|recorder| {
            recorder.roll(now);
            recorder.take_unwritten()
        });
        if closed.is_empty() {
            return;
        }
        let count = closed.len();
        let written = self.commit(Write::TimeBuckets(closed));
        ctx.spawn(written.into_actor(self).map(move |written, keeper, _| {
            keeper.recorder.with(|recorder| match written {
                Some(Ok(_)) => recorder.mark_written(count),
                _ => recorder.mark_unwritten(count),
            });
        }));
    }

    /// Warns the operator if the wall clock was set.
    ///
    /// The server's clock does not follow it, so that no lease moves. But `run_at` is a time of the
    /// wall clock, so the operator should know of the difference. The warning is repeated when the
    /// drift has more than doubled.
    fn check_wall_clock(&mut self) {
        let drift = self.clock.drift_from_wall();
        if drift > MAX_CLOCK_DRIFT && self.logged_drift.is_none_or(|logged| drift > logged * 2) {
            let by = Span::new(drift);
            tracing::warn!(%by, "the wall clock was set; schedules follow it after a restart");
            self.logged_drift = Some(drift);
        }
    }

    fn checkpoint(&self, ctx: &mut Context<Self>) {
        let moved = self.checkpoint.send(Read::new(|store, _| store.checkpoint()));
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

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.stage(ctx);
        self.prune(JobId(0), ctx);
        ctx.run_interval(CHECK_INTERVAL, |keeper, ctx| keeper.check(ctx));
        ctx.run_interval(STEP.duration(), |keeper, ctx| keeper.write_time_buckets(ctx));
        ctx.run_interval(CHECKPOINT_INTERVAL, |keeper, ctx| keeper.checkpoint(ctx));
        ctx.run_interval(SWEEP_INTERVAL, |keeper, _| {
            send_to(&keeper.sweep, Sweep);
            keeper.check_wall_clock();
        });
    }
}

impl Handler<DueAt> for Keeper {
    type Result = ();

    fn handle(&mut self, DueAt(at): DueAt, ctx: &mut Self::Context) {
        self.stage_at(at, ctx);
    }
}
