//! Ids and names of all queues, kept in memory by the write side.

use std::collections::HashMap;

use crate::job::QueueName;

/// Cache of the ids and names of all queues. It never goes stale, because queues are never removed.
#[derive(Debug, Default)]
pub(crate) struct QueueIds {
    ids: HashMap<QueueName, i64>,
    names: HashMap<i64, QueueName>,
}

impl QueueIds {
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    pub(crate) fn id(&self, name: &QueueName) -> Option<i64> {
        self.ids.get(name).copied()
    }

    pub(crate) fn name(&self, id: i64) -> Option<&QueueName> {
        self.names.get(&id)
    }

    pub(crate) fn insert(&mut self, name: QueueName, id: i64) {
        self.names.insert(id, name.clone());
        self.ids.insert(name, id);
    }

    pub(crate) fn remove(&mut self, name: &QueueName) {
        if let Some(id) = self.ids.remove(name) {
            self.names.remove(&id);
        }
    }
}
