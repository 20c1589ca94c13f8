//! Callbacks: signed webhooks about the end of a job or batch.

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::limit::provider_name::ProviderName;
use crate::job::outcome::retry::Backoff;
use crate::job::payload::Json;
use crate::job::problem::Problem;
use crate::job::queue::{InvalidName, QueueName};
use crate::job::submission::NewJob;
use crate::job::time::{Span, Timestamp};
use crate::job::{JobId, State, WebhookSecretName};

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

/// Maximum duration of one attempt to deliver a webhook.
const ATTEMPT_TIMEOUT: Span = Span::from_secs(30);
/// Pauses between the attempts to deliver a webhook, in seconds, as Standard Webhooks proposes them: 5 s,
/// 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h. Each is lengthened by up to a tenth.
const PAUSES_S: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// Maximum number of attempts to deliver a webhook.
const MAX_DELIVERY_ATTEMPTS: u32 = 10;
/// Backoff of an attempt that ended without an outcome, because the server was killed. Every other attempt
/// follows [`pause_after`].
const LOST_BACKOFF: Backoff = Backoff {
    initial: Span::from_secs(5),
    factor: 1.0,
    max: Span::from_secs(5),
    jitter: 0.2,
    max_retry_after: Span::from_secs(86_400),
};

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

    /// Returns the job that delivers a webhook with this body.
    ///
    /// # Errors
    /// Returns an error if the body is not JSON.
    pub fn delivery(&self, body: Json, now: Timestamp) -> Result<NewJob, serde_json::Error> {
        let delivery = Delivery { url: self.url.clone(), secret: self.secret.clone(), body };
        Ok(NewJob {
            kind: CALLBACK_KIND
                .parse()
                .map_err(|InvalidName| serde_json::Error::custom(InvalidName))?,
            lane: Lane::Async,
            queue: callback_queue(),
            priority: 0,
            run_at: now,
            is_scheduled: false,
            timeout: ATTEMPT_TIMEOUT,
            max_attempts: MAX_DELIVERY_ATTEMPTS,
            backoff: LOST_BACKOFF,
            at_most_once: false,
            expires_at: None,
            tags: Vec::new(),
            truncate_result: false,
            metadata: None,
            provider: group_of(&self.url),
            key: None,
            on_end: None,
            payload: Json::of(&delivery)?,
        })
    }

    /// Returns whether an event is sent.
    pub fn sends(&self, event: CallbackEvent) -> bool {
        self.events.as_ref().is_none_or(|events| events.contains(&event))
    }
}

/// Payload of a job of the kind `callback`: one webhook, with the body that each attempt sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with url and body")]
pub struct Delivery {
    /// URL that receives the webhook.
    pub url: String,
    /// Name of the webhook secret that signs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<WebhookSecretName>,
    /// Body of the webhook.
    pub body: Json,
}

/// Returns the pause after a failed attempt to deliver a webhook, with jitter between 0 and a tenth that
/// depends on the job and the attempt, so that webhooks that failed together are not repeated together.
///
/// A retry on demand raises `max_attempts`, and the schedule starts anew. For example, attempt 4 of at most
/// 13 is the first one after a retry that granted ten.
pub fn pause_after(attempt: u32, max_attempts: u32, job: JobId) -> Span {
    let earlier = max_attempts.saturating_sub(MAX_DELIVERY_ATTEMPTS).saturating_add(1);
    let index = usize::try_from(attempt.saturating_sub(earlier)).unwrap_or(usize::MAX);
    let seconds = PAUSES_S.get(index).or(PAUSES_S.last()).copied().unwrap_or_default();
    let bytes = [job.0.to_le_bytes(), i64::from(attempt).to_le_bytes()].concat();
    let jitter = u64::from(crc32fast::hash(&bytes) % 1_000) * seconds / 10;
    Span::from_millis(i64::try_from(seconds * 1_000 + jitter).unwrap_or(i64::MAX))
}

/// Returns the queue of the jobs that deliver webhooks.
pub fn callback_queue() -> QueueName {
    // The fallback is never used: the name is valid.
    CALLBACK_QUEUE.parse().unwrap_or_default()
}

/// Returns the group of the receiver at a URL, whose limit its deliveries share.
///
/// The group depends on the host alone: `https://a.example/x` and `http://a.example:8080/y` are in the
/// same one.
pub fn group_of(url: &str) -> Option<ProviderName> {
    let host = url::Url::parse(url).ok()?.host_str()?.to_owned();
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
    fn the_pauses_follow_the_schedule_with_jitter_of_at_most_a_tenth() {
        for (index, seconds) in PAUSES_S.into_iter().enumerate() {
            let attempt = u32::try_from(index).unwrap() + 1;
            let pauses = (1..100).map(|job| pause_after(attempt, 10, JobId(job)).millis());
            let (least, most) = (pauses.clone().min().unwrap(), pauses.max().unwrap());
            let millis = i64::try_from(seconds).unwrap() * 1_000;
            assert!(least >= millis && most <= millis * 11 / 10 && most > least, "{least} {most}");
        }
        assert!(pause_after(4, 13, JobId(7)) < Span::from_secs(6));
    }

    #[test]
    fn the_group_of_a_receiver_depends_on_its_host_alone() {
        let group = group_of("https://A.example/x");
        assert!(group.is_some());
        assert_eq!(group_of("http://a.example:8080/y?z"), group);
        assert_eq!(group_of("nowhere"), None);
        assert_eq!(groups().count(), 16);
    }
}
