//! Deliveries of webhooks: the jobs of the kind `callback`.

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

use crate::job::JobId;
use crate::job::lane::Lane;
use crate::job::limit::provider_name::ProviderName;
use crate::job::outcome::retry::Backoff;
use crate::job::payload::Json;
use crate::job::queue::InvalidName;
use crate::job::submission::new_job::NewJob;
use crate::job::submission::on_end::callback::{CALLBACK_KIND, Callback, callback_queue};
use crate::job::submission::webhook_secret_name::WebhookSecretName;
use crate::job::time::{Span, Timestamp};

/// Maximum duration of one attempt to deliver a webhook.
const ATTEMPT_TIMEOUT: Span = Span::from_secs(30);
/// Pauses between the attempts to deliver a webhook, in seconds, as Standard Webhooks proposes them: 5 s,
/// 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h. Each is lengthened by up to a tenth, except that the last
/// one, which is the longest that a job may have, is shortened.
const PAUSES_S: [u64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// Maximum number of attempts to deliver a webhook.
const MAX_DELIVERY_ATTEMPTS: u32 = 10;
/// Backoff of an attempt that ended without an outcome, because the server was killed. It does not count. Every
/// other attempt follows [`pause_after`].
const LOST_BACKOFF: Backoff = Backoff {
    initial: Span::from_secs(5),
    factor: 1.0,
    max: Span::from_secs(5),
    jitter: 0.2,
    max_retry_after: Span::from_secs(86_400),
};

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

impl Callback {
    /// Returns the job that delivers a webhook with this body to a receiver of this group.
    ///
    /// # Errors
    /// Returns an error if the body is not JSON.
    pub fn delivery(
        &self,
        body: Json,
        group: Option<ProviderName>,
        now: Timestamp,
    ) -> Result<NewJob, serde_json::Error> {
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
            provider: group,
            key: None,
            on_end: None,
            payload: Json::of(&delivery)?,
        })
    }
}

/// Returns the pause after a failed attempt to deliver a webhook, with jitter of up to a tenth that depends on
/// the job and the attempt, so that webhooks that failed together are not repeated together.
///
/// A retry on demand raises `max_attempts`, and the schedule starts anew. For example, attempt 4 of at most
/// 13 is the first one after a retry that granted ten.
pub fn pause_after(attempt: u32, max_attempts: u32, job: JobId) -> Span {
    let earlier = max_attempts.saturating_sub(MAX_DELIVERY_ATTEMPTS).saturating_add(1);
    let index = usize::try_from(attempt.saturating_sub(earlier)).unwrap_or(usize::MAX);
    let seconds = PAUSES_S.get(index).or(PAUSES_S.last()).copied().unwrap_or_default();
    let bytes = [job.0.to_le_bytes(), i64::from(attempt).to_le_bytes()].concat();
    let jitter = u64::from(crc32fast::hash(&bytes) % 1_000) * seconds / 10;
    let is_longest = Span::from_secs(seconds) >= Backoff::MAX;
    let millis = if is_longest { seconds * 1_000 - jitter } else { seconds * 1_000 + jitter };
    Span::from_millis(i64::try_from(millis).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_follow_the_schedule_with_jitter_of_at_most_a_tenth() {
        for (index, seconds) in PAUSES_S.into_iter().enumerate() {
            let attempt = u32::try_from(index).unwrap() + 1;
            let pauses = (1..100).map(|job| pause_after(attempt, 10, JobId(job)).millis());
            let (least, most) = (pauses.clone().min().unwrap(), pauses.max().unwrap());
            let millis = i64::try_from(seconds).unwrap() * 1_000;
            let (from, to) = match millis == Backoff::MAX.millis() {
                true => (millis * 9 / 10, millis),
                false => (millis, millis * 11 / 10),
            };
            assert!(least >= from && most <= to, "{least} {most}");
            // A longer pause would be cut to the maximum, for all webhooks alike.
            assert!(most - least > millis / 20 && most <= Backoff::MAX.millis(), "{least} {most}");
        }
        assert!(pause_after(4, 13, JobId(7)) < Span::from_secs(6));
    }
}
