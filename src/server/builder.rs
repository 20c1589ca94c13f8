//! The builder of a server: its handlers, clock and store.

mod first_key;
mod recovery;
mod start;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::actor::key_usage::KeyBounds;
use crate::actor::keyring::Keyring;
use crate::auth::secret::KeySecret;
use crate::auth::token::Signer;
use crate::auth::webhook::WebhookSecrets;
use crate::clock::Clock;
use crate::config::Config;
use crate::executor::{AppState, Context, Handler, HandlerError, Registry, RegistryError};
use crate::job::problem::Problem;
use crate::job::submission::on_end::callback::CallbackOwner;
use crate::job::{JobKind, KindDefaults};
use crate::metrics::recorder::Recorder;
use crate::roster::{LearnedKinds, Roster};
use crate::server::Server;
use crate::server::builder::first_key::FirstKeyError;
use crate::server::builder::recovery::{
    begin_epoch, check_clock, create_configured_queues, rescue_dead,
};
use crate::server::builder::start::{Parts, start_actors};
use crate::store::sqlite::{SqliteReads, SqliteWrites, any_key_existed};
use crate::store::{OpenError, ReadStore, StoreError, WriteStore};

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
    /// A kind cannot be registered: its name is invalid or taken, its defaults are invalid or name
    /// no kind, or a provider or certificate in the configuration cannot be used. Correct the handler's
    /// name or the configuration.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The first key cannot be used: its file cannot be read, or does not hold a key. `longshore key
    /// generate` prints one.
    #[error("the first key cannot be used: {0}")]
    FirstKey(String),
    /// No API key was ever created, and [`Builder::require_key`] needs one. Create a key with the scope
    /// admin first: `longshore key create NAME --scope admin`.
    #[error("a key is required, and none was ever created")]
    KeyRequired,
    /// There is no actix system on this thread. Start the server inside
    /// `#[actix_web::main]` or `#[actix::main]`.
    #[error("a server must be started inside an actix system, such as that of #[actix_web::main]")]
    NoSystem,
}

impl From<FirstKeyError> for StartError {
    fn from(error: FirstKeyError) -> Self {
        match error {
            FirstKeyError::Store(error) => Self::Store(error),
            FirstKeyError::Unusable(why) => Self::FirstKey(why),
        }
    }
}

/// Builder of a [`Server`].
pub struct Builder {
    config: Config,
    clock: Clock,
    handlers: Vec<(String, Handler)>,
    kind_defaults: BTreeMap<String, KindDefaults>,
    app_state: AppState,
    is_restored: bool,
    first_key: Option<KeySecret>,
    is_key_required: bool,
    own_addresses: Vec<SocketAddr>,
}

impl Builder {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            clock: Clock::system(),
            handlers: Vec::new(),
            kind_defaults: BTreeMap::new(),
            app_state: AppState::default(),
            is_restored: false,
            first_key: None,
            is_key_required: false,
            own_addresses: Vec::new(),
        }
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

    /// Runs jobs of the kind `K` with an async function, which receives the payload and returns the
    /// result. The name of the kind is that of the type.
    ///
    /// The function must not block, because it shares its thread with many other jobs.
    ///
    /// ```
    /// # use longshore::config::Config;
    /// # use longshore::executor::{Context, HandlerError};
    /// # use longshore::job::JobKind;
    /// # use longshore::server::Server;
    /// # #[derive(serde::Serialize, serde::Deserialize)]
    /// # struct SendMail { to: String }
    /// # impl JobKind for SendMail {
    /// #     const KIND: &'static str = "send-mail";
    /// #     type Output = String;
    /// # }
    /// async fn send_mail(_: Context, mail: SendMail) -> Result<String, HandlerError> {
    ///     Ok(format!("sent to {}", mail.to))
    /// }
    ///
    /// let builder = Server::builder(Config::default()).job_handler(send_mail);
    /// ```
    #[must_use]
    pub fn job_handler<K, F, Fut>(self, function: F) -> Self
    where
        K: JobKind,
        F: Fn(Context, K) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<K::Output, HandlerError>> + 'static,
    {
        self.handler(K::KIND, function)
    }

    /// Runs jobs of the kind `K` with a blocking function, on a thread of the `thread` lane. The
    /// name of the kind is that of the type.
    #[must_use]
    pub fn blocking_job_handler<K, F>(self, function: F) -> Self
    where
        K: JobKind,
        F: Fn(Context, K) -> Result<K::Output, HandlerError> + Send + Sync + 'static,
    {
        self.blocking_handler(K::KIND, function)
    }

    /// Provides a value to all handlers, which get it with [`Context::state`]. It replaces an
    /// earlier value of the same type.
    ///
    /// Handlers share the value as an [`Arc`], so it must not be wrapped in one. A handler whose value
    /// was not provided fails its attempt with the code `missing_state`.
    #[must_use]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.app_state.insert(value);
        self
    }

    /// Sets the defaults for the jobs of a kind, which may be built in. They replace earlier
    /// defaults of that kind.
    ///
    /// A field of a job has the value of the first of these that sets it: the submission,
    /// `[kinds.NAME]` in the configuration, these defaults, `[jobs]` in the configuration. The
    /// queue is `default` if none sets it.
    ///
    /// ```
    /// # use longshore::config::Config;
    /// # use longshore::job::{KindDefaults, Span};
    /// # use longshore::server::Server;
    /// let defaults = KindDefaults { timeout: Some(Span::from_secs(30)), ..KindDefaults::default() };
    /// let builder = Server::builder(Config::default()).kind_defaults("http", defaults);
    /// ```
    #[must_use]
    pub fn kind_defaults(mut self, kind: &str, defaults: KindDefaults) -> Self {
        self.kind_defaults.insert(kind.to_owned(), defaults);
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

    /// Stores this key with the scope `admin` and the name `first`, unless a key was ever created. It takes
    /// precedence over [`Config::first_key_file`]. [`Handle::create_key`](crate::server::Handle::create_key)
    /// creates the others.
    #[must_use]
    pub fn first_key(mut self, secret: KeySecret) -> Self {
        self.first_key = Some(secret);
        self
    }

    /// Returns whether a start of this server may have an API key: one is given, or the database has one. The
    /// database is neither created nor changed.
    pub(crate) fn may_have_key(&self) -> bool {
        let is_given = self.first_key.is_some() || self.config.first_key_file.is_some();
        is_given || self.config.database.file().is_some_and(any_key_existed)
    }

    /// Refuses to start if no API key was ever created, as for a server that other machines can reach.
    #[must_use]
    pub fn require_key(mut self) -> Self {
        self.is_key_required = true;
        self
    }

    /// Adds an address on which the server will listen, so that no job can call it from the start on.
    /// [`Handle::add_own_address`](crate::server::Handle::add_own_address) adds one later.
    #[must_use]
    pub fn own_address(mut self, address: SocketAddr) -> Self {
        self.own_addresses.push(address);
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
        let Self {
            config,
            clock,
            handlers,
            kind_defaults,
            app_state,
            is_restored,
            first_key,
            is_key_required,
            own_addresses,
        } = self;
        let mut registry = Registry::new(&config)?;
        for address in own_addresses {
            registry.add_own_address(address);
        }
        for (kind, handler) in handlers {
            registry.add_handler(&kind, handler)?;
        }
        registry.set_defaults(&kind_defaults, &config)?;
        registry.set_app_state(app_state);
        let mut store = SqliteWrites::open(&config)?;
        begin_epoch(&mut store, is_restored, &clock)?;
        rescue_dead(&mut store, &clock)?;
        create_configured_queues(&mut store, &config, &clock)?;
        let loads = store.queue_loads()?;
        let remote_running = loads.iter().map(|load| i64::from(load.remote_running)).sum();
        let mut roster = Roster::new(config.lanes.workers(), loads, config.queue_rules())
            .limit_running_bytes(config.limits.max_running_bytes)
            .limit_queue_share(config.lanes.share_of_async())
            .limit_deliveries(config.lanes.share_of_callbacks());
        for provider in store.providers(clock.now())? {
            roster.set_provider_room(&provider.name, provider.room);
        }
        let mut point_reads = SqliteReads::open(&config)?;
        let secret = point_reads.signing_secret()?;
        let webhook_secrets = Arc::new(WebhookSecrets::new(point_reads.webhook_secrets()?));
        registry.set_webhook_secrets(Arc::clone(&webhook_secrets));
        warn_of_default_callbacks(&registry, &config);
        warn_of_denied_providers(&registry);
        let bounds = KeyBounds::new(&config.key_limits, &config.limits);
        let mut keys = point_reads.keys()?;
        if first_key::store(first_key, &keys, &mut store, &config, &clock)? {
            keys = point_reads.keys()?;
        }
        if is_key_required && !keys.any_existed {
            return Err(StartError::KeyRequired);
        }
        let learned_kinds = LearnedKinds::new(point_reads.learned_kinds()?, clock.now());
        let prune_hold = check_clock(&mut store, &mut point_reads, &config, &clock)?;
        let recorder = Recorder::new(clock.now(), point_reads.counts()?, remote_running);
        let parts = Parts {
            writes: Box::new(store),
            point_reads: Box::new(point_reads),
            list_reads: Box::new(SqliteReads::open(&config)?),
            roster,
            recorder,
            prune_hold,
            keyring: Arc::new(Keyring::new(&keys, Signer::new(secret), bounds)),
            webhook_secrets,
            registry: Arc::new(registry),
            learned_kinds,
            config: Arc::new(config),
            clock,
        };
        Ok(start_actors(parts))
    }
}

/// Warns of default webhooks that cannot be delivered now: their address is not allowed, or their secret does
/// not exist yet.
fn warn_of_default_callbacks(registry: &Registry, config: &Config) {
    for (table, name, callback) in config.callbacks.iter() {
        let problems = registry.check_callback(callback, CallbackOwner::Job);
        if !problems.is_empty() {
            let problems = Problem::list(&problems);
            tracing::warn!(
                "the webhooks of callbacks.{table}.{name} cannot be delivered: {problems}"
            );
        }
    }
}

/// Logs which providers cannot be called. Their jobs are refused.
fn warn_of_denied_providers(registry: &Registry) {
    for provider in registry.denied_providers() {
        tracing::warn!(
            "the provider {provider} cannot be called: outbound.deny_hosts covers its host; add it to allow_hosts"
        );
    }
}
