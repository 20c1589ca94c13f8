//! Limit on the calls that run at once to one host.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::job::Span;

use crate::job::outcome::{Deferral, JobError, Outcome};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Error code of a job that was deferred because too many calls to its host were under way.
const HOST_BUSY: &str = "host_busy";
/// Pause of such a job. It is spread, so that the jobs of a busy host do not return together.
const PAUSE_MS: std::ops::Range<i64> = 2_000..6_000;
/// Longest wait of a call for others to the same host. It is short, because the call holds a worker.
pub(in crate::executor) const MAX_WAIT: Duration = Duration::from_millis(200);

/// Limits the calls that run at once to each host.
pub(in crate::executor) struct HostLimit {
    max: usize,
    /// The hosts that are called now.
    hosts: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// Right to call a host, until it is dropped.
pub(in crate::executor) struct HostPermit<'a> {
    limit: &'a HostLimit,
    host: String,
    permit: Option<OwnedSemaphorePermit>,
}

impl HostLimit {
    pub(in crate::executor) fn new(max: u32) -> Self {
        Self { max: usize::try_from(max).unwrap_or(usize::MAX), hosts: Mutex::default() }
    }

    /// Waits until the host may be called, up to `wait`. Returns `None` if other calls to it take longer.
    pub(in crate::executor) async fn acquire(
        &self,
        host: &str,
        wait: Duration,
    ) -> Option<HostPermit<'_>> {
        let semaphore = {
            let mut hosts = self.lock();
            let semaphore = hosts.entry(host.to_owned());
            Arc::clone(semaphore.or_insert_with(|| Arc::new(Semaphore::new(self.max))))
        };
        // Also if there is no permit, so that the host is forgotten after its last call.
        let mut permit = HostPermit { limit: self, host: host.to_owned(), permit: None };
        let acquired = tokio::time::timeout(wait, semaphore.acquire_owned()).await;
        permit.permit = Some(acquired.ok()?.ok()?);
        Some(permit)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Arc<Semaphore>>> {
        // Valid after a panic: every change of the map is a single call.
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for HostPermit<'_> {
    fn drop(&mut self) {
        let mut hosts = self.limit.lock();
        drop(self.permit.take());
        // A call that runs or waits holds another reference.
        if hosts.get(&self.host).is_some_and(|semaphore| Arc::strong_count(semaphore) == 1) {
            hosts.remove(&self.host);
        }
    }
}

/// Returns the outcome of an attempt that did not get a permit.
pub(in crate::executor) fn busy(host: &str) -> Outcome {
    let mut bytes = [0; 2];
    // Without random bytes the pause is the shortest.
    let _ = getrandom::fill(&mut bytes);
    let spread = i64::from(u16::from_le_bytes(bytes)) % (PAUSE_MS.end - PAUSE_MS.start);
    let message = format!("too many calls to {host} are under way (outbound.max_calls_per_host)");
    let pause = Span::from_millis(PAUSE_MS.start + spread);
    let deferral = Deferral::new(JobError::new(HOST_BUSY, message), pause);
    Outcome::Deferred(Box::new(Deferral { is_untried: true, ..deferral }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn a_host_is_called_at_most_so_many_times_at_once_and_forgotten_afterwards() {
        let limit = HostLimit::new(2);
        let first = limit.acquire("a", MAX_WAIT).await;
        let second = limit.acquire("a", MAX_WAIT).await;
        assert!(first.is_some() && second.is_some());
        assert!(limit.acquire("b", MAX_WAIT).await.is_some(), "another host has a limit of its own");
        assert!(limit.acquire("a", MAX_WAIT).await.is_none());
        let (third, ()) = tokio::join!(limit.acquire("a", MAX_WAIT), async {
            tokio::task::yield_now().await;
            drop(first);
        });
        assert!(third.is_some(), "a call that waits follows the one that ends");
        drop((second, third));
        assert!(limit.lock().is_empty());
    }
}
