//! Forms of `/v1/kinds`.

use serde::Serialize;

use crate::job::{Kind, Lane, Timestamp};

/// The list of all kinds, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindList {
    /// All kinds that the server accepts.
    pub kinds: Vec<KindEntry>,
}

/// A kind that the server accepts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KindEntry {
    /// Name of the kind.
    pub kind: Kind,
    /// Pool of workers that runs its jobs.
    pub lane: Lane,
    /// Time at which a remote worker last asked for jobs of the kind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_asked_at: Option<Timestamp>,
}
