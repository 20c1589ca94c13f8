//! What has happened while the worlds were gone through: a world in which nothing happens keeps
//! every promise.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// Every step and every answer that must have come about.
const EVENTS: [&str; 29] = [
    "lease",
    "begin",
    "end",
    "arrive twice",
    "lose",
    "give back",
    "ask for time",
    "die",
    "finish",
    "renew",
    "run out",
    "rescue",
    "time out",
    "stage",
    "cancel",
    "retry",
    "crash",
    "start",
    "copy",
    "restore",
    // Answers; of accepted finishes, the state that they led to.
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

/// Counts by event.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Arc<Mutex<BTreeMap<&'static str, u64>>>);

impl Tally {
    pub(super) fn count(&self, event: &'static str) {
        *self.0.lock().unwrap().entry(event).or_default() += 1;
    }

    pub(super) fn kinds(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    pub(super) fn demand_everything(&self) {
        let counts = self.0.lock().unwrap();
        let missing: Vec<_> = EVENTS.iter().filter(|event| !counts.contains_key(*event)).collect();
        assert!(missing.is_empty(), "never happened: {missing:?}");
        assert_eq!(counts.len(), EVENTS.len(), "not listed: {counts:?}");
    }
}
