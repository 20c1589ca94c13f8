//! Counts of the events that happened in the models. A model in which nothing happens breaks no
//! promise, so every kind of event must have happened.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Every kind of event and of answer that must have happened.
const EVENTS: [&str; 29] = [
    "lease",
    "start job",
    "end attempt",
    "arrive twice",
    "lose",
    "release undelivered",
    "request renewal",
    "die",
    "finish",
    "renew",
    "expire",
    "rescue",
    "time out",
    "stage",
    "cancel",
    "retry",
    "crash",
    "start",
    "copy",
    "restore",
    // Answers. An accepted finish is counted under the state of its job after it.
    "repeated",
    "stale",
    "renewed",
    "not renewed",
    "completed",
    "failed",
    "retrying",
    "queued",
    "cancelled",
];

/// Number of times that each kind of event has happened. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub(super) struct EventCounts(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl EventCounts {
    pub(super) fn count(&self, event: &'static str) {
        *self.0.lock().unwrap().entry(event).or_default() += 1;
    }

    pub(super) fn kinds(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(super) fn assert_all_occurred(&self) {
        let counts = self.0.lock().unwrap();
        let missing: Vec<_> = EVENTS.iter().filter(|event| !counts.contains_key(*event)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}");
        assert_eq!(counts.len(), EVENTS.len(), "not listed: {counts:?}");
    }
}
