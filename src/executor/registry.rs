//! The registry of job kinds.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use crate::auth::webhook::WebhookSecrets;
use crate::config::Config;
use crate::executor::app_state::AppState;
use crate::executor::chat::Chat;
use crate::executor::command::Command;
use crate::executor::context::{Context, Control};
use crate::executor::handler::Handler;
use crate::executor::http::{BoundSecrets, CallbackExecutor, Http, SecretError};
use crate::executor::outbound::{Outbound, OutboundError, OwnAddresses};
use crate::executor::provider::{ProviderError, Providers};
use crate::executor::{Executor, panic, sleep};
use crate::job::lease::LeasedJob;
use crate::job::submission::on_end::callback::{
    CALLBACK_KIND, Callback, CallbackOwner, check_client_queue,
};
use crate::job::problem::Problem;
use crate::job::queue::{InvalidName, QueueName, is_name};
use crate::job::submission::{EffectiveDefaults, KindDefaults};
use crate::job::{Json, Kind, Lane, ProviderName};

/// Error when the registry is created or a handler is added to it.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The name of the kind is not valid; it must have the form of a queue name. Choose another name.
    #[error("the kind {kind:?} is invalid: {}", InvalidName)]
    BadName {
        /// Name of the kind.
        kind: String,
    },
    /// A built-in kind or another handler has this name; choose another name.
    #[error("the kind {kind} is already registered")]
    Taken {
        /// Name of the kind.
        kind: Kind,
    },
    /// There are defaults for a kind that does not exist, so they would have no effect. Correct its
    /// name, register its handler, or list it in `remote_kinds`.
    #[error(
        "there are defaults for the kind {kind}, which is not known; known kinds: {known}; \
         list a kind that only your remote workers run in remote_kinds"
    )]
    UnknownKind {
        /// Name of the kind.
        kind: String,
        /// Names of the known kinds.
        known: String,
    },
    /// The defaults of a kind have values that are out of bounds; correct them.
    #[error("the defaults of the kind {kind} are invalid: {}", Problem::list(.problems))]
    BadDefaults {
        /// Name of the kind.
        kind: String,
        /// Problems of the values, each with the JSON pointer of its field.
        problems: Vec<Problem>,
    },
    /// A provider cannot be called with its configuration.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The value of a secret cannot be used.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The configured certificates cannot be used.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
}

fn parse_kind(text: impl Into<String>) -> Result<Kind, RegistryError> {
    let text: String = text.into();
    match text.parse() {
        Ok(kind) => Ok(kind),
        Err(InvalidName) => Err(RegistryError::BadName { kind: text }),
    }
}

/// All kinds of jobs that this server knows, with their executors.
pub struct Registry {
    /// Executors of the kinds that run in this process.
    kinds: BTreeMap<Kind, Executor>,
    providers: Arc<Providers>,
    outbound: Arc<Outbound>,
    /// Delivers webhooks. Its kind is not among the others, because clients cannot submit it.
    callback: Arc<CallbackExecutor>,
    /// Kinds that only remote workers run.
    remote: BTreeSet<Kind>,
    /// Defaults of the kinds that have their own.
    defaults: BTreeMap<String, EffectiveDefaults>,
    /// Defaults of all other kinds.
    other_defaults: EffectiveDefaults,
    app_state: AppState,
    max_result_bytes: usize,
    /// Addresses on which this server listens.
    own_addresses: OwnAddresses,
}

impl Registry {
    /// Creates a registry with the built-in kinds. Reads the providers' keys, the secrets and the certificates.
    ///
    /// # Errors
    /// Returns [`RegistryError::Provider`], [`RegistryError::Secret`] or [`RegistryError::Outbound`] if a key,
    /// a secret or a certificate cannot be used, and [`RegistryError::Taken`] if `remote_kinds` names a built-in kind.
    pub fn new(config: &Config) -> Result<Self, RegistryError> {
        panic::install_hook();
        let own = OwnAddresses::default();
        let providers = Arc::new(Providers::new(config)?);
        let secrets = BoundSecrets::new(&config.secrets)?;
        // One HTTP client for all kinds, so that the certificates are read once.
        let outbound = Arc::new(Outbound::new(&config.outbound, own.clone())?);
        let http = Http::new(Arc::clone(&outbound), Arc::clone(&providers), secrets);
        let chat = Chat::new(Arc::clone(&outbound), Arc::clone(&providers));
        let executors = [
            ("http", Executor::Http(Arc::new(http))),
            ("chat", Executor::Chat(Arc::new(chat))),
            ("command", Executor::Command(Arc::new(Command::new(config)))),
            ("sleep", Executor::Sleep),
            ("echo", Executor::Echo),
        ];
        let kinds = executors.map(|(kind, executor)| Ok((parse_kind(kind)?, executor)));
        let kinds = kinds.into_iter().collect::<Result<BTreeMap<_, _>, RegistryError>>()?;
        let remote = config.remote_kinds.iter().map(parse_kind);
        let remote = remote.collect::<Result<BTreeSet<_>, _>>()?;
        let is_taken = |kind: &&Kind| kind.as_str() == CALLBACK_KIND || kinds.contains_key(*kind);
        if let Some(kind) = remote.iter().find(is_taken) {
            return Err(RegistryError::Taken { kind: kind.clone() });
        }
        Ok(Self {
            kinds,
            providers,
            callback: Arc::new(CallbackExecutor::new(Arc::clone(&outbound), config.lanes.callbacks_per_host())),
            outbound,
            remote,
            defaults: BTreeMap::new(),
            other_defaults: config.jobs.into(),
            app_state: AppState::default(),
            max_result_bytes: config.limits.max_result_bytes,
            own_addresses: own,
        })
    }

    /// Adds a kind that `handler` runs.
    ///
    /// # Errors
    /// Returns [`RegistryError::BadName`] if `kind` is not a valid name, and
    /// [`RegistryError::Taken`] if it is already registered.
    pub fn add_handler(
        &mut self,
        kind: impl Into<String>,
        handler: Handler,
    ) -> Result<(), RegistryError> {
        let kind = parse_kind(kind)?;
        if self.remote.contains(&kind) || kind.as_str() == CALLBACK_KIND {
            return Err(RegistryError::Taken { kind });
        }
        match self.kinds.entry(kind) {
            Entry::Occupied(entry) => Err(RegistryError::Taken { kind: entry.key().clone() }),
            Entry::Vacant(entry) => {
                entry.insert(handler.into());
                Ok(())
            }
        }
    }

    /// Sets the secrets that sign webhooks. Before that there are none.
    pub fn set_webhook_secrets(&mut self, secrets: Arc<WebhookSecrets>) {
        self.callback = Arc::new(self.callback.with_secrets(secrets));
    }

    /// Returns the provider that a job of this kind calls, although `references` are places in its payload whose
    /// values are not known yet.
    ///
    /// # Errors
    /// Returns the problem of a reference that would choose the provider or the command.
    pub fn provider_of_incomplete(
        &self,
        kind: &str,
        payload: &Json,
        references: &[String],
    ) -> Result<Option<ProviderName>, Problem> {
        if let Some(Executor::Command(_)) = self.kinds.get(kind) {
            Command::check_references(references)?;
        }
        self.providers.of_incomplete(kind, payload, references)
    }

    /// Returns the names of the providers that cannot be called, because the settings of outgoing calls deny their
    /// hosts.
    pub fn denied_providers(&self) -> Vec<&str> {
        self.providers.denied_by(&self.outbound)
    }

    /// Returns the problems of a webhook that a client asks for.
    pub fn check_callback(&self, callback: &Callback, owner: CallbackOwner) -> Vec<Problem> {
        self.callback.check(callback, owner)
    }

    /// Returns the problem of the webhook of a job in this queue whose secret does not sign for it.
    pub fn check_callback_of_job(&self, callback: &Callback, queue: &QueueName) -> Option<Problem> {
        self.callback.check_queues(callback, std::iter::once(queue))
    }

    /// Returns the problem of the webhook of a batch of jobs in these queues whose secret does not sign for all of
    /// them. Jobs in any queue may be added to an open batch.
    pub fn check_callback_of_batch<'q>(
        &self,
        callback: &Callback,
        queues: impl Iterator<Item = &'q QueueName>,
        is_open: bool,
    ) -> Option<Problem> {
        let mut queues = queues.peekable();
        if self.callback.is_bound(callback) && (is_open || queues.peek().is_none()) {
            let why = "signs webhooks of some queues only, and cannot be used by a batch that is open or has no jobs";
            return Some(Problem::new("/secret", why));
        }
        self.callback.check_queues(callback, queues)
    }

    /// Sets the values that the contexts of handlers provide.
    pub fn set_app_state(&mut self, app_state: AppState) {
        self.app_state = app_state;
    }

    /// Adds an address on which this server listens, and which no call may reach.
    pub fn add_own_address(&self, address: SocketAddr) {
        self.own_addresses.add(address);
    }

    /// Sets the defaults of the kinds that have their own: `application` are those of the
    /// application, which the configuration overrides. All kinds must have been added before.
    ///
    /// # Errors
    /// Returns [`RegistryError::UnknownKind`] if a kind is not known, and
    /// [`RegistryError::BadDefaults`] if a value is out of bounds.
    pub fn set_defaults(
        &mut self,
        application: &BTreeMap<String, KindDefaults>,
        config: &Config,
    ) -> Result<(), RegistryError> {
        let kinds: BTreeSet<&String> = application.keys().chain(config.kinds.keys()).collect();
        for kind in kinds {
            if !self.kinds.contains_key(kind.as_str()) && !self.remote.contains(kind.as_str()) {
                let (kind, known) = (kind.clone(), self.kinds().join(", "));
                return Err(RegistryError::UnknownKind { kind, known });
            }
            let sources = [application.get(kind), config.kinds.get(kind)];
            let defaults = sources
                .into_iter()
                .flatten()
                .fold(self.other_defaults.clone(), |before, source| source.apply(before));
            let mut problems = defaults.jobs.problems();
            problems.extend(check_client_queue(&defaults.queue).err());
            if !problems.is_empty() {
                return Err(RegistryError::BadDefaults { kind: kind.clone(), problems });
            }
            self.defaults.insert(kind.clone(), defaults);
        }
        Ok(())
    }

    /// Returns the defaults for the jobs of a kind.
    pub fn defaults_of(&self, kind: &str) -> &EffectiveDefaults {
        self.defaults.get(kind).unwrap_or(&self.other_defaults)
    }

    /// Returns the lane that runs jobs of `kind`, or `None` if the kind is not known. `requested` is the lane
    /// that the submission names.
    ///
    /// # Errors
    /// Returns a [`Problem`] if the kind is not a valid name, or does not run in the requested lane.
    pub fn lane_of(&self, kind: &str, requested: Option<Lane>) -> Result<Option<Lane>, Problem> {
        if kind == CALLBACK_KIND {
            let why = "is reserved for the webhooks of the server; set callback on a job instead";
            return Err(Problem::new("/kind", why));
        }
        if requested == Some(Lane::Remote) {
            let problem = || Problem::new("/kind", InvalidName);
            return if is_name(kind) { Ok(Some(Lane::Remote)) } else { Err(problem()) };
        }
        let kind_lane = match self.kinds.get(kind) {
            Some(executor) => executor.lane(),
            None if self.remote.contains(kind) => Lane::Remote,
            None => return Ok(None),
        };
        kind_lane.check_requested(kind, requested).map(Some)
    }

    /// Returns whether jobs of a kind run in this process, unless a submission names the lane `remote`.
    pub fn runs_here(&self, kind: &str) -> bool {
        self.kinds.contains_key(kind) || kind == CALLBACK_KIND
    }

    /// Returns the names of all kinds, sorted: those that run in this process and those that only
    /// remote workers run.
    pub fn kinds(&self) -> Vec<String> {
        self.kinds_with_lanes().into_iter().map(|(kind, _)| kind.into()).collect()
    }

    /// Returns the names of all kinds, sorted, each with its lane.
    pub fn kinds_with_lanes(&self) -> Vec<(Kind, Lane)> {
        let local = self.kinds.iter().map(|(kind, executor)| (kind.clone(), executor.lane()));
        let remote = self.remote.iter().map(|kind| (kind.clone(), Lane::Remote));
        let mut kinds: Vec<_> = local.chain(remote).collect();
        kinds.sort_unstable();
        kinds
    }

    /// Checks a payload of `kind`, and returns the provider that its job calls, if it calls one.
    ///
    /// Accepts all payloads of `echo`, of handlers, which decode their payload when they run, and of kinds
    /// that do not run in this process.
    ///
    /// # Errors
    /// Returns the problems of the payload, each with a JSON pointer into it.
    pub fn check(&self, kind: &str, payload: &Json) -> Result<Option<ProviderName>, Vec<Problem>> {
        let problems = match self.kinds.get(kind) {
            Some(Executor::Http(http)) => return http.check(payload),
            Some(Executor::Chat(chat)) => return chat.check(payload).map(Some),
            Some(Executor::Command(command)) => command.check(payload),
            Some(Executor::Sleep) => sleep::check(payload),
            // Clients cannot submit it.
            Some(Executor::Callback(_)) => Vec::new(),
            Some(Executor::Echo | Executor::Handler(_) | Executor::Blocking(_)) | None => {
                Vec::new()
            }
        };
        if problems.is_empty() { Ok(None) } else { Err(problems) }
    }

    /// Returns the executor of a kind, or `None` if the kind does not run in this process.
    pub fn executor(&self, kind: &str) -> Option<Executor> {
        if kind == CALLBACK_KIND {
            return Some(Executor::Callback(Arc::clone(&self.callback)));
        }
        self.kinds.get(kind).cloned()
    }

    /// Returns the context of an attempt and its control.
    pub fn new_context(&self, job: &LeasedJob) -> (Context, Control) {
        Context::new(job, self.max_result_bytes, self.app_state.clone())
    }
}
