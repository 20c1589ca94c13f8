//! What time brings: one actor with all periodic work, each piece idempotent.

use std::time::Duration;

use actix::{Actor, ActorFutureExt, Addr, AsyncContext, Context, Handler, SpawnHandle, WrapFuture};
use tokio::sync::oneshot;

use crate::actor::announcer::Announcer;
use crate::actor::dispatcher::Dispatcher;
use crate::actor::inbox::WriterHandle;
use crate::actor::message::{
    CheckpointLog, Commit, DueAt, FindPrunable, MaintainLeases, Reply, Sweep, WriteResult,
};
use crate::actor::reader::Reader;
use crate::actor::send;
use crate::actor::shared_recorder::SharedRecorder;
use crate::actor::vital::Vital;
use crate::clock::Clock;
use crate::job::stats::STEP;
use crate::job::{JobId, Span, Timestamp};
use crate::store::{Answer, MOVE_AT_ONCE, MoveSummary, Prunable, Write};

/// How often expired jobs and leases are looked for. One seek each where there are none.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);
/// How often the log is moved into the database file, between the Writer's own times.
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(30);
/// How often those who no longer wait are forgotten.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);
/// The pause between two stretches of the table while old jobs are found, and at its end.
const PRUNE_PAUSE: Duration = Duration::from_millis(100);
const PRUNE_REST: Duration = Duration::from_secs(30);
/// By how much the wall clock may part from the server's own before the operator is told.
const MAX_PARTED: Duration = Duration::from_secs(5);
/// The longest pause between two stagings, for what a clock cannot foresee.
const STAGE_REST: Duration = Duration::from_secs(60);

/// The Keeper.
pub(crate) struct Keeper {
    writer: WriterHandle,
    reader: Addr<Reader>,
    dispatcher: Addr<Dispatcher>,
    announcer: Addr<Announcer>,
    recorder: SharedRecorder,
    clock: Clock,
    retention: Span,
    stage_timer: Option<(Timestamp, SpawnHandle)>,
    /// By how much the wall clock had parted when that was told last.
    parted: Option<Duration>,
    _vital: Vital,
}

/// Whom the Keeper talks to.
pub(crate) struct Peers {
    pub(crate) writer: WriterHandle,
    pub(crate) reader: Addr<Reader>,
    pub(crate) dispatcher: Addr<Dispatcher>,
    pub(crate) announcer: Addr<Announcer>,
    pub(crate) recorder: SharedRecorder,
}

impl Keeper {
    pub(crate) fn new(peers: Peers, clock: Clock, retention: Span, vital: Vital) -> Self {
        let Peers { writer, reader, dispatcher, announcer, recorder } = peers;
        Self {
            writer,
            reader,
            dispatcher,
            announcer,
            recorder,
            clock,
            retention,
            stage_timer: None,
            parted: None,
            _vital: vital,
        }
    }

    /// Asks the Writer and gives its answer; none where the server ends.
    fn ask(&self, write: Write) -> impl Future<Output = Option<WriteResult>> + use<> {
        let (reply, answer) = oneshot::channel();
        let reply = Reply::Caller { reply, permits: Vec::new() };
        self.writer.commit(Commit { write, reply });
        async move { answer.await.ok() }
    }

    /// Stages what is due, and sets the timer for what is due next.
    fn stage(&mut self, ctx: &mut Context<Self>) {
        self.stage_timer = None;
        let staged = self.ask(Write::Stage { limit: MOVE_AT_ONCE });
        ctx.spawn(staged.into_actor(self).map(|answer, keeper, ctx| {
            let rest = keeper.clock.now().plus(STAGE_REST);
            let next_at = match answer {
                Some(Ok(Answer::Moved(MoveSummary { next_at, .. }))) => next_at.unwrap_or(rest),
                // A full disk, most likely. Once more in a while.
                _ => keeper.clock.now().plus(LOOK_INTERVAL),
            };
            keeper.stage_at(next_at.min(rest), ctx);
        }));
    }

    /// Sets the timer, unless it is set to an earlier time.
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

    fn look(&self, ctx: &mut Context<Self>) {
        self.expire(ctx);
        send(&self.dispatcher, MaintainLeases);
    }

    /// Calls off what has expired, portion by portion.
    fn expire(&self, ctx: &mut Context<Self>) {
        let expired = self.ask(Write::Expire { limit: MOVE_AT_ONCE });
        ctx.spawn(expired.into_actor(self).map(|answer, keeper, ctx| {
            if let Some(Ok(Answer::Moved(moved))) = answer
                && moved.count >= MOVE_AT_ONCE as usize
            {
                keeper.expire(ctx);
            }
        }));
    }

    fn prune(&self, after: JobId, ctx: &mut Context<Self>) {
        let finished_before = self.clock.now().minus(self.retention.duration());
        let found = self.reader.send(FindPrunable { after, finished_before });
        ctx.spawn(found.into_actor(self).map(move |found, keeper, ctx| {
            let Ok(Ok(found)) = found else {
                ctx.run_later(PRUNE_REST, move |keeper, ctx| keeper.prune(after, ctx));
                return;
            };
            keeper.remove(found, finished_before, ctx);
        }));
    }

    /// Removes a stretch's old jobs, and goes on to the next when that is done.
    fn remove(&self, found: Prunable, finished_before: Timestamp, ctx: &mut Context<Self>) {
        let (next, pause) = match found.next {
            Some(next) => (next, PRUNE_PAUSE),
            None => (JobId(0), PRUNE_REST),
        };
        let removed = (!found.jobs.is_empty())
            .then(|| self.ask(Write::Prune { jobs: found.jobs, finished_before }));
        let removed = async {
            if let Some(removed) = removed {
                removed.await;
            }
        };
        ctx.spawn(removed.into_actor(self).map(move |(), _, ctx| {
            ctx.run_later(pause, move |keeper, ctx| keeper.prune(next, ctx));
        }));
    }

    /// Writes down what the charts are drawn from, and forgets it when it is on disk.
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
        let kept = self.ask(Write::TimeBuckets(closed));
        ctx.spawn(kept.into_actor(self).map(move |kept, keeper, _| {
            keeper.recorder.with(|recorder| match kept {
                Some(Ok(_)) => recorder.mark_written(count),
                _ => recorder.mark_unwritten(count),
            });
        }));
    }

    /// Leases must not move with a wall clock that is set, so the server's own goes on evenly. The
    /// operator should know when the two have parted, for `run_at` is meant by the wall.
    fn look_at_wall_clock(&mut self) {
        let parted = self.clock.drift_from_wall();
        if parted > MAX_PARTED && self.parted.is_none_or(|told| parted > told * 2) {
            let by = Span::new(parted);
            tracing::warn!(%by, "the wall clock was set; schedules follow it after a restart");
            self.parted = Some(parted);
        }
    }

    fn checkpoint(&self, ctx: &mut Context<Self>) {
        let moved = self.reader.send(CheckpointLog);
        ctx.spawn(moved.into_actor(self).map(|moved, _, _| match moved {
            Ok(Ok(moved)) => tracing::debug!(
                log_pages = moved.log_pages,
                moved_pages = moved.moved_pages,
                "moved the log into the database file"
            ),
            Ok(Err(error)) => tracing::warn!(%error, "the log could not be moved"),
            // The server ends.
            Err(_) => {}
        }));
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        self.stage(ctx);
        self.prune(JobId(0), ctx);
        ctx.run_interval(LOOK_INTERVAL, |keeper, ctx| keeper.look(ctx));
        ctx.run_interval(STEP.duration(), |keeper, ctx| keeper.write_time_buckets(ctx));
        ctx.run_interval(CHECKPOINT_INTERVAL, |keeper, ctx| keeper.checkpoint(ctx));
        ctx.run_interval(SWEEP_INTERVAL, |keeper, _| {
            send(&keeper.announcer, Sweep);
            keeper.look_at_wall_clock();
        });
    }
}

impl Handler<DueAt> for Keeper {
    type Result = ();

    fn handle(&mut self, DueAt(at): DueAt, ctx: &mut Self::Context) {
        self.stage_at(at, ctx);
    }
}
