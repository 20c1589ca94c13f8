//! Queues: named lines of jobs, each with its own limits.

pub(crate) mod name_type;

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::job::State;
use crate::job::lane::Lane;
use crate::job::limit::provider_name::ProviderName;
use crate::job::time::{Span, Timestamp};

/// Name of a queue, of the form `[a-z0-9][a-z0-9._-]{0,63}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// Maximum length of a name, in characters.
    pub const MAX_LEN: usize = 64;

    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for QueueName {
    /// Returns `default`, the queue of a job that is submitted without a queue.
    fn default() -> Self {
        Self("default".into())
    }
}

/// Error for a text that is not a valid name of a queue or a kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 64 of a-z, 0-9, '.', '_' and '-', starting with a letter or a digit")]
pub struct InvalidName;

/// Returns whether a text is a valid name of a queue or a kind, in the form of [`QueueName`].
pub fn is_name(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= QueueName::MAX_LEN
        && text.bytes().next().is_some_and(allowed)
        && text.bytes().all(|c| allowed(c) || matches!(c, b'.' | b'_' | b'-'))
}

impl FromStr for QueueName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if is_name(text) { Ok(Self(text.into())) } else { Err(InvalidName) }
    }
}

impl Borrow<str> for QueueName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for QueueName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for QueueName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Rate limit: at most `limit` attempts start in any time window of length `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with limit and period")]
pub struct Rate {
    /// Maximum number of attempts that start in a period, 1 to [`Rate::MAX_LIMIT`].
    pub limit: u32,
    /// Length of the period, 1 ms to [`Rate::MAX_PERIOD`].
    pub period: Span,
}

impl Rate {
    /// Largest permitted `limit`.
    pub const MAX_LIMIT: u32 = 1_000_000;
    /// Longest permitted `period`: one day.
    pub const MAX_PERIOD: Span = Span::from_secs(24 * 3600);

    /// Returns the JSON pointer of the first invalid field and a message, or `None` if there is none.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        if self.limit == 0 || self.limit > Self::MAX_LIMIT {
            return Some(("/limit", format!("must be between 1 and {}", Self::MAX_LIMIT)));
        }
        if self.period.millis() == 0 || self.period > Self::MAX_PERIOD {
            return Some(("/period", format!("must be between 1ms and {}", Self::MAX_PERIOD)));
        }
        None
    }
}

/// Limits of a queue, and whether it is paused.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "a table with the fields paused, max_running and rate"
)]
pub struct QueueSettings {
    /// Whether the queue is paused: none of its jobs start, and running jobs continue.
    pub paused: bool,
    /// Maximum number of jobs of the queue that run at once, over all lanes; `None` for no limit
    /// other than the number of workers.
    pub max_running: Option<u32>,
    /// Maximum number of attempts that start in a period; `None` for no limit.
    pub rate: Option<Rate>,
}

impl QueueSettings {
    /// Returns the JSON pointer of the first invalid field and a message, or `None` if there is none.
    pub fn problem(&self) -> Option<(String, String)> {
        if self.max_running == Some(0) {
            return Some((
                "/max_running".into(),
                "must be at least 1; to stop a queue, pause it".into(),
            ));
        }
        let (field, why) = self.rate?.problem()?;
        Some((format!("/rate{field}"), why))
    }
}

/// Initial settings of new queues, and the maximum number of queues.
#[derive(Debug, Clone, Default)]
pub struct QueueRules {
    /// Initial settings of the queues that the configuration lists.
    pub listed: BTreeMap<QueueName, QueueSettings>,
    /// Initial settings of all other queues.
    pub others: QueueSettings,
    /// Maximum number of queues.
    pub max_queues: usize,
}

impl QueueRules {
    /// Returns the initial settings of a queue.
    pub fn initial(&self, queue: &QueueName) -> QueueSettings {
        self.listed.get(queue).copied().unwrap_or(self.others)
    }
}

/// Change of a queue's settings. An absent field is not changed; `null` removes a limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    default,
    deny_unknown_fields,
    expecting = "an object with the fields paused, max_running and rate"
)]
pub struct QueueChange {
    /// `true` to pause the queue, `false` to resume it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// New value of `max_running`; `null` for no limit.
    #[serde(deserialize_with = "double_option", skip_serializing_if = "Option::is_none")]
    pub max_running: Option<Option<u32>>,
    /// New rate limit; `null` for no limit.
    #[serde(deserialize_with = "double_option", skip_serializing_if = "Option::is_none")]
    pub rate: Option<Option<Rate>>,
}

/// Deserializes a field so that `null` and an absent field differ: `null` becomes `Some(None)`, and
/// an absent field becomes `None` through the field's default.
pub(super) fn double_option<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

impl QueueChange {
    /// Returns the settings after this change.
    #[must_use]
    pub fn apply(&self, before: QueueSettings) -> QueueSettings {
        QueueSettings {
            paused: self.paused.unwrap_or(before.paused),
            max_running: self.max_running.unwrap_or(before.max_running),
            rate: self.rate.unwrap_or(before.rate),
        }
    }
}

/// Number of jobs in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCounts {
    /// Number of jobs that wait for their `run_at`.
    pub scheduled: i64,
    /// Number of jobs that can run now.
    pub queued: i64,
    /// Number of jobs that a worker runs.
    pub running: i64,
    /// Number of jobs that wait for their next attempt.
    pub retrying: i64,
    /// Number of jobs that succeeded.
    pub completed: i64,
    /// Number of jobs that failed.
    pub failed: i64,
    /// Number of jobs that were cancelled or expired.
    pub cancelled: i64,
}

impl StateCounts {
    /// Returns the number of jobs in a state.
    pub fn get(&self, state: State) -> i64 {
        match state {
            State::Scheduled => self.scheduled,
            State::Queued => self.queued,
            State::Running => self.running,
            State::Retrying => self.retrying,
            State::Completed => self.completed,
            State::Failed => self.failed,
            State::Cancelled => self.cancelled,
        }
    }

    /// Returns the counter of a state, to change it.
    pub fn get_mut(&mut self, state: State) -> &mut i64 {
        match state {
            State::Scheduled => &mut self.scheduled,
            State::Queued => &mut self.queued,
            State::Running => &mut self.running,
            State::Retrying => &mut self.retrying,
            State::Completed => &mut self.completed,
            State::Failed => &mut self.failed,
            State::Cancelled => &mut self.cancelled,
        }
    }

    /// Adds the counts of another queue.
    pub fn add(&mut self, other: &Self) {
        State::ALL.into_iter().for_each(|state| *self.get_mut(state) += other.get(state));
    }

    /// Returns the number of jobs that are not in a final state.
    pub fn live(&self) -> i64 {
        self.waiting() + self.running
    }

    /// Returns the number of jobs that wait: for a worker, for their time or for their next attempt.
    pub fn waiting(&self) -> i64 {
        self.scheduled + self.queued + self.retrying
    }
}

/// A queue in its current state, in the form that the API returns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Name of the queue.
    pub name: QueueName,
    /// Limits of the queue, and whether it is paused.
    #[serde(flatten)]
    pub settings: QueueSettings,
    /// Number of its jobs in each state.
    pub jobs: StateCounts,
    /// Counters that never fall.
    #[serde(default)]
    pub totals: QueueTotals,
    /// Earliest `run_at` among the queued jobs that are next to start, one for each lane and
    /// priority; `None` if no job is queued.
    pub oldest_queued_at: Option<Timestamp>,
    /// Time since `oldest_queued_at`.
    pub oldest_queued_age: Option<Span>,
    /// The same time as a number of seconds, for alerts.
    #[serde(default)]
    pub oldest_queued_age_seconds: Option<f64>,
}

/// Number of events in a queue since it was created. Unlike the number of jobs in a state they never fall,
/// so the difference of two reads is the number of events between them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueTotals {
    /// Number of jobs that were submitted.
    pub submitted: i64,
    /// Number of attempts that started.
    pub started: i64,
    /// Number of attempts after which the job waited for its next attempt.
    pub retried: i64,
    /// Number of jobs that completed.
    pub completed: i64,
    /// Number of jobs that failed.
    pub failed: i64,
    /// Number of jobs that were cancelled or expired.
    pub cancelled: i64,
}

impl From<StateCounts> for QueueTotals {
    /// Converts the entries to each state that the store counts.
    fn from(entered: StateCounts) -> Self {
        Self {
            submitted: entered.scheduled + entered.queued,
            started: entered.running,
            retried: entered.retrying,
            completed: entered.completed,
            failed: entered.failed,
            cancelled: entered.cancelled,
        }
    }
}

/// State of a queue when the server starts, from which the roster is built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueLoad {
    /// Name of the queue.
    pub name: QueueName,
    /// Limits of the queue, and whether it is paused.
    pub settings: QueueSettings,
    /// Number of its jobs that run in the remote lane, which continue while the server restarts.
    pub remote_running: u32,
    /// Lanes of this process in which the queue may have queued jobs.
    pub ready: Vec<Lane>,
    /// Providers of which the queue may have queued jobs.
    pub providers: Vec<ProviderName>,
    /// Kinds of which the queue may have queued jobs in the remote lane.
    pub remote_kinds: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_valid_names_parse() {
        for good in ["a", "default", "0.mail_out-2", &"x".repeat(64)] {
            assert!(good.parse::<QueueName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a b", "ü", &"x".repeat(65)] {
            assert_eq!(bad.parse::<QueueName>(), Err(InvalidName), "{bad}");
        }
    }

    #[test]
    fn a_change_keeps_the_settings_that_it_does_not_contain() {
        let before = QueueSettings { paused: true, max_running: Some(5), rate: None };
        let change: QueueChange = serde_json::from_str(r#"{"max_running": null}"#).unwrap();
        let after = change.apply(before);
        assert_eq!(after, QueueSettings { paused: true, max_running: None, rate: None });
    }
}
