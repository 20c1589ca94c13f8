//! A named line of jobs, with its own limits.

use std::borrow::{Borrow, Cow};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::job::State;
use crate::job::lane::Lane;
use crate::job::time::{Span, Timestamp};

/// The name of a queue: `[a-z0-9][a-z0-9._-]{0,63}`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct QueueName(Arc<str>);

impl QueueName {
    /// The longest name, in characters.
    pub const MAX_LEN: usize = 64;

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for QueueName {
    /// The queue of jobs that name none.
    fn default() -> Self {
        Self("default".into())
    }
}

/// A text that cannot name a queue, a kind or a tag.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a name: 1 to 64 of a-z, 0-9, '.', '_' and '-', beginning with a letter or a digit")]
pub struct NotAName;

/// Whether a text has the form that queues and kinds share.
pub fn is_name(text: &str) -> bool {
    let allowed = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit();
    text.len() <= QueueName::MAX_LEN
        && text.bytes().next().is_some_and(allowed)
        && text.bytes().all(|c| allowed(c) || matches!(c, b'.' | b'_' | b'-'))
}

impl FromStr for QueueName {
    type Err = NotAName;

    fn from_str(text: &str) -> Result<Self, NotAName> {
        if is_name(text) { Ok(Self(text.into())) } else { Err(NotAName) }
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

/// At most `limit` starts in any span of `period`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// How many attempts may start, 1 to [`Rate::MAX_LIMIT`].
    pub limit: u32,
    /// In how long a time, 1 ms to [`Rate::MAX_PERIOD`].
    pub period: Span,
}

impl Rate {
    /// The most starts a period.
    pub const MAX_LIMIT: u32 = 1_000_000;
    /// The longest period: a day.
    pub const MAX_PERIOD: Span = Span::from_secs(24 * 3600);

    /// What is wrong with this rate, if anything: the field and why.
    pub fn problem(&self) -> Option<(&'static str, String)> {
        if self.limit == 0 || self.limit > Self::MAX_LIMIT {
            return Some(("/limit", format!("lies between 1 and {}", Self::MAX_LIMIT)));
        }
        if self.period.millis() == 0 || self.period > Self::MAX_PERIOD {
            return Some(("/period", format!("lies between 1ms and {}", Self::MAX_PERIOD)));
        }
        None
    }
}

/// How a queue is limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueSettings {
    /// No job of a paused queue is started; those that run go on.
    pub paused: bool,
    /// How many jobs of the queue run at once, over all lanes; none means no limit but the lanes'.
    pub max_running: Option<u32>,
    /// How many attempts start in a period; none means no limit.
    pub rate: Option<Rate>,
}

impl QueueSettings {
    /// What is wrong with these settings, if anything: the JSON pointer and why.
    pub fn problem(&self) -> Option<(String, String)> {
        if self.max_running == Some(0) {
            return Some((
                "/max_running".into(),
                "is at least 1; to stop a queue, pause it".into(),
            ));
        }
        let (place, why) = self.rate?.problem()?;
        Some((format!("/rate{place}"), why))
    }
}

/// With which settings queues begin, and how many there may be.
#[derive(Debug, Clone, Default)]
pub struct QueueRules {
    /// Those of queues that the configuration names.
    pub listed: BTreeMap<QueueName, QueueSettings>,
    /// Those of all others.
    pub others: QueueSettings,
    /// How many queues there may be.
    pub max_queues: usize,
}

impl QueueRules {
    /// The settings with which a queue begins.
    pub fn initial(&self, queue: &QueueName) -> QueueSettings {
        self.listed.get(queue).copied().unwrap_or(self.others)
    }
}

/// A change to a queue's settings: what is not named stays, `null` takes a limit away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueChange {
    /// Pause or resume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,
    /// A new `max_running`.
    #[serde(deserialize_with = "named", skip_serializing_if = "Option::is_none")]
    pub max_running: Option<Option<u32>>,
    /// A new rate.
    #[serde(deserialize_with = "named", skip_serializing_if = "Option::is_none")]
    pub rate: Option<Option<Rate>>,
}

/// Tells a field that is `null` from one that is not there.
pub(super) fn named<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(deserializer).map(Some)
}

impl QueueChange {
    /// The settings after this change.
    #[must_use]
    pub fn apply(&self, before: QueueSettings) -> QueueSettings {
        QueueSettings {
            paused: self.paused.unwrap_or(before.paused),
            max_running: self.max_running.unwrap_or(before.max_running),
            rate: self.rate.unwrap_or(before.rate),
        }
    }
}

/// How many jobs stand in each state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateCounts {
    /// Waiting for their time.
    pub scheduled: i64,
    /// Ready to run.
    pub queued: i64,
    /// Leased.
    pub running: i64,
    /// Waiting for their next attempt.
    pub retrying: i64,
    /// Ended well.
    pub completed: i64,
    /// Ended badly.
    pub failed: i64,
    /// Called off or expired.
    pub cancelled: i64,
}

impl StateCounts {
    /// The count of one state.
    pub fn of(&mut self, state: State) -> &mut i64 {
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

    /// How many jobs have not ended.
    pub fn live(&self) -> i64 {
        self.scheduled + self.queued + self.running + self.retrying
    }
}

/// A queue as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Its name.
    pub name: QueueName,
    /// Its limits.
    #[serde(flatten)]
    pub settings: QueueSettings,
    /// Its jobs by state.
    pub jobs: StateCounts,
    /// Since when the oldest of the jobs that are next in line, by lane and priority, waits.
    pub oldest_queued_at: Option<Timestamp>,
    /// How long that is.
    pub oldest_queued_age: Option<Span>,
}

/// A queue as it stood when the server started: where the roster begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueLoad {
    /// Its name.
    pub name: QueueName,
    /// Its limits.
    pub settings: QueueSettings,
    /// How many of its jobs run in the remote lane, whose workers outlive a restart.
    pub remote_running: u32,
    /// The lanes of this process in which it may have queued jobs.
    pub ready: Vec<Lane>,
    /// The kinds of which it may have queued jobs in the remote lane.
    pub remote_kinds: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_once() {
        for good in ["a", "default", "0.mail_out-2", &"x".repeat(64)] {
            assert!(good.parse::<QueueName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "A", "a b", "ü", &"x".repeat(65)] {
            assert_eq!(bad.parse::<QueueName>(), Err(NotAName), "{bad}");
        }
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name() {
        let before = QueueSettings { paused: true, max_running: Some(5), rate: None };
        let change: QueueChange = serde_json::from_str(r#"{"max_running": null}"#).unwrap();
        let after = change.apply(before);
        assert_eq!(after, QueueSettings { paused: true, max_running: None, rate: None });
    }
}
