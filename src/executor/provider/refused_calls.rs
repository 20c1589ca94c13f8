//! Warnings about the calls that a provider refused: at most one a minute, with counts by status.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::job::outcome::Outcome;

/// Shortest time between two warnings about one provider.
const INTERVAL: Duration = Duration::from_secs(60);
/// Time from the first refused call to the warning about it, in which more calls may be refused.
const GATHER_TIME: Duration = Duration::from_secs(1);

/// Refused calls of one provider that the log does not mention yet.
///
/// The first refused call starts a timer. When it fires, one warning reports all calls that were refused
/// until then. Example: if calls are refused all the time, there are warnings after 1 s, 61 s, 121 s, ...
pub(in crate::executor) struct RefusedCalls(Arc<Shared>);

struct Shared {
    provider: String,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Number of refused calls by HTTP status or error code.
    by_reason: BTreeMap<String, u64>,
    /// Whether a timer is running.
    is_timer_set: bool,
    warned_at: Option<Instant>,
}

impl RefusedCalls {
    pub(in crate::executor) fn new(provider: &str) -> Self {
        Self(Arc::new(Shared { provider: provider.to_owned(), counts: Mutex::default() }))
    }

    /// Counts a call if it failed.
    pub(in crate::executor) fn count(&self, outcome: &Outcome) {
        let Some(reason) = reason(outcome) else { return };
        let mut counts = self.0.lock();
        *counts.by_reason.entry(reason).or_default() += 1;
        if std::mem::replace(&mut counts.is_timer_set, true) {
            return;
        }
        let pause = pause(counts.warned_at, Instant::now());
        let shared = Arc::downgrade(&self.0);
        actix_rt::spawn(async move {
            tokio::time::sleep(pause).await;
            if let Some(shared) = shared.upgrade() {
                shared.warn();
            }
        });
    }
}

impl Shared {
    /// A poisoned lock is safe to use: every intermediate state of the counts is valid.
    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Logs the calls that were refused since the last warning.
    fn warn(&self) {
        let mut counts = self.lock();
        counts.is_timer_set = false;
        let by_reason = std::mem::take(&mut counts.by_reason);
        if by_reason.is_empty() {
            return;
        }
        counts.warned_at = Some(Instant::now());
        drop(counts);
        let calls: u64 = by_reason.values().sum();
        let by_status = summary(&by_reason);
        tracing::warn!(provider = self.provider, calls, by_status, "a provider refused calls");
    }
}

impl Drop for Shared {
    /// Logs the rest when the server stops.
    fn drop(&mut self) {
        self.warn();
    }
}

/// Returns the time from a refused call at `now` to the next warning.
fn pause(warned_at: Option<Instant>, now: Instant) -> Duration {
    let since = warned_at.map(|warned_at| now.saturating_duration_since(warned_at));
    let rest = since.map_or(Duration::ZERO, |since| INTERVAL.saturating_sub(since));
    rest.max(GATHER_TIME)
}

/// Returns why a call failed: its HTTP status, or the error code if there was no response or a 2xx one.
fn reason(outcome: &Outcome) -> Option<String> {
    let (error, detail) = match outcome {
        Outcome::Failed { error, detail, .. } => (error, detail),
        Outcome::Deferred(deferral) => (&deferral.error, &deferral.detail),
        _ => return None,
    };
    let response = detail.as_ref().and_then(|detail| detail.response.as_ref());
    let refused =
        response.map(|response| response.status).filter(|status| !(200..300).contains(status));
    Some(refused.map_or_else(|| error.code.clone(), |status| status.to_string()))
}

/// Returns the counts as text, such as `429: 1480, 503: 20`.
fn summary(by_reason: &BTreeMap<String, u64>) -> String {
    let counts = by_reason.iter().map(|(reason, count)| format!("{reason}: {count}"));
    counts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::attempt::ResponseDetail;
    use crate::job::outcome::JobResult;
    use crate::job::{AttemptDetail, JobError, Json};

    /// Returns the counts that the next warning reports.
    fn pending(calls: &RefusedCalls) -> String {
        summary(&calls.0.lock().by_reason)
    }

    /// Counts a call that failed with this code after a response with this status.
    fn refuse(calls: &RefusedCalls, code: &str, status: u16) {
        let response = Some(ResponseDetail { status, ..ResponseDetail::default() });
        let detail = AttemptDetail { response, ..AttemptDetail::default() }.boxed();
        let error = JobError::new(code, "x");
        calls.count(&Outcome::Failed { error, retryable: true, retry_in: None, detail });
    }

    #[actix_web::test]
    async fn refused_calls_are_counted_by_status_or_code() {
        let calls = RefusedCalls::new("local");
        for status in [429, 503, 429] {
            refuse(&calls, "http_status", status);
        }
        refuse(&calls, "bad_answer", 200);
        calls.count(&Outcome::fatal("connection", "cannot connect"));
        calls.count(&Outcome::Cancelled(None));
        calls.count(&Outcome::Completed(JobResult::whole(Json::null())));
        assert_eq!(pending(&calls), "429: 2, 503: 1, bad_answer: 1, connection: 1");
    }

    #[actix_web::test]
    async fn a_warning_reports_all_calls_since_the_last_one() {
        let calls = RefusedCalls::new("local");
        refuse(&calls, "http_status", 429);
        assert!(calls.0.lock().is_timer_set);
        calls.0.warn();
        assert_eq!(pending(&calls), "");
        let counts = calls.0.lock();
        assert!(counts.warned_at.is_some() && !counts.is_timer_set);
    }

    #[test]
    fn a_provider_has_at_most_one_warning_a_minute() {
        let warned_at = Instant::now();
        let after =
            |millis| pause(Some(warned_at), warned_at + Duration::from_millis(millis)).as_millis();
        assert_eq!(pause(None, warned_at), GATHER_TIME);
        assert_eq!(
            [0, 100, 45_000, 59_500, 60_000].map(after),
            [60_000, 59_900, 15_000, 1_000, 1_000]
        );
        // After a quiet time the next warning does not wait for a minute.
        assert_eq!(after(3_600_000), 1_000);
    }
}
