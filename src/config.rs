//! What an operator can set, with its defaults, and the checks that hold before anything starts.
//!
//! Sources, the later winning: the defaults, a TOML file, `LONGSHORE_...` environment variables,
//! command-line flags. Secrets are named by the environment variable that holds them.

mod executors;
mod limits;
mod load;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

pub use executors::{CommandConfig, OutboundConfig, ProviderConfig, Secret};
pub use limits::{Lanes, Limits};
pub use load::{ConfigError, Overrides, load, load_database};

use crate::job::problem::{Problem, escape};
use crate::job::queue::{QueueName, QueueRules, QueueSettings, is_name};
use crate::job::submission::JobDefaults;
use crate::job::time::Span;

/// Everything an operator can set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the HTTP server listens.
    pub listen: SocketAddr,
    /// The names, in small letters, by which the server may be called besides `localhost` and its
    /// addresses, as where a proxy before it hands on the name that it was called by.
    pub hosts: Vec<String>,
    /// The database file; it is made if it is not there.
    pub database: PathBuf,
    /// How long a lease lasts unless it is renewed.
    pub lease: Span,
    /// How long running jobs may go on after the first SIGTERM or SIGINT.
    pub shutdown_grace: Span,
    /// How long a final job is kept.
    pub retention: Span,
    /// How many workers each lane has.
    pub lanes: Lanes,
    /// Kinds that only remote workers run.
    pub remote_kinds: Vec<String>,
    /// The bounds of requests, queues and results.
    pub limits: Limits,
    /// What holds for a job that does not say otherwise.
    pub jobs: JobDefaults,
    /// The settings with which a queue begins that is not listed under `queues`.
    pub queue_defaults: QueueSettings,
    /// The settings with which these queues begin. What is changed while serving is kept in the
    /// database and wins.
    pub queues: BTreeMap<QueueName, QueueSettings>,
    /// How calls to other servers are made.
    pub outbound: OutboundConfig,
    /// The model servers that `chat` jobs may name.
    pub providers: BTreeMap<String, ProviderConfig>,
    /// The programs that `command` jobs may name.
    pub commands: BTreeMap<String, CommandConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7373)),
            hosts: Vec::new(),
            database: "longshore.db".into(),
            lease: Span::from_secs(300),
            shutdown_grace: Span::from_secs(25),
            retention: Span::from_secs(7 * 24 * 3600),
            lanes: Lanes::default(),
            remote_kinds: Vec::new(),
            limits: Limits::default(),
            jobs: JobDefaults::default(),
            queue_defaults: QueueSettings::default(),
            queues: BTreeMap::new(),
            outbound: OutboundConfig::default(),
            providers: BTreeMap::new(),
            commands: BTreeMap::new(),
        }
    }
}

/// The shortest lease: below it a pause of the machine would lose running jobs.
const MIN_LEASE: Span = Span::from_secs(5);

impl Config {
    /// Everything that is wrong with the values, each with its place.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.listen.ip().is_loopback() {
            let why =
                "is not a loopback address; without keys the server listens on this machine only";
            problems.push(Problem::new("/listen", why));
        }
        let name = self.database.to_string_lossy();
        if name.is_empty() || name.starts_with(':') || name.starts_with("file:") {
            let why = "names a file; a database in memory would lose every job";
            problems.push(Problem::new("/database", why));
        }
        if self.queues.len() > self.limits.max_queues {
            let why = format!("lists more than max_queues, which is {}", self.limits.max_queues);
            problems.push(Problem::new("/queues", why));
        }
        for (index, host) in self.hosts.iter().enumerate() {
            if host.is_empty() || *host != host.to_ascii_lowercase() || host.contains([':', '/']) {
                let why = "is a name in small letters, without scheme and port";
                problems.push(Problem::new(format!("/hosts/{index}"), why));
            }
        }
        for (index, kind) in self.remote_kinds.iter().enumerate() {
            if !is_name(kind) {
                let why = crate::job::queue::NotAName;
                problems.push(Problem::new(format!("/remote_kinds/{index}"), why));
            }
        }
        if self.lease < MIN_LEASE || self.lease > Span::from_secs(24 * 3600) {
            problems.push(Problem::new("/lease", "lies between 5s and 24h"));
        }
        if self.shutdown_grace > Span::from_secs(3600) {
            problems.push(Problem::new("/shutdown_grace", "is at most 1h"));
        }
        if self.retention < Span::from_secs(1) {
            problems.push(Problem::new("/retention", "is at least 1s"));
        }
        let mut under = |prefix: String, found: Vec<Problem>| {
            problems.extend(found.into_iter().map(|problem| problem.under(&prefix)));
        };
        under("/lanes".into(), self.lanes.problems());
        under("/limits".into(), self.limits.problems());
        under("/jobs".into(), self.jobs.problems());
        under("/outbound".into(), self.outbound.problems());
        under("/queue_defaults".into(), settings_problems(&self.queue_defaults));
        for (name, settings) in &self.queues {
            under(format!("/queues/{name}"), settings_problems(settings));
        }
        for (name, provider) in &self.providers {
            under(format!("/providers/{}", escape(name)), named(name, provider.problems()));
        }
        for (name, command) in &self.commands {
            under(format!("/commands/{}", escape(name)), named(name, command.problems()));
        }
        problems
    }

    /// With which settings queues begin, and how many there may be.
    pub fn queue_rules(&self) -> QueueRules {
        QueueRules {
            listed: self.queues.clone(),
            others: self.queue_defaults,
            max_queues: self.limits.max_queues,
        }
    }
}

fn settings_problems(settings: &QueueSettings) -> Vec<Problem> {
    settings.problem().into_iter().map(|(place, why)| Problem::new(place, why)).collect()
}

fn named(name: &str, mut problems: Vec<Problem>) -> Vec<Problem> {
    if !is_name(name) {
        problems.push(Problem::new("", crate::job::queue::NotAName));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_sound() {
        assert_eq!(Config::default().problems(), []);
    }

    #[test]
    fn a_database_that_is_no_file_is_refused() {
        for name in ["", ":memory:", "file:a.db?mode=memory"] {
            let config = Config { database: name.into(), ..Config::default() };
            assert_eq!(config.problems()[0].pointer, "/database", "{name:?}");
        }
    }

    #[test]
    fn a_public_address_is_refused() {
        let config = Config { listen: SocketAddr::from(([0, 0, 0, 0], 80)), ..Config::default() };
        assert_eq!(config.problems()[0].pointer, "/listen");
    }
}
