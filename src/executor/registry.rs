//! Every kind that this server runs.

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
use crate::job::queue::{NotAName, is_name};
use crate::job::{Json, Lane};

/// Why there is no registry, or a handler cannot be added to it.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A kind is named like a queue; choose another name.
    #[error("{kind:?} cannot be a kind: {}", NotAName)]
    BadName {
        /// The name.
        kind: String,
    },
    /// Another handler or a built-in executor has that name; choose another.
    #[error("the kind {kind} is taken")]
    Taken {
        /// The name.
        kind: String,
    },
    /// A provider cannot be called as it is configured.
    #[error(transparent)]
    Provider(#[from] ChatError),
    /// The configured certificates cannot be used.
    #[error(transparent)]
    Outbound(#[from] OutboundError),
}

/// Every kind that this server runs.
pub struct Registry {
    kinds: BTreeMap<String, Executor>,
    /// Kinds that only remote workers run.
    remote: BTreeSet<String>,
    max_result_bytes: usize,
}

impl Registry {
    /// The built-in kinds. Keys and certificates are read now.
    ///
    /// # Errors
    /// Where a key or a certificate cannot be used.
    pub fn new(config: &Config) -> Result<Self, RegistryError> {
        let executors = [
            ("http", Executor::Http(Arc::new(Http::new(config)?))),
            ("chat", Executor::Chat(Arc::new(Chat::new(config)?))),
            ("command", Executor::Command(Arc::new(Command::new(config)))),
            ("sleep", Executor::Sleep),
            ("echo", Executor::Echo),
        ];
        let kinds: BTreeMap<_, _> =
            executors.map(|(kind, executor)| (kind.into(), executor)).into();
        let remote: BTreeSet<String> = config.remote_kinds.iter().cloned().collect();
        if let Some(kind) = remote.iter().find(|kind| kinds.contains_key(*kind)) {
            return Err(RegistryError::Taken { kind: kind.clone() });
        }
        Ok(Self { kinds, remote, max_result_bytes: config.limits.max_result_bytes })
    }

    /// Adds a kind that `handler` runs.
    ///
    /// # Errors
    /// Where the name has not the form of a kind or is taken.
    pub fn add_handler(
        &mut self,
        kind: impl Into<String>,
        handler: Handler,
    ) -> Result<(), RegistryError> {
        let kind = kind.into();
        if !is_name(&kind) {
            return Err(RegistryError::BadName { kind });
        }
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

    /// The pool that runs jobs of `kind`, where `asked` is what the submission says of it.
    ///
    /// # Errors
    /// Where the kind is not known, or runs in another lane.
    pub fn lane_of(&self, kind: &str, asked: Option<Lane>) -> Result<Lane, Problem> {
        if asked == Some(Lane::Remote) {
            let problem = || Problem::new("/kind", NotAName);
            return if is_name(kind) { Ok(Lane::Remote) } else { Err(problem()) };
        }
        let own = match self.kinds.get(kind) {
            Some(executor) => executor.lane(),
            None if self.remote.contains(kind) => Lane::Remote,
            None => return Err(self.unknown_kind()),
        };
        match asked {
            Some(asked) if asked != own => {
                let why = format!(
                    "jobs of kind {kind} run in the lane {own}; say that, remote, or nothing"
                );
                Err(Problem::new("/lane", why))
            }
            _ => Ok(own),
        }
    }

    fn unknown_kind(&self) -> Problem {
        let known = self.kinds().join(", ");
        let why = format!(
            "no kind that is run here; there is {known}; \
             one that only workers of your own run needs \"lane\": \"remote\""
        );
        Problem::new("/kind", why)
    }

    /// The names of all kinds, sorted: those that run here and those for remote workers.
    pub fn kinds(&self) -> Vec<String> {
        self.lanes_of_kinds().into_iter().map(|(kind, _)| kind).collect()
    }

    /// The same, each with the pool that runs it.
    pub fn lanes_of_kinds(&self) -> Vec<(String, Lane)> {
        let here = self.kinds.iter().map(|(kind, executor)| (kind.clone(), executor.lane()));
        let remote = self.remote.iter().map(|kind| (kind.clone(), Lane::Remote));
        let mut kinds: Vec<_> = here.chain(remote).collect();
        kinds.sort_unstable();
        kinds
    }

    /// What is wrong with a payload of `kind`, each with its place inside the payload.
    ///
    /// Handlers read theirs when they run, and a kind that is not known has nothing to say.
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

    /// What runs a kind; none where the kind is not known.
    pub fn executor(&self, kind: &str) -> Option<Executor> {
        self.kinds.get(kind).cloned()
    }

    /// The context of an attempt and the control over it.
    pub fn begin(&self, job: &LeasedJob) -> (Context, Control) {
        Context::new(job, self.max_result_bytes)
    }
}
