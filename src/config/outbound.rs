//! Settings of calls to other servers.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::job::problem::Problem;
use crate::job::time::Span;

/// Settings of calls to other servers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, expecting = "a table of settings")]
pub struct OutboundConfig {
    /// Maximum time to establish a connection, including TLS.
    pub connect_timeout: Span,
    /// Maximum number of connections of each thread of the async lane.
    pub max_connections: usize,
    /// Path of a PEM file with certificates to trust in addition to the public ones.
    pub ca_file: Option<PathBuf>,
}

impl Default for OutboundConfig {
    fn default() -> Self {
        Self { connect_timeout: Span::from_secs(10), max_connections: 4_096, ca_file: None }
    }
}

impl OutboundConfig {
    /// Returns the problems of these values.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.connect_timeout.millis() == 0 || self.connect_timeout > Span::from_secs(300) {
            problems.push(Problem::new("/connect_timeout", "must be between 1ms and 5m"));
        }
        if !(1..=65_536).contains(&self.max_connections) {
            problems.push(Problem::new("/max_connections", "must be between 1 and 65536"));
        }
        problems
    }
}
