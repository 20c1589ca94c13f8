//! How one call is to go, as its request or the server's options say.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde::Deserialize;

use super::fault::Fault;
use crate::job::Span;

/// The field `mock` of a request: how this call is to go.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Script {
    /// How it fails.
    pub fault: Option<Fault>,
    /// Only the first so many calls with the same key fail; left out, all do.
    pub times: Option<u32>,
    /// What calls are counted by; the question if left out.
    pub key: Option<String>,
    /// The value of `Retry-After` beside a 429 or 503.
    pub retry_after: Option<String>,
    /// The value of `retry-after-ms` beside a 429 or 503.
    pub retry_after_ms: Option<u64>,
    /// How long it takes, instead of the server's delay.
    pub delay: Option<Span>,
}

/// The most keys that are remembered; a client that makes up a new one each call meets it.
const MAX_KEYS: usize = 100_000;

/// How many calls came with each key.
#[derive(Debug, Default)]
pub struct Keys(Mutex<HashMap<String, u32>>);

impl Keys {
    /// Counts a call with `key`: its number from 1, or none where too many keys are remembered.
    pub fn count(&self, key: &str) -> Option<u32> {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() >= MAX_KEYS && !calls.contains_key(key) {
            return None;
        }
        let number = calls.entry(key.into()).or_default();
        *number = number.saturating_add(1);
        Some(*number)
    }

    /// Forgets all keys.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Script {
    /// The fault of this call, its number among those with its key considered.
    ///
    /// # Errors
    /// Where too many keys are remembered.
    pub fn fault(&self, question: &str, keys: &Keys) -> Result<Option<Fault>, &'static str> {
        let (Some(fault), Some(times)) = (self.fault, self.times) else { return Ok(self.fault) };
        let key = self.key.as_deref().unwrap_or(question);
        match keys.count(key) {
            Some(number) => Ok((number <= times).then_some(fault)),
            None => Err("too many different keys in mock.key; POST /stats/reset forgets them"),
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
        let keys = Keys::default();
        let faults: Vec<_> = (0..4).map(|_| script.fault("", &keys).unwrap()).collect();
        let fault = Some(Fault::Status(429));
        assert_eq!(faults, [fault, fault, None, None]);
        keys.clear();
        assert_eq!(script.fault("", &keys), Ok(fault));
    }
}
