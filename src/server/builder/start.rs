//! Starts the actors, each on its thread, in the order in which they need each other's addresses.

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use actix::{Actor, Addr};
use actix_rt::{Arbiter, ArbiterHandle};

use crate::actor::dispatcher::{Dispatcher, WorkerRecipients};
use crate::actor::events::announcer::Announcer;
use crate::actor::events::publisher::{ClientCounts, Publisher};
use crate::actor::events::shared_recorder::SharedRecorder;
use crate::actor::keeper::prune_hold::PruneHold;
use crate::actor::keeper::{Keeper, Peers};
use crate::actor::keyring::Keyring;
use crate::actor::learned_kinds::SharedLearnedKinds;
use crate::actor::message::StartLeasing;
use crate::actor::reader::Reader;
use crate::actor::send;
use crate::actor::vital::{Fatal, Vital};
use crate::actor::webhook_secrets::SharedWebhookSecrets;
use crate::actor::worker::Worker;
use crate::actor::writer::Writer;
use crate::actor::writer::inbox::{Inbox, WriterHandle};
use crate::auth::webhook::WebhookSecrets;
use crate::clock::Clock;
use crate::config::Config;
use crate::executor::Registry;
use crate::job::{Lane, Span};
use crate::metrics::recorder::Recorder;
use crate::roster::{LearnedKinds, Roster};
use crate::server::Server;
use crate::server::handle::{Connections, Handle};
use crate::store::{ReadStore, WriteStore};

/// The parts from which the actors are made.
pub(crate) struct Parts {
    pub(crate) writes: Box<dyn WriteStore>,
    pub(crate) point_reads: Box<dyn ReadStore>,
    pub(crate) list_reads: Box<dyn ReadStore>,
    pub(crate) roster: Roster,
    pub(crate) recorder: Recorder,
    pub(crate) prune_hold: PruneHold,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) webhook_secrets: Arc<WebhookSecrets>,
    pub(crate) registry: Arc<Registry>,
    pub(crate) learned_kinds: LearnedKinds,
    pub(crate) config: Arc<Config>,
    pub(crate) clock: Clock,
}

/// Starts the actors and returns the server.
pub(crate) fn start_actors(parts: Parts) -> Server {
    let Parts { writes, point_reads, list_reads, roster, recorder, .. } = parts;
    let Parts { prune_hold, keyring, webhook_secrets, registry, config, clock, .. } = parts;
    let backend_duties = list_reads.duties();
    let fatal = Fatal::new();
    let recorder = SharedRecorder::new(recorder);
    let publisher = Publisher { client_counts: ClientCounts::default(), recorder };
    let mut threads = Threads::default();
    let lease_duration = config.lease;
    let (writer_address, writer) = start_writer(
        &threads.start_one(),
        (writes, roster),
        (&clock, &fatal),
        lease_duration,
        publisher.clone(),
    );
    let point_reads = start_reader(&mut threads, point_reads, &clock, &fatal);
    let list_reads = start_reader(&mut threads, list_reads, &clock, &fatal);
    let workers = start_workers(&mut threads, &config, &registry, &writer, &fatal);

    let control_thread = threads.start_one();
    let dispatcher =
        start_dispatcher(&control_thread, (&writer, workers), (&clock, &fatal), lease_duration);
    let announcer = start_announcer(&mut threads, &fatal);
    let keeper = start_keeper(
        &control_thread,
        Peers {
            writer: writer.clone(),
            prunable: list_reads.clone().recipient(),
            backend: list_reads.clone().recipient(),
            backend_duties,
            maintain_leases: dispatcher.clone().recipient(),
            sweep: announcer.clone().recipient(),
            recorder: publisher.recorder.clone(),
            keyring: Arc::clone(&keyring),
        },
        (&clock, &fatal),
        (config.retention, prune_hold.clone()),
        config.lanes.workers(),
    );
    let start = StartLeasing {
        dispatch: dispatcher.clone().recipient(),
        announce: announcer.clone().recipient(),
        due_at: keeper.recipient(),
    };
    start_leasing(&writer_address, start, &fatal);

    let shutdown_grace = config.shutdown_grace.duration();
    let connections = Connections {
        writer,
        lease_requests: writer_address.clone(),
        point_reads,
        list_reads,
        announcer,
        publisher,
        prune_hold,
        keyring,
        webhook_secrets: SharedWebhookSecrets::new(webhook_secrets),
        learned_kinds: SharedLearnedKinds::new(parts.learned_kinds),
    };
    let handle = Handle::new(connections, registry, config, clock);
    Server {
        handle,
        writer: writer_address,
        dispatcher,
        arbiters: threads.0,
        fatal,
        shutdown_grace,
    }
}

/// Starts the Announcer on a thread of its own, because there may be many subscribers, and the start of jobs
/// must not wait for them.
fn start_announcer(threads: &mut Threads, fatal: &Fatal) -> Addr<Announcer> {
    let vital = Vital::new("announcer", fatal);
    Announcer::start_in_arbiter(&threads.start_one(), move |_| Announcer::new(vital))
}

fn start_leasing(writer: &Addr<Writer>, start: StartLeasing, fatal: &Fatal) {
    if !send(writer, start) {
        fatal.raise("the writer died before leasing started");
    }
}

fn start_writer(
    thread: &ArbiterHandle,
    (writes, roster): (Box<dyn WriteStore>, Roster),
    (clock, fatal): (&Clock, &Fatal),
    lease_duration: Span,
    publisher: Publisher,
) -> (Addr<Writer>, WriterHandle) {
    let (clock, vital) = (clock.clone(), Vital::new("writer", fatal));
    let inbox = Inbox::default();
    let sender = inbox.sender();
    let address = Writer::start_in_arbiter(thread, move |_| {
        Writer::new(inbox, writes, roster, clock, lease_duration, publisher, vital)
    });
    let handle = sender.into_handle(address.clone().recipient());
    (address, handle)
}

fn start_dispatcher(
    thread: &ArbiterHandle,
    (writer, workers): (&WriterHandle, [Vec<WorkerRecipients>; Lane::COUNT]),
    (clock, fatal): (&Clock, &Fatal),
    lease_duration: Span,
) -> Addr<Dispatcher> {
    let (writer, clock) = (writer.clone(), clock.clone());
    let vital = Vital::new("dispatcher", fatal);
    Dispatcher::start_in_arbiter(thread, move |_| {
        Dispatcher::new(writer, workers, lease_duration, clock, vital)
    })
}

fn start_keeper(
    thread: &ArbiterHandle,
    peers: Peers,
    (clock, fatal): (&Clock, &Fatal),
    (retention, prune_hold): (Span, PruneHold),
    workers: [u32; Lane::COUNT],
) -> Addr<Keeper> {
    let (clock, vital) = (clock.clone(), Vital::new("keeper", fatal));
    Keeper::start_in_arbiter(thread, move |_| {
        Keeper::new(peers, clock, (retention, prune_hold), workers, vital)
    })
}

/// The threads of the server, in the order of their start.
#[derive(Default)]
struct Threads(Vec<Arbiter>);

impl Threads {
    /// Starts a thread, and returns a handle with which actors can be started on it.
    fn start_one(&mut self) -> ArbiterHandle {
        let arbiter = Arbiter::new();
        let handle = arbiter.handle();
        self.0.push(arbiter);
        handle
    }
}

fn start_reader(
    threads: &mut Threads,
    store: Box<dyn ReadStore>,
    clock: &Clock,
    fatal: &Fatal,
) -> Addr<Reader> {
    let (clock, vital) = (clock.clone(), Vital::new("reader", fatal));
    Reader::start_in_arbiter(&threads.start_one(), move |_| Reader::new(store, clock, vital))
}

/// Starts the workers of all local lanes, spread over as many threads as there are cores.
fn start_workers(
    threads: &mut Threads,
    config: &Config,
    registry: &Arc<Registry>,
    writer: &WriterHandle,
    fatal: &Fatal,
) -> [Vec<WorkerRecipients>; Lane::COUNT] {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let worker_threads: Vec<_> = (0..cores).map(|_| threads.start_one()).collect();
    let abandoned = Arc::new(AtomicUsize::new(0));
    let mut workers: [Vec<WorkerRecipients>; Lane::COUNT] = Default::default();
    for lane in Lane::LOCAL {
        for number in 0..config.lanes.workers()[lane.index()] {
            let (registry, writer) = (Arc::clone(registry), writer.clone());
            let vital = Vital::new("worker", fatal);
            let abandoned = Arc::clone(&abandoned);
            let thread = &worker_threads[number as usize % worker_threads.len()];
            let worker = Worker::start_in_arbiter(thread, move |_| {
                Worker::new(registry, writer, abandoned, vital)
            });
            let (run, stop) = (worker.clone().recipient(), worker.recipient());
            workers[lane.index()].push(WorkerRecipients { run, stop });
        }
    }
    workers
}
