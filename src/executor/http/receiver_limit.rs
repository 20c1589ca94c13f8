//! Limit on the webhooks that are delivered at once to one host, so that a receiver that hangs leaves half of the
//! calls of its group to the other receivers.
//!
//! A delivery that finds its host busy is deferred and comes back later, in a queue of its host: those of a host
//! with many deliveries return one after the other, at a rate that its calls can follow. Otherwise they would all
//! return together, before the deliveries of other hosts, because older jobs start first.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::executor::outbound::host_limit::{HostLimit, HostPermit, MAX_WAIT};
use crate::job::Span;
use crate::job::outcome::{Deferral, JobError, Outcome};

/// Error code of a delivery that was deferred because its host had its share of the calls.
const RECEIVER_BUSY: &str = "receiver_busy";
/// Pause of the first delivery that is deferred.
const MIN_PAUSE: Duration = Duration::from_secs(2);
/// Longest pause, however many deliveries of the host are deferred.
const MAX_PAUSE: Duration = Duration::from_secs(600);
/// Number of lines from which on those are forgotten in which no delivery returns.
const MAX_IDLE_LINES: usize = 1_024;

/// Limits the deliveries that run at once to each host.
pub(super) struct ReceiverLimit {
    max: u32,
    calls: HostLimit,
    /// The lines of the hosts that were busy.
    lines: Mutex<HashMap<String, Line>>,
}

/// The deferred deliveries of a host.
struct Line {
    /// Whether a delivery has waited in vain since the last call ended. Others need not wait then.
    is_slow: bool,
    /// Time at which the delivery that was deferred last returns.
    returns_at: Instant,
}

/// Right to call a host, until it is dropped.
pub(super) struct ReceiverPermit<'a> {
    limit: &'a ReceiverLimit,
    host: String,
    _call: HostPermit<'a>,
}

impl ReceiverLimit {
    /// Creates a limit of `max` calls to each host.
    pub(super) fn new(max: u32) -> Self {
        Self { max, calls: HostLimit::new(max), lines: Mutex::default() }
    }

    /// Waits shortly until the host may be called.
    ///
    /// # Errors
    /// Returns the outcome of the attempt, which does not count, if the host has its share of the calls.
    pub(super) async fn admit(&self, host: &str) -> Result<ReceiverPermit<'_>, Outcome> {
        let is_slow = self.lock().get(host).is_some_and(|line| line.is_slow);
        let wait = if is_slow { Duration::ZERO } else { MAX_WAIT };
        if let Some(call) = self.calls.acquire(host, wait).await {
            return Ok(ReceiverPermit { limit: self, host: host.to_owned(), _call: call });
        }
        let pause = Span::new(self.pause(host, Instant::now()));
        let message = format!("{} webhooks to {host} are under way, the share of one host", self.max);
        let deferral = Deferral::new(JobError::new(RECEIVER_BUSY, message), pause);
        Err(Outcome::Deferred(Box::new(Deferral { is_untried: true, ..deferral })))
    }

    /// Returns the pause of a delivery that did not get a permit.
    fn pause(&self, host: &str, now: Instant) -> Duration {
        let mut lines = self.lock();
        let line =
            lines.entry(host.to_owned()).or_insert(Line { is_slow: true, returns_at: now });
        line.is_slow = true;
        // With a share of 8 calls, 20 deliveries return in each second.
        let next = line.returns_at + 2 * MAX_WAIT / self.max.max(1);
        let pause = next.saturating_duration_since(now).clamp(MIN_PAUSE, MAX_PAUSE);
        line.returns_at = now + pause;
        pause
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Line>> {
        // Valid after a panic: the fields of a line are independent of each other.
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReceiverPermit<'_> {
    fn drop(&mut self) {
        let mut lines = self.limit.lock();
        let Some(line) = lines.get_mut(&self.host) else { return };
        line.is_slow = false;
        let now = Instant::now();
        if line.returns_at <= now {
            lines.remove(&self.host);
        } else if lines.len() > MAX_IDLE_LINES {
            lines.retain(|_, line| line.is_slow || line.returns_at > now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn the_deliveries_of_a_busy_host_return_one_after_the_other() {
        let limit = ReceiverLimit::new(2);
        let first = limit.admit("a").await.ok();
        let second = limit.admit("a").await.ok();
        let started = Instant::now();
        let Some(Outcome::Deferred(deferral)) = limit.admit("a").await.err() else {
            panic!("not deferred")
        };
        assert!(deferral.is_untried && deferral.retry_in.duration() == MIN_PAUSE);
        assert!(started.elapsed() >= MAX_WAIT, "the first one waits for a call that may end");
        let now = Instant::now();
        let last_pause = (0..100).map(|_| limit.pause("a", now)).max();
        assert!(last_pause > Some(Duration::from_secs(20)), "{last_pause:?}");
        assert_eq!(limit.pause("a", now + MAX_PAUSE), MIN_PAUSE);
        assert!(limit.lock()["a"].is_slow, "the others need not wait");
        assert!(limit.admit("b").await.is_ok(), "another host has a share of its own");
        drop(first);
        assert!(limit.admit("a").await.is_ok());
        drop(second);
        let is_kept = limit.lock().get("a").is_some_and(|host| host.returns_at > now);
        assert!(is_kept, "the next one that is deferred returns after the others");
        drop(limit.admit("b").await);
        let is_kept = limit.lock().contains_key("b");
        assert!(!is_kept, "nothing returns to it");
    }

    #[actix_web::test]
    async fn a_delivery_waits_for_a_quick_call_to_its_host() {
        let limit = ReceiverLimit::new(1);
        let first = limit.admit("a").await.ok();
        let (second, ()) = tokio::join!(limit.admit("a"), async {
            tokio::task::yield_now().await;
            drop(first);
        });
        assert!(second.is_ok());
    }
}
