//! The registry of job kinds.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::config::Config;
use crate::executor::chat::{Chat, ChatError};
use crate::executor::command::Command;
use crate::executor::context::{Context, Control};
use crate::executor::handler::Handler;
use crate::executor::http::Http;
use crate::executor::outbound::OutboundError;
use crate::executor::{Executor, sleep};
use crate::job::lease::LeasedJob;
use crate::job::problem::Problem;
use crate::job::queue::{InvalidName, is_name};
use crate::job::{Json, Kind, Lane};

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
    /// A provider cannot be called with its configuration.
    #[error(transparent)]
    Provider(#[from] ChatError),
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
    /// Kinds that only remote workers run.
    remote: BTreeSet<Kind>,
    max_result_bytes: usize,
}

impl Registry {
    /// Creates a registry with the built-in kinds. Reads the providers' keys and the certificates.
    ///
    /// # Errors
    /// Returns [`RegistryError::Provider`] or [`RegistryError::Outbound`] if a key or a certificate
    /// cannot be used, and [`RegistryError::Taken`] if `remote_kinds` names a built-in kind.
    pub fn new(config: &Config) -> Result<Self, RegistryError> {
        let executors = [
            ("http", Executor::Http(Arc::new(Http::new(config)?))),
            ("chat", Executor::Chat(Arc::new(Chat::new(config)?))),
            ("command", Executor::Command(Arc::new(Command::new(config)))),
            ("sleep", Executor::Sleep),
            ("echo", Executor::Echo),
        ];
        let kinds = executors.map(|(kind, executor)| Ok((parse_kind(kind)?, executor)));
        let kinds = kinds.into_iter().collect::<Result<BTreeMap<_, _>, RegistryError>>()?;
        let remote = config.remote_kinds.iter().map(parse_kind);
        let remote = remote.collect::<Result<BTreeSet<_>, _>>()?;
        if let Some(kind) = remote.iter().find(|kind| kinds.contains_key(*kind)) {
            return Err(RegistryError::Taken { kind: kind.clone() });
        }
        Ok(Self { kinds, remote, max_result_bytes: config.limits.max_result_bytes })
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
        if self.remote.contains(&kind) {
            return Err(RegistryError::Taken { kind });
        }
        match self.kinds.entry(kind) {
            Entry::Occupied(entry) => Err(RegistryError::Taken { kind: entry.key().clone() }),
            Entry::Vacant(entry) => {
                entry.insert(match handler {
                    Handler::Async(call) => Executor::Handler(call),
                    Handler::Blocking(call) => Executor::Blocking(call),
                });
                Ok(())
            }
        }
    }

    /// Returns the lane that runs jobs of `kind`. `requested` is the lane that the submission names.
    ///
    /// # Errors
    /// Returns a [`Problem`] if the kind is not known, is not a valid name, or does not run in the
    /// requested lane.
    pub fn lane_of(&self, kind: &str, requested: Option<Lane>) -> Result<Lane, Problem> {
        if requested == Some(Lane::Remote) {
            let problem = || Problem::new("/kind", InvalidName);
            return if is_name(kind) { Ok(Lane::Remote) } else { Err(problem()) };
        }
        let kind_lane = match self.kinds.get(kind) {
            Some(executor) => executor.lane(),
            None if self.remote.contains(kind) => Lane::Remote,
            None => return Err(self.unknown_kind()),
        };
        match requested {
            Some(requested) if requested != kind_lane => {
                let why = format!(
                    "jobs of kind {kind} run in the {kind_lane} lane; \
                     use that lane or remote, or omit the field"
                );
                Err(Problem::new("/lane", why))
            }
            _ => Ok(kind_lane),
        }
    }

    fn unknown_kind(&self) -> Problem {
        let known = self.kinds().join(", ");
        let why = format!(
            "is not a known kind; known kinds: {known}; \
             for a kind that only your remote workers run, set \"lane\": \"remote\""
        );
        Problem::new("/kind", why)
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

    /// Returns the problems of a payload of `kind`, each with a JSON pointer into the payload.
    ///
    /// Returns no problems for `echo`, which takes any payload, for handlers, which decode their
    /// payload when they run, and for kinds that do not run in this process.
    pub fn check(&self, kind: &str, payload: &Json) -> Vec<Problem> {
        match self.kinds.get(kind) {
            Some(Executor::Http(http)) => http.check(payload),
            Some(Executor::Chat(chat)) => chat.check(payload),
            Some(Executor::Command(command)) => command.check(payload),
            Some(Executor::Sleep) => sleep::check(payload),
            Some(Executor::Echo | Executor::Handler(_) | Executor::Blocking(_)) | None => {
                Vec::new()
            }
        }
    }

    /// Returns the executor of a kind, or `None` if the kind does not run in this process.
    pub fn executor(&self, kind: &str) -> Option<Executor> {
        self.kinds.get(kind).cloned()
    }

    /// Returns the context of an attempt and its control.
    pub fn new_context(&self, job: &LeasedJob) -> (Context, Control) {
        Context::new(job, self.max_result_bytes)
    }
}
