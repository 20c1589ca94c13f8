//! The scripted behaviour of a call, given in its request.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::fault::Fault;
use crate::job::Span;

/// The `mock` field of a request, which sets the behaviour of the call.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "an object with fault, times, key, retry_after, retry_after_ms and delay"
)]
pub struct Script {
    /// Fault of the call.
    pub fault: Option<Fault>,
    /// Number of calls with the same key that fail, counted from the first; if omitted, all fail.
    pub times: Option<u32>,
    /// Key by which calls are counted for `times`; if omitted, the question.
    pub key: Option<String>,
    /// Value of the `Retry-After` header on a 429 or 503.
    pub retry_after: Option<String>,
    /// Value of the `retry-after-ms` header on a 429 or 503, which replaces `Retry-After`.
    pub retry_after_ms: Option<u64>,
    /// Time that the call takes, instead of the server's delay.
    pub delay: Option<Span>,
}

/// Maximum number of keys that are stored, in case a client uses a new key for each call.
const MAX_KEYS: usize = 100_000;

/// Counters of calls by key.
#[derive(Debug, Default)]
pub struct KeyCounters(Mutex<HashMap<String, u32>>);

impl KeyCounters {
    /// Counts a call with `key` and returns its number, from 1.
    ///
    /// Returns `None` if `key` is new and too many keys are stored.
    pub fn count(&self, key: &str) -> Option<u32> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() >= MAX_KEYS && !calls.contains_key(key) {
            return None;
        }
        let number = calls.entry(key.into()).or_default();
        *number = number.saturating_add(1);
        Some(*number)
    }

    /// Removes all keys.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Script {
    /// Returns the fault of this call, which may depend on the number of calls with the same key.
    ///
    /// # Errors
    /// Returns an error if too many keys are stored.
    pub fn fault(&self, question: &str, keys: &KeyCounters) -> Result<Option<Fault>, &'static str> {
        let (Some(fault), Some(times)) = (self.fault, self.times) else { return Ok(self.fault) };
        let key = self.key.as_deref().unwrap_or(question);
        match keys.count(key) {
            Some(number) => Ok((number <= times).then_some(fault)),
            None => Err("too many different values of mock.key; POST /stats/reset removes them"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_calls_with_a_key_fail() {
        let text = r#"{"fault": "429", "times": 2, "key": "a", "retry_after": "1"}"#;
        let script: Script = serde_json::from_str(text).unwrap();
        let keys = KeyCounters::default();
        let faults: Vec<_> = (0..4).map(|_| script.fault("", &keys).unwrap()).collect();
        let fault = Some(Fault::Status(429));
        assert_eq!(faults, [fault, fault, None, None]);
        keys.clear();
        assert_eq!(script.fault("", &keys), Ok(fault));
    }
}
