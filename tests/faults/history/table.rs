//! What the server has in the end.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Hash, hash};
use crate::kit::Server;

/// A job as it is found when all is over.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Found {
    pub(crate) tag: String,
    pub(crate) state: String,
    pub(crate) attempt: i64,
    /// The hash of its result, where it has completed.
    pub(crate) result: Option<Hash>,
    /// The code of its error, where it has not.
    pub(crate) error: Option<String>,
}

impl Found {
    fn read(job: &Value) -> Self {
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let state = text(&job["state"]).unwrap();
        Self {
            tag: text(&job["tags"][0]).unwrap_or_default(),
            attempt: job["attempt"].as_i64().unwrap(),
            result: (state == "completed").then(|| hash(&job["result"])),
            error: text(&job["error"]["code"]),
            state,
        }
    }

    /// Whether it has ended.
    pub(crate) fn is_final(&self) -> bool {
        is_final(&self.state)
    }
}

/// Whether a state is the last one.
pub(crate) fn is_final(state: &str) -> bool {
    matches!(state, "completed" | "failed" | "cancelled")
}

/// Every job by its id.
pub(crate) type Table = BTreeMap<i64, Found>;

/// Reads all that a server has.
pub(crate) fn of(server: &Server) -> Table {
    let jobs = server.all_jobs();
    jobs.iter().map(|(id, job)| (*id, Found::read(job))).collect()
}
