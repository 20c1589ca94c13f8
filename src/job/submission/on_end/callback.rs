//! Callbacks: signed webhooks about the end of a job or batch.

use serde::{Deserialize, Serialize};

use crate::job::limit::provider_name::ProviderName;
use crate::job::problem::Problem;
use crate::job::queue::QueueName;
use crate::job::state::State;
use crate::job::submission::webhook_secret_name::WebhookSecretName;

/// Kind of the jobs that deliver webhooks. Only the server submits them.
pub const CALLBACK_KIND: &str = "callback";
/// Queue of the jobs that deliver webhooks.
pub const CALLBACK_QUEUE: &str = "callbacks";
/// Number of groups into which receivers are divided by their host. Each group has its own limit on
/// running deliveries, so a slow receiver holds up only the receivers of its group.
pub const CALLBACK_GROUPS: u32 = 16;
/// Start of the names of these groups, in which providers of the configuration must not have a name.
pub const GROUP_PREFIX: &str = "callbacks.";
/// Maximum length of a callback URL, in bytes.
const MAX_URL_BYTES: usize = 2_048;

/// A webhook to send when a job or batch ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with url")]
pub struct Callback {
    /// URL that receives the webhook, as a `POST` request.
    pub url: String,
    /// Events to send; all by default. An empty list sends none, also if the queue or kind has a default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub events: Option<Vec<CallbackEvent>>,
    /// Whether the webhook of a completed job contains its result.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub include_result: bool,
    /// Name of the webhook secret that signs the webhook; without it, the webhook is not signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<WebhookSecretName>,
}

/// What a webhook reports: the value of its field `type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CallbackEvent {
    /// A job completed.
    #[serde(rename = "job.completed")]
    JobCompleted,
    /// A job failed for good.
    #[serde(rename = "job.failed")]
    JobFailed,
    /// A job was cancelled or expired.
    #[serde(rename = "job.cancelled")]
    JobCancelled,
    /// All jobs of a batch have ended.
    #[serde(rename = "batch.finished")]
    BatchFinished,
}

impl CallbackEvent {
    /// All events.
    pub const ALL: [Self; 4] =
        [Self::JobCompleted, Self::JobFailed, Self::JobCancelled, Self::BatchFinished];

    /// Returns the name of the event, as webhooks have it in the field `type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::JobCompleted => "job.completed",
            Self::JobFailed => "job.failed",
            Self::JobCancelled => "job.cancelled",
            Self::BatchFinished => "batch.finished",
        }
    }

    /// Returns the event of a job that ended in `state`, or `None` if the state is not final.
    pub fn of_job(state: State) -> Option<Self> {
        match state {
            State::Completed => Some(Self::JobCompleted),
            State::Failed => Some(Self::JobFailed),
            State::Cancelled => Some(Self::JobCancelled),
            State::Scheduled | State::Queued | State::Running | State::Retrying => None,
        }
    }
}

/// Whether a callback belongs to a job or to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallbackOwner {
    /// The callback of one job.
    Job,
    /// The callback of a batch.
    Batch,
}

impl Callback {
    /// Returns the problems of the fields, each with its JSON pointer. Whether the URL may be called and the
    /// secret exists is checked elsewhere.
    pub fn problems(&self, owner: CallbackOwner) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.url.len() > MAX_URL_BYTES {
            problems.push(Problem::new("/url", format!("must be at most {MAX_URL_BYTES} bytes")));
        }
        for (index, event) in self.events.iter().flatten().enumerate() {
            let is_of_batch = *event == CallbackEvent::BatchFinished;
            if is_of_batch != (owner == CallbackOwner::Batch) {
                let why = match owner {
                    CallbackOwner::Job => {
                        "is an event of a batch; set it in the callback of the batch"
                    }
                    CallbackOwner::Batch => "is an event of a job; a batch has only batch.finished",
                };
                problems.push(Problem::new(format!("/events/{index}"), why));
            }
        }
        problems
    }

    /// Returns whether the callback sends no event.
    pub fn is_disabled(&self) -> bool {
        self.events.as_ref().is_some_and(Vec::is_empty)
    }

    /// Returns whether an event is sent.
    pub fn sends(&self, event: CallbackEvent) -> bool {
        self.events.as_ref().is_none_or(|events| events.contains(&event))
    }
}

/// Returns the queue of the jobs that deliver webhooks.
pub fn callback_queue() -> QueueName {
    // The fallback is never used: the name is valid.
    CALLBACK_QUEUE.parse().unwrap_or_default()
}

/// Refuses the queue of the deliveries for the jobs of clients, which would hold webhooks back.
///
/// # Errors
/// Returns the problem of a field `queue` that names it.
pub fn check_client_queue(queue: &QueueName) -> Result<(), Problem> {
    if queue.as_str() != CALLBACK_QUEUE {
        return Ok(());
    }
    let why = "is reserved for the deliveries of webhooks; use another queue";
    Err(Problem::new("/queue", why))
}

/// Returns the group of the receivers on a host, whose limit their deliveries share.
pub fn group_of(host: &str) -> Option<ProviderName> {
    group(crc32fast::hash(host.as_bytes()) % CALLBACK_GROUPS)
}

/// Returns whether a name of a provider is that of a group of receivers.
pub fn is_group(name: &ProviderName) -> bool {
    name.as_str().starts_with(GROUP_PREFIX)
}

/// Returns all groups of receivers.
pub fn groups() -> impl Iterator<Item = ProviderName> {
    (0..CALLBACK_GROUPS).filter_map(group)
}

fn group(number: u32) -> Option<ProviderName> {
    format!("{GROUP_PREFIX}{number:02}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callback(text: &str) -> Result<Callback, serde_json::Error> {
        serde_json::from_str(text)
    }

    #[test]
    fn all_events_are_sent_unless_some_are_listed() {
        let all = callback(r#"{"url": "https://a"}"#).unwrap();
        assert!(all.sends(CallbackEvent::JobFailed) && !all.is_disabled());
        let one = callback(r#"{"url": "https://a", "events": ["job.failed"]}"#).unwrap();
        assert!(one.sends(CallbackEvent::JobFailed) && !one.sends(CallbackEvent::JobCompleted));
        assert!(callback(r#"{"url": "https://a", "events": []}"#).unwrap().is_disabled());
        assert!(callback(r#"{"url": "https://a", "events": ["job.done"]}"#).is_err());
    }

    #[test]
    fn the_name_of_an_event_is_its_json() {
        for event in CallbackEvent::ALL {
            assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
        }
    }

    #[test]
    fn an_event_of_the_other_owner_is_a_problem() {
        let text = r#"{"url": "https://a", "events": ["job.failed", "batch.finished"]}"#;
        let pointers = |owner| {
            let problems = callback(text).unwrap().problems(owner).into_iter();
            problems.map(|problem| problem.pointer).collect::<Vec<_>>()
        };
        assert_eq!(pointers(CallbackOwner::Job), ["/events/1"]);
        assert_eq!(pointers(CallbackOwner::Batch), ["/events/0"]);
    }

    #[test]
    fn each_host_is_in_one_of_sixteen_groups() {
        assert_eq!(group_of("a.example"), group_of("a.example"));
        let hosts = (0..1_000).filter_map(|number| group_of(&format!("{number}.example")));
        let found: std::collections::BTreeSet<_> = hosts.collect();
        assert_eq!(found, groups().collect());
        assert!(found.iter().all(is_group) && found.len() == 16);
    }
}
