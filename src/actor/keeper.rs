//! The Keeper: one actor with all periodic duties. Each duty is idempotent.
//!
//! It owns the timers. [`DUTIES`] is the list of everything that it does. It promises that a duty that
//! fails, as on a full disk, is tried again later, and that a due job is staged without polling.

mod activity;
mod backend;
mod close_batches;
mod expire;
mod keys;
mod lanes;
mod prune;
pub(crate) mod prune_hold;
mod stage;
#[cfg(test)]
mod tests;
mod time_buckets;
mod wall_clock;

use std::sync::Arc;
use std::time::Duration;

use actix::{Actor, AsyncContext, Context, Handler, Recipient, SpawnHandle};

use crate::actor::events::shared_recorder::SharedRecorder;
use crate::actor::keeper::lanes::FullLanes;
use crate::actor::keeper::prune_hold::PruneHold;
use crate::actor::keyring::Keyring;
use crate::actor::message::{Commit, DueAt, MaintainLeases, Read, Reply, Sweep, WriteResult};
use crate::actor::send_to;
use crate::actor::vital::Vital;
use crate::actor::writer::inbox::WriterHandle;
use crate::clock::Clock;
use crate::job::{Lane, Span, Timestamp};
use crate::metrics::time_bucket::STEP;
use crate::store::{BackendDuty, Prunable, Write};

/// Interval between two checks for expired jobs, for expired leases and for batches to close. Each check
/// costs one index seek if it finds none.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);
/// Interval at which the time is recorded. A crash makes the last activity look older by at most this, which
/// is little compared with the shortest jump that holds pruning.
const ACTIVITY_INTERVAL: Duration = Duration::from_secs(300);
/// Interval between two checks for API keys that have expired. The streams of a key end within a second.
const KEY_END_INTERVAL: Duration = Duration::from_millis(250);
/// Interval at which the last uses of API keys are stored.
const KEY_USE_INTERVAL: Duration = Duration::from_secs(60);
/// Interval at which the Announcer forgets clients that have gone away.
const SWEEP_INTERVAL: Duration = Duration::from_secs(60);

/// A periodic duty of the Keeper.
struct Duty {
    name: &'static str,
    rhythm: Rhythm,
    run: fn(&mut Keeper, &mut Context<Keeper>),
}

/// Times at which a duty is done.
enum Rhythm {
    /// After each interval of this duration.
    Every(Duration),
    /// At the start of the Keeper; from then on the duty sets its next time by itself.
    SelfTimed,
}

/// All duties that do not depend on the backend; a backend lists its own, see
/// [`ReadStore::duties`](crate::store::ReadStore::duties). To add one, add its function in a file of its own, and a line here.
static DUTIES: [Duty; 12] = [
    // Queues scheduled and retrying jobs at the time at which the next of them is due.
    Duty { name: "stage", rhythm: Rhythm::SelfTimed, run: Keeper::stage },
    // Deletes old final jobs, continuously, in chunks of the table.
    Duty { name: "prune", rhythm: Rhythm::SelfTimed, run: Keeper::prune },
    Duty { name: "expire", rhythm: Rhythm::Every(CHECK_INTERVAL), run: Keeper::expire },
    Duty {
        name: "close_batches",
        rhythm: Rhythm::Every(CHECK_INTERVAL),
        run: Keeper::close_batches,
    },
    Duty {
        name: "maintain_leases",
        rhythm: Rhythm::Every(CHECK_INTERVAL),
        run: Keeper::maintain_leases,
    },
    Duty {
        name: "write_time_buckets",
        rhythm: Rhythm::Every(STEP.duration()),
        run: Keeper::write_time_buckets,
    },
    Duty { name: "watch_lanes", rhythm: Rhythm::Every(CHECK_INTERVAL), run: Keeper::watch_lanes },
    Duty {
        name: "record_activity",
        rhythm: Rhythm::Every(ACTIVITY_INTERVAL),
        run: Keeper::record_activity,
    },
    Duty {
        name: "end_expired_keys",
        rhythm: Rhythm::Every(KEY_END_INTERVAL),
        run: Keeper::end_expired_keys,
    },
    Duty {
        name: "store_key_uses",
        rhythm: Rhythm::Every(KEY_USE_INTERVAL),
        run: Keeper::store_key_uses,
    },
    Duty { name: "sweep", rhythm: Rhythm::Every(SWEEP_INTERVAL), run: Keeper::sweep },
    Duty {
        name: "check_wall_clock",
        rhythm: Rhythm::Every(SWEEP_INTERVAL),
        run: Keeper::check_wall_clock,
    },
];

impl Duty {
    /// Starts to do the duty in its rhythm.
    fn start(&'static self, keeper: &mut Keeper, ctx: &mut Context<Keeper>) {
        match self.rhythm {
            Rhythm::SelfTimed => self.run(keeper, ctx),
            Rhythm::Every(interval) => {
                ctx.run_interval(interval, |keeper, ctx| self.run(keeper, ctx));
            }
        }
    }

    fn run(&self, keeper: &mut Keeper, ctx: &mut Context<Keeper>) {
        tracing::trace!(duty = self.name, "a periodic duty");
        (self.run)(keeper, ctx);
    }
}

/// The Keeper. See the module documentation.
pub(crate) struct Keeper {
    peers: Peers,
    duties: &'static [Duty],
    clock: Clock,
    retention: Span,
    prune_hold: PruneHold,
    /// Number of workers of each lane.
    workers: [u32; Lane::COUNT],
    full_lanes: FullLanes,
    /// The timer of the next staging, with the time it is set to.
    stage_timer: Option<(Timestamp, SpawnHandle)>,
    /// Clock drift at the last warning about it.
    logged_drift: Option<Duration>,
    _vital: Vital,
}

/// The recipients of the Keeper's messages, and the recorder.
pub(crate) struct Peers {
    pub(crate) writer: WriterHandle,
    /// A Reader, for the search for old jobs.
    pub(crate) prunable: Recipient<Read<Prunable>>,
    /// A Reader, for the duties of the backend.
    pub(crate) backend: Recipient<Read<String>>,
    /// The duties of the backend.
    pub(crate) backend_duties: &'static [BackendDuty],
    /// The Dispatcher.
    pub(crate) maintain_leases: Recipient<MaintainLeases>,
    /// The Announcer.
    pub(crate) sweep: Recipient<Sweep>,
    pub(crate) recorder: SharedRecorder,
    pub(crate) keyring: Arc<Keyring>,
}

impl Keeper {
    pub(crate) fn new(
        peers: Peers,
        clock: Clock,
        (retention, prune_hold): (Span, PruneHold),
        workers: [u32; Lane::COUNT],
        vital: Vital,
    ) -> Self {
        Self {
            peers,
            duties: &DUTIES,
            clock,
            retention,
            prune_hold,
            workers,
            full_lanes: FullLanes::default(),
            stage_timer: None,
            logged_drift: None,
            _vital: vital,
        }
    }

    /// Sends a write to the Writer and returns its result; `None` if the server is ending.
    fn commit(&self, write: Write) -> impl Future<Output = Option<WriteResult>> + use<> {
        let (reply, answer) = Reply::caller(Vec::new());
        self.peers.writer.commit(Commit { write, reply });
        async move { answer.await.ok() }
    }

    /// Has the Dispatcher renew the leases of running jobs and rescue jobs whose lease expired.
    fn maintain_leases(&mut self, _: &mut Context<Self>) {
        send_to(&self.peers.maintain_leases, MaintainLeases);
    }

    /// Has the Announcer forget clients that have gone away.
    fn sweep(&mut self, _: &mut Context<Self>) {
        send_to(&self.peers.sweep, Sweep);
    }
}

impl Actor for Keeper {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        for duty in self.duties {
            duty.start(self, ctx);
        }
        for duty in self.peers.backend_duties {
            ctx.run_interval(duty.interval, |keeper, ctx| keeper.do_backend_duty(duty, ctx));
        }
    }
}

impl Handler<DueAt> for Keeper {
    type Result = ();

    fn handle(&mut self, DueAt(at): DueAt, ctx: &mut Self::Context) {
        self.stage_at(at, ctx);
    }
}
