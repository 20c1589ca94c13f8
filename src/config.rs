//! The configuration of the server: settings, defaults, and the checks that run before the start.
//!
//! Settings come from the defaults, a TOML file, `LONGSHORE_...` environment variables and
//! command-line flags, in this order; a later source overrides an earlier one. API keys are not part
//! of the configuration: it names the environment variables that hold them.

mod callbacks;
mod command;
mod database;
mod header;
mod http_url;
mod key_limits;
mod limits;
mod listen;
mod load;
mod outbound;
mod provider;
mod proxies;
mod secret;
mod tls;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use callbacks::{CallbacksConfig, receiver_group};
pub use command::CommandConfig;
pub use database::Database;
pub(crate) use header::reserved_for;
pub(crate) use http_url::{HttpUrl, InvalidUrl};
pub use key_limits::KeyLimits;
pub use limits::{Lanes, Limits};
pub use listen::{InvalidListenAddress, ListenAddress};
pub use load::{ConfigError, Overrides, load, load_database, load_unchecked};
pub(crate) use outbound::EgressProxy;
pub use outbound::{AllowedNetwork, HostPattern, InvalidHost, InvalidNetwork, OutboundConfig};
pub use provider::{ProviderAuth, ProviderConfig};
pub use proxies::{InvalidProxy, TrustedProxy};
pub(crate) use secret::warn_if_readable_by_others;
pub use secret::{InvalidSecretHost, Secret, SecretConfig, SecretHost};
pub use tls::Tls;

use crate::job::limit::provider::{ProviderLimits, ProviderName};
use crate::job::problem::{Problem, escape};
use crate::job::queue::{QueueName, QueueRules, QueueSettings, is_name};
use crate::job::submission::on_end::callback;
use crate::job::submission::{JobDefaults, KindDefaults};
use crate::job::time::Span;

/// All settings of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of settings")]
pub struct Config {
    /// Addresses and Unix sockets on which the HTTP server listens: one, or a list.
    #[serde(deserialize_with = "listen::one_or_many")]
    pub listen: Vec<ListenAddress>,
    /// Certificate and key with which all addresses of `listen` use TLS. Unix sockets do not.
    pub tls: Option<Tls>,
    /// Lowercase host names that are accepted in the `Host` header, in addition to `localhost` and
    /// the server's addresses. A reverse proxy that passes on the public host name needs them.
    pub hosts: Vec<String>,
    /// Proxies whose `X-Forwarded-...` headers are believed.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Origins, such as `https://app.example`, whose pages may read a job or batch with a token.
    pub allow_origins: Vec<String>,
    /// Whether requests from this machine need no API key. They need one all the same if a proxy has passed
    /// them on, which is seen by `Forwarded` or `X-Forwarded-...`.
    pub keyless_loopback: bool,
    /// File with the text of the first API key, which is stored if no key was ever created.
    pub first_key_file: Option<PathBuf>,
    /// Path of the database file, which is created if it does not exist.
    pub database: Database,
    /// Time until a lease expires unless it is renewed, 5 s to 24 h.
    pub lease: Span,
    /// Time for which running jobs may continue after the first SIGTERM or SIGINT, at most 1 h.
    pub shutdown_grace: Span,
    /// Time for which a job is kept after it reached a final state, at least 1 s.
    pub retention: Span,
    /// Time for which a batch stays open after the last jobs were added, 1 s to 30 days.
    pub batch_open_for: Span,
    /// Number of workers of each lane.
    pub lanes: Lanes,
    /// Kinds that only remote workers run.
    pub remote_kinds: Vec<String>,
    /// Limits of requests, queues and results.
    pub limits: Limits,
    /// Limits of each API key.
    pub key_limits: KeyLimits,
    /// Defaults for the fields that a submission omits.
    pub jobs: JobDefaults,
    /// Defaults for the jobs of these kinds, which override those in `jobs`.
    pub kinds: BTreeMap<String, KindDefaults>,
    /// Initial settings of a queue that is not listed in `queues`.
    pub queue_defaults: QueueSettings,
    /// Initial settings of these queues. Later changes through the API are stored in the database
    /// and override them.
    pub queues: BTreeMap<QueueName, QueueSettings>,
    /// Webhooks of jobs that are submitted without one.
    pub callbacks: CallbacksConfig,
    /// Settings of calls to other servers.
    pub outbound: OutboundConfig,
    /// Servers that `chat` and `http` jobs may call by name.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// Secrets that `http` jobs may use in headers, by name.
    pub secrets: BTreeMap<String, SecretConfig>,
    /// Programs that `command` jobs may run, by name.
    pub commands: BTreeMap<String, CommandConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: vec![ListenAddress::Tcp((Ipv4Addr::LOCALHOST, 7373).into())],
            tls: None,
            hosts: Vec::new(),
            trusted_proxies: Vec::new(),
            allow_origins: Vec::new(),
            keyless_loopback: false,
            first_key_file: None,
            database: "longshore.db".into(),
            lease: Span::from_secs(300),
            shutdown_grace: Span::from_secs(25),
            retention: Span::from_secs(7 * 24 * 3600),
            batch_open_for: Span::from_secs(24 * 3600),
            lanes: Lanes::default(),
            remote_kinds: Vec::new(),
            limits: Limits::default(),
            key_limits: KeyLimits::default(),
            jobs: JobDefaults::default(),
            kinds: BTreeMap::new(),
            queue_defaults: QueueSettings::default(),
            queues: BTreeMap::new(),
            callbacks: CallbacksConfig::default(),
            outbound: OutboundConfig::default(),
            providers: BTreeMap::new(),
            secrets: BTreeMap::new(),
            commands: BTreeMap::new(),
        }
    }
}

/// Shortest duration of a lease. With a shorter one, a short stall of the machine would let the
/// leases of running jobs expire.
const MIN_LEASE: Span = Span::from_secs(5);

impl Config {
    /// Returns all problems of the values, each with a JSON pointer to the setting.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = listen::problems(&self.listen);
        let database = self.database.problem();
        problems.extend(database.map(|why| Problem::new("/database", why)));
        if self.queues.len() > self.limits.max_queues {
            let why =
                format!("must list at most {} queues (limits.max_queues)", self.limits.max_queues);
            problems.push(Problem::new("/queues", why));
        }
        for (index, host) in self.hosts.iter().enumerate() {
            if host.is_empty() || *host != host.to_ascii_lowercase() || host.contains([':', '/']) {
                let why = "must be a lowercase host name without scheme and port";
                problems.push(Problem::new(format!("/hosts/{index}"), why));
            }
        }
        if self.keyless_loopback && !self.trusted_proxies.is_empty() {
            let why =
                "must be false with trusted_proxies: a proxy on this machine would need no key";
            problems.push(Problem::new("/keyless_loopback", why));
        }
        for (index, origin) in self.allow_origins.iter().enumerate() {
            if !is_origin(origin) {
                let why =
                    "must be an origin: http:// or https:// and a lowercase host, without a path";
                problems.push(Problem::new(format!("/allow_origins/{index}"), why));
            }
        }
        for (index, kind) in self.remote_kinds.iter().enumerate() {
            if !is_name(kind) {
                let why = crate::job::queue::InvalidName;
                problems.push(Problem::new(format!("/remote_kinds/{index}"), why));
            }
        }
        if self.lease < MIN_LEASE || self.lease > Span::from_secs(24 * 3600) {
            problems.push(Problem::new("/lease", "must be between 5s and 24h"));
        }
        if self.shutdown_grace > Span::from_secs(3600) {
            problems.push(Problem::new("/shutdown_grace", "must be at most 1h"));
        }
        if self.retention < Span::from_secs(1) {
            problems.push(Problem::new("/retention", "must be at least 1s"));
        }
        if !(Span::from_secs(1)..=Span::from_secs(30 * 24 * 3600)).contains(&self.batch_open_for) {
            problems.push(Problem::new("/batch_open_for", "must be between 1s and 30d"));
        }
        let mut add = |prefix: String, found: Vec<Problem>| {
            problems.extend(found.into_iter().map(|problem| problem.under(&prefix)));
        };
        add("/lanes".into(), self.lanes.problems());
        add("/limits".into(), self.limits.problems());
        add("/key_limits".into(), self.key_limits.problems());
        add("/jobs".into(), self.jobs.problems());
        add("/callbacks".into(), self.callbacks.problems());
        add("/outbound".into(), self.outbound.problems());
        add("/queue_defaults".into(), settings_problems(&self.queue_defaults));
        for (name, settings) in &self.queues {
            add(format!("/queues/{name}"), settings_problems(settings));
        }
        problems.extend(self.named_problems());
        problems
    }

    /// Returns the problems of the kinds, providers, secrets and commands, whose names are free to choose.
    fn named_problems(&self) -> Vec<Problem> {
        let kinds = self.kinds.iter();
        let kinds = kinds.map(|(name, kind)| ("kinds", name, self.kind_problems(kind)));
        let providers = self.providers.iter();
        let providers = providers.map(|(name, one)| {
            let mut problems = one.problems();
            if name.starts_with(callback::GROUP_PREFIX) {
                let why =
                    format!("must have a name that does not start with {}", callback::GROUP_PREFIX);
                problems.push(Problem::new("", why));
            }
            ("providers", name, problems)
        });
        let secrets = self.secrets.iter().map(|(name, one)| ("secrets", name, one.problems()));
        let commands = self.commands.iter().map(|(name, one)| ("commands", name, one.problems()));
        let all = kinds.chain(providers).chain(secrets).chain(commands);
        all.flat_map(|(section, name, problems)| {
            let prefix = format!("/{section}/{}", escape(name));
            let problems = with_name_problem(name, problems).into_iter();
            problems.map(move |problem| problem.under(&prefix))
        })
        .collect()
    }

    /// Returns the problems of the defaults of a kind. Problems that are in `jobs` are not repeated.
    fn kind_problems(&self, defaults: &KindDefaults) -> Vec<Problem> {
        let is_valid = self.jobs.problems().is_empty();
        let jobs = if is_valid { self.jobs } else { JobDefaults::default() };
        defaults.apply(jobs.into()).jobs.problems()
    }

    /// Returns the limits of the providers.
    pub fn provider_limits(&self) -> BTreeMap<ProviderName, ProviderLimits> {
        let limits = |provider: &ProviderConfig| ProviderLimits {
            max_running: provider.max_running,
            requests_per_minute: provider.requests_per_minute,
        };
        // Invalid names are a problem of the configuration, which is reported at the start.
        let named = self.providers.iter();
        named.filter_map(|(name, provider)| Some((name.parse().ok()?, limits(provider)))).collect()
    }

    /// Returns the initial settings of queues and the maximum number of queues.
    pub fn queue_rules(&self) -> QueueRules {
        QueueRules {
            listed: self.queues.clone(),
            others: self.queue_defaults,
            max_queues: self.limits.max_queues,
        }
    }
}

/// Returns whether a text is an origin as browsers send it.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| {
        !host.is_empty()
            && *host == host.to_ascii_lowercase()
            && !host.contains(['/', '?', '#', '@'])
    })
}

fn settings_problems(settings: &QueueSettings) -> Vec<Problem> {
    settings.problem().into_iter().map(|(pointer, why)| Problem::new(pointer, why)).collect()
}

/// Adds a problem to `problems` if `name` is not a valid name of a kind, provider, secret or command.
fn with_name_problem(name: &str, mut problems: Vec<Problem>) -> Vec<Problem> {
    if !is_name(name) {
        problems.push(Problem::new("", crate::job::queue::InvalidName));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_no_problems() {
        assert_eq!(Config::default().problems(), []);
    }

    #[test]
    fn a_database_that_is_not_a_file_is_refused() {
        for name in ["", ":memory:", "file:a.db?mode=memory", "postgres://db/jobs"] {
            let config = Config { database: name.into(), ..Config::default() };
            assert_eq!(config.problems()[0].pointer, "/database", "{name:?}");
        }
    }
}
