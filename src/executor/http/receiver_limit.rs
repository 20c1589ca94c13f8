//! Limit on the webhooks that are delivered at once to one host, so that a receiver that hangs leaves half of the
//! calls of its group to the other receivers.
//!
//! A delivery that finds its host busy is deferred and comes back later, in a queue of its host: those of a host
//! with many deliveries return one after the other, at a rate that its calls can follow. Otherwise they would all
//! return together, before the deliveries of other hosts, because older jobs start first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::job::Span;
use crate::job::outcome::{Deferral, JobError, Outcome};

/// Error code of a delivery that was deferred because its host had its share of the calls.
const RECEIVER_BUSY: &str = "receiver_busy";
/// Longest wait for a call to the same host. It is short, because the delivery holds a worker.
const MAX_WAIT: Duration = Duration::from_millis(200);
/// Pause of the first delivery that is deferred.
const MIN_PAUSE: Duration = Duration::from_secs(2);
/// Longest pause, however many deliveries of the host are deferred.
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// Number of hosts from which on those are forgotten to which no delivery runs or returns.
const MAX_IDLE_HOSTS: usize = 1_024;

/// Limits the deliveries that run at once to each host.
pub(super) struct ReceiverLimit {
    max: u32,
    /// The hosts that are called now, or to which deliveries return.
    hosts: Mutex<HashMap<String, Host>>,
}

struct Host {
    calls: Arc<Semaphore>,
    /// Whether a delivery has waited in vain since the last call ended. Others need not wait then.
    is_slow: bool,
    /// Time at which the delivery that was deferred last returns.
    returns_at: Instant,
}

impl Host {
    /// Returns whether a delivery runs or waits, each of which holds another reference, or deliveries are to return.
    fn is_needed(&self, now: Instant) -> bool {
        Arc::strong_count(&self.calls) > 1 || self.returns_at > now
    }
}

/// Right to call a host, until it is dropped.
pub(super) struct ReceiverPermit<'a> {
    limit: &'a ReceiverLimit,
    host: String,
    permit: Option<OwnedSemaphorePermit>,
}

impl ReceiverLimit {
    /// Creates a limit of `max` calls to each host.
    pub(super) fn new(max: u32) -> Self {
        Self { max, hosts: Mutex::default() }
    }

    /// Waits shortly until the host may be called.
    ///
    /// # Errors
    /// Returns the outcome of the attempt, which does not count, if the host has its share of the calls.
    pub(super) async fn admit(&self, host: &str) -> Result<ReceiverPermit<'_>, Outcome> {
        let (calls, is_slow) = {
            let mut hosts = self.lock();
            let known = hosts.entry(host.to_owned()).or_insert_with(|| Host {
                calls: Arc::new(Semaphore::new(self.max as usize)),
                is_slow: false,
                returns_at: Instant::now(),
            });
            (Arc::clone(&known.calls), known.is_slow)
        };
        // Also if there is no permit, so that the host is forgotten after its last call.
        let mut permit = ReceiverPermit { limit: self, host: host.to_owned(), permit: None };
        let wait = if is_slow { Duration::ZERO } else { MAX_WAIT };
        if let Ok(Ok(acquired)) = tokio::time::timeout(wait, calls.acquire_owned()).await {
            permit.permit = Some(acquired);
            return Ok(permit);
        }
        let pause = Span::new(self.pause(host, Instant::now()));
        let message = format!("{} webhooks to {host} are under way, the share of one host", self.max);
        let deferral = Deferral::new(JobError::new(RECEIVER_BUSY, message), pause);
        Err(Outcome::Deferred(Box::new(Deferral { is_untried: true, ..deferral })))
    }

    /// Returns the pause of a delivery that did not get a permit.
    fn pause(&self, host: &str, now: Instant) -> Duration {
        let mut hosts = self.lock();
        let Some(known) = hosts.get_mut(host) else { return MIN_PAUSE };
        known.is_slow = true;
        // With a share of 8 calls, 20 deliveries return in each second.
        let next = known.returns_at + 2 * MAX_WAIT / self.max.max(1);
        let pause = next.saturating_duration_since(now).clamp(MIN_PAUSE, MAX_PAUSE);
        known.returns_at = now + pause;
        pause
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Host>> {
        // Valid after a panic: the fields of a host are independent of each other.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for ReceiverPermit<'_> {
    fn drop(&mut self) {
        let mut hosts = self.limit.lock();
        let has_called = self.permit.take().is_some();
        let Some(host) = hosts.get_mut(&self.host) else { return };
        if has_called {
            host.is_slow = false;
        }
        let now = Instant::now();
        if !host.is_needed(now) {
            hosts.remove(&self.host);
        } else if hosts.len() > MAX_IDLE_HOSTS {
            hosts.retain(|_, host| host.is_needed(now));
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
