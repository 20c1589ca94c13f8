//! Deliveries of webhooks, as the API shows them.

use serde::{Deserialize, Serialize};

use crate::job::submission::on_end::callback::CallbackEvent;
use crate::job::time::Timestamp;
use crate::job::{JobError, JobId, State};

/// Delivery of one webhook: the job of the kind `callback` that sends it, in its current state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryStatus {
    /// Id of the job that sends the webhook.
    pub id: JobId,
    /// What the webhook reports; `null` if the stored webhook cannot be read.
    pub event: Option<CallbackEvent>,
    /// URL that receives the webhook. It is not shown to the holder of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// State of the delivery: `completed` once the receiver has accepted the webhook.
    pub state: State,
    /// Number of attempts that have started.
    pub attempt: u32,
    /// Maximum number of attempts.
    pub max_attempts: u32,
    /// HTTP status of the latest answer; `null` if there was none, or if it is not known.
    pub status: Option<u16>,
    /// Time at which the job or batch ended.
    pub created_at: Timestamp,
    /// Time of the next attempt, while the delivery is `retrying`.
    pub next_attempt_at: Option<Timestamp>,
    /// Time at which the webhook was accepted, or the delivery was given up.
    pub finished_at: Option<Timestamp>,
    /// Error of the latest attempt, if it failed. It is not shown to the holder of a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobError>,
}

impl DeliveryStatus {
    /// Returns the host of the receiver, with its port if the URL has one.
    ///
    /// Only the host is shown on pages: the path and the query of a URL may be secret.
    pub fn receiver(&self) -> Option<&str> {
        let (_, rest) = self.url.as_deref()?.split_once("://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
        Some(authority.rsplit_once('@').map_or(authority, |(_, host)| host))
    }

    /// Returns whether the delivery can be sent again: it has ended, or waits for its next attempt.
    pub fn can_retry(&self) -> bool {
        self.state.is_final() || self.state == State::Retrying
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_receiver_is_the_host_of_the_url() {
        for (url, expected) in [
            ("https://a.example/hook?key=1", Some("a.example")),
            ("http://a.example:8080", Some("a.example:8080")),
            ("https://user:password@a.example#x", Some("a.example")),
            ("http://[::1]:80/", Some("[::1]:80")),
            ("https://a.example?x=@b", Some("a.example")),
            ("nothing", None),
        ] {
            let status = DeliveryStatus {
                id: JobId(1),
                event: None,
                url: Some(url.into()),
                state: State::Queued,
                attempt: 0,
                max_attempts: 10,
                status: None,
                created_at: Timestamp::from_millis(0),
                next_attempt_at: None,
                finished_at: None,
                error: None,
            };
            assert_eq!(status.receiver(), expected, "{url}");
        }
    }
}
