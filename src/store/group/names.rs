//! Ids and names of all queues and providers, kept in memory by the write side.

use std::collections::HashMap;
use std::hash::Hash;

use crate::job::{ProviderName, QueueName};

/// Ids of all queues by name, and names by id. Never stale, because queues are never removed.
pub(crate) type QueueIds = Ids<QueueName>;

/// Ids of all providers by name, and names by id. A provider gets its id when the database is opened.
pub(crate) type ProviderIds = Ids<ProviderName>;

/// Ids of rows by name, and names by id.
#[derive(Debug)]
pub(crate) struct Ids<N> {
    ids: HashMap<N, i64>,
    names: HashMap<i64, N>,
}

impl<N> Default for Ids<N> {
    fn default() -> Self {
        Self { ids: HashMap::new(), names: HashMap::new() }
    }
}

impl<N: Eq + Hash + Clone> Ids<N> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&N, i64)> {
        self.ids.iter().map(|(name, id)| (name, *id))
    }

    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn id(&self, name: &N) -> Option<i64> {
        self.ids.get(name).copied()
    }

    pub(crate) fn name(&self, id: i64) -> Option<&N> {
        self.names.get(&id)
    }

    pub(crate) fn insert(&mut self, name: N, id: i64) {
        self.names.insert(id, name.clone());
        self.ids.insert(name, id);
    }

    pub(crate) fn remove(&mut self, name: &N) {
        if let Some(id) = self.ids.remove(name) {
            self.names.remove(&id);
        }
    }
}
