//! Putting a server together: its handlers, its clock, its store.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Clock;
use crate::config::Config;
use crate::executor::{Context, Handler, HandlerError, Registry, RegistryError};
use crate::job::queue::{QueueChange, QueueName};
use crate::job::recorder::Recorder;
use crate::job::roster::Roster;
use crate::server::Server;
use crate::server::join::{Parts, join};
use crate::store::sqlite::{SqliteReads, SqliteWrites};
use crate::store::{
    Answer, MOVE_AT_ONCE, OpenError, ReadStore, RescueScope, StoreError, Write, WriteStore,
};

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database cannot be granted up to date.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A kind cannot be registered.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// There is no actix system on this thread.
    #[error("a server is started inside an actix system, as #[actix_web::main] makes one")]
    NoSystem,
}

/// A server that is being put together.
pub struct Builder {
    config: Config,
    clock: Clock,
    handlers: Vec<(String, Handler)>,
    is_restored: bool,
}

impl Builder {
    pub(super) fn new(config: Config) -> Self {
        Self { config, clock: Clock::system(), handlers: Vec::new(), is_restored: false }
    }

    /// Runs jobs of `kind` by an async function: its payload in, its result out.
    #[must_use]
    pub fn handler<P, R, F, Fut>(mut self, kind: &str, function: F) -> Self
    where
        P: DeserializeOwned + 'static,
        R: Serialize + 'static,
        F: Fn(Context, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<R, HandlerError>> + 'static,
    {
        self.handlers.push((kind.to_owned(), Handler::new(function)));
        self
    }

    /// Runs jobs of `kind` by a blocking function, on a thread of the `thread` lane.
    #[must_use]
    pub fn blocking_handler<P, R, F>(mut self, kind: &str, function: F) -> Self
    where
        P: DeserializeOwned + 'static,
        R: Serialize + 'static,
        F: Fn(Context, P) -> Result<R, HandlerError> + Send + Sync + 'static,
    {
        self.handlers.push((kind.to_owned(), Handler::blocking(function)));
        self
    }

    /// Takes the time from `clock`, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Says that the database is a copy, made by other means than `longshore backup`, whose copies
    /// tell it themselves. The leases of the original are then no longer taken.
    #[must_use]
    pub fn restored(mut self) -> Self {
        self.is_restored = true;
        self
    }

    /// Opens the database, takes back what a dead process left running, starts the actors.
    ///
    /// # Errors
    /// Where the database cannot be opened, a kind cannot be registered, or there is no actix
    /// system.
    pub fn start(self) -> Result<Server, StartError> {
        if actix::System::try_current().is_none() {
            return Err(StartError::NoSystem);
        }
        let Self { config, clock, handlers, is_restored } = self;
        let mut registry = Registry::new(&config)?;
        for (kind, handler) in handlers {
            registry.add_handler(&kind, handler)?;
        }
        let mut store = SqliteWrites::open(&config)?;
        begin_epoch(&mut store, is_restored, &clock)?;
        rescue_dead(&mut store, &clock)?;
        make_listed_queues(&mut store, &config, &clock)?;
        let loads = store.queue_loads()?;
        let remote_running = loads.iter().map(|load| i64::from(load.remote_running)).sum();
        let roster = Roster::new(config.lanes.workers(), loads, config.queue_rules());
        let mut points = SqliteReads::open(&config)?;
        let recorder = Recorder::new(clock.now(), points.counts()?, remote_running);
        let parts = Parts {
            writes: Box::new(store),
            point_reads: Box::new(points),
            list_reads: Box::new(SqliteReads::open(&config)?),
            roster,
            recorder,
            registry: Arc::new(registry),
            config: Arc::new(config),
            clock,
        };
        Ok(join(parts))
    }
}

/// Makes the queues that the configuration lists, so that they are seen before their first job.
fn make_listed_queues(
    store: &mut dyn WriteStore,
    config: &Config,
    clock: &Clock,
) -> Result<(), StoreError> {
    let change = QueueChange::default();
    let make = |queue: &QueueName| Write::Configure { queue: queue.clone(), change };
    let writes: Vec<Write> = config.queues.keys().map(make).collect();
    if !writes.is_empty() {
        store.commit(&writes, clock.now())?;
    }
    Ok(())
}

/// Tells the database from the one that it was copied from, before anything else is done to it.
fn begin_epoch(
    store: &mut dyn WriteStore,
    is_restored: bool,
    clock: &Clock,
) -> Result<(), StoreError> {
    if let Some(epoch) = store.begin_epoch(is_restored, clock.now())? {
        let copied_at = epoch.copied_at.map(|at| at.to_string());
        let token_floor = epoch.token_floor;
        tracing::warn!(
            copied_at,
            token_floor,
            "the database is a copy: a new epoch begins, and no lease from before holds"
        );
    }
    Ok(())
}

/// Takes back what a process that died held. Nothing runs yet, so whatever runs is of the dead.
fn rescue_dead(store: &mut dyn WriteStore, clock: &Clock) -> Result<(), StoreError> {
    let mut rescued = 0;
    loop {
        let write = Write::Rescue { scope: RescueScope::Dead, limit: MOVE_AT_ONCE };
        let committed = store.commit(&[write], clock.now())?;
        let Some(Ok(Answer::Moved(moved))) = committed.answers.into_iter().next() else { break };
        rescued += moved.count;
        if moved.count == 0 {
            break;
        }
    }
    if rescued > 0 {
        tracing::warn!(
            jobs = rescued,
            "took back the jobs that a process left running when it died"
        );
    }
    Ok(())
}
