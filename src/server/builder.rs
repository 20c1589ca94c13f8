//! The builder of a server: its handlers, clock and store.

use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::clock::Clock;
use crate::config::Config;
use crate::executor::{Context, Handler, HandlerError, Registry, RegistryError};
use crate::job::queue::{QueueChange, QueueName};
use crate::metrics::recorder::Recorder;
use crate::roster::Roster;
use crate::server::Server;
use crate::server::start::{Parts, start_actors};
use crate::store::sqlite::{SqliteReads, SqliteWrites};
use crate::store::{
    Answer, MOVE_AT_ONCE, OpenError, ReadStore, RescueScope, StoreError, Write, WriteStore,
};

/// Reason why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be opened, because another process serves it or its file is not usable. The
    /// error says what to do.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The recovery of the database at the start failed, for example because the disk is full. Nothing
    /// is lost; start again when the cause is removed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A kind cannot be registered: its name is invalid or taken, or a provider or
    /// certificate in the configuration cannot be used. Correct the handler's name or the configuration.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// There is no actix system on this thread. Start the server inside
    /// `#[actix_web::main]` or `#[actix::main]`.
    #[error("a server must be started inside an actix system, such as that of #[actix_web::main]")]
    NoSystem,
}

/// Builder of a [`Server`].
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

    /// Runs jobs of `kind` with an async function, which receives the payload and returns the result.
    ///
    /// The function must not block, because it shares its thread with many other jobs.
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

    /// Runs jobs of `kind` with a blocking function, on a thread of the `thread` lane.
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

    /// Uses this clock instead of the system's, for tests.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Declares that the database is a copy that was not made by `longshore backup`, which marks
    /// its copies itself.
    ///
    /// The server then starts a new epoch: leases that the original granted are refused.
    #[must_use]
    pub fn restored(mut self) -> Self {
        self.is_restored = true;
        self
    }

    /// Opens the database, rescues the jobs that a dead process left running, and starts the actors.
    ///
    /// # Errors
    /// Returns [`StartError`] if the database cannot be opened or recovered, a kind cannot be
    /// registered, or there is no actix system on this thread.
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
        create_configured_queues(&mut store, &config, &clock)?;
        let loads = store.queue_loads()?;
        let remote_running = loads.iter().map(|load| i64::from(load.remote_running)).sum();
        let roster = Roster::new(config.lanes.workers(), loads, config.queue_rules());
        let mut point_reads = SqliteReads::open(&config)?;
        let recorder = Recorder::new(clock.now(), point_reads.counts()?, remote_running);
        let parts = Parts {
            writes: Box::new(store),
            point_reads: Box::new(point_reads),
            list_reads: Box::new(SqliteReads::open(&config)?),
            roster,
            recorder,
            registry: Arc::new(registry),
            config: Arc::new(config),
            clock,
        };
        Ok(start_actors(parts))
    }
}

/// Creates the queues that the configuration lists, so that they are shown before their first job.
fn create_configured_queues(
    store: &mut dyn WriteStore,
    config: &Config,
    clock: &Clock,
) -> Result<(), StoreError> {
    let change = QueueChange::default();
    let create = |queue: &QueueName| Write::Configure { queue: queue.clone(), change };
    let writes: Vec<Write> = config.queues.keys().map(create).collect();
    if !writes.is_empty() {
        store.commit(&writes.iter().collect::<Vec<_>>(), clock.now())?;
    }
    Ok(())
}

/// Begins a new epoch if the database is a copy, before any other write.
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
            "the database is a copy: a new epoch begins, and all earlier leases are refused"
        );
    }
    Ok(())
}

/// Rescues the jobs that a dead process left running. This process runs none yet, so every running job
/// of a local lane belongs to a dead process.
fn rescue_dead(store: &mut dyn WriteStore, clock: &Clock) -> Result<(), StoreError> {
    let mut rescued = 0;
    loop {
        let write = Write::Rescue { scope: RescueScope::Dead, limit: MOVE_AT_ONCE };
        let committed = store.commit(&[&write], clock.now())?;
        let Some(Ok(Answer::Moved(moved))) = committed.answers.into_iter().next() else { break };
        rescued += moved.count;
        if moved.count == 0 {
            break;
        }
    }
    if rescued > 0 {
        tracing::warn!(
            jobs = rescued,
            "rescued the jobs that the previous process left running when it died"
        );
    }
    Ok(())
}
