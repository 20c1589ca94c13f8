//! Limits of a provider: how many calls run at once and how many start per minute, over all threads.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// Limits of one provider. Calls that wait are served in the order of their arrival.
pub(super) struct ProviderLimits {
    running: Option<Arc<Semaphore>>,
    starts: Option<SlidingWindow>,
}

/// Permission to make one call. Dropping it lets the next call run.
pub(super) struct CallPermit {
    _permit: Option<OwnedSemaphorePermit>,
}

impl ProviderLimits {
    /// Allows at most `max_running` calls at once and at most `per_minute` starts in any minute.
    /// `None` means no limit.
    pub(super) fn new(max_running: Option<u32>, per_minute: Option<u32>) -> Self {
        let permits = |count: u32| {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
        };
        let window = |count| SlidingWindow::new(count, Duration::from_secs(60));
        Self { running: max_running.map(permits), starts: per_minute.map(window) }
    }

    /// Waits until the limits allow another call. Dropping the future ends the wait.
    pub(super) async fn acquire(&self) -> CallPermit {
        let permit = match &self.running {
            // The semaphore is never closed, so this never fails.
            Some(running) => Arc::clone(running).acquire_owned().await.ok(),
            None => None,
        };
        // This is the last step, so that a start is counted at the time at which it happens.
        if let Some(starts) = &self.starts {
            starts.acquire().await;
        }
        CallPermit { _permit: permit }
    }
}

/// Rate limit over a sliding window: at most `limit` starts in any interval of length `period`.
///
/// The window remembers the times of the last `limit` starts. A new start is allowed when the
/// oldest of them is `period` old. For example, at 2 starts per minute and after starts at 0 s and
/// 50 s, the third start waits until 60 s and the fourth until 110 s. A counter that is reset every
/// minute would allow starts at 50 s, 60 s and 61 s.
struct SlidingWindow {
    limit: usize,
    period: Duration,
    /// Times of the last starts, oldest first; at most `limit`.
    starts: Mutex<VecDeque<Instant>>,
}

impl SlidingWindow {
    fn new(limit: u32, period: Duration) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { limit, period, starts: Mutex::default() }
    }

    /// Waits until another start is allowed and records it.
    ///
    /// The lock is held during the wait. The lock is fair, so other waiting calls keep their order.
    async fn acquire(&self) -> Instant {
        let mut starts = self.starts.lock().await;
        if starts.len() >= self.limit {
            if let Some(oldest) = starts.front() {
                tokio::time::sleep_until(*oldest + self.period).await;
            }
            starts.pop_front();
        }
        let now = Instant::now();
        starts.push_back(now);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix_web::test]
    async fn no_period_holds_more_starts_than_the_limit() {
        let period = Duration::from_millis(30);
        let window = SlidingWindow::new(3, period);
        let mut starts = Vec::new();
        for round in 0..12 {
            starts.push(window.acquire().await);
            if round % 4 == 0 {
                // Makes the intervals between the starts uneven.
                tokio::time::sleep(Duration::from_millis(7)).await;
            }
        }
        assert!(starts.windows(4).all(|four| four[3] - four[0] >= period), "{starts:?}");
    }

    #[actix_web::test]
    async fn a_call_that_stops_waiting_is_not_counted_as_a_start() {
        let window = SlidingWindow::new(1, Duration::from_secs(3600));
        window.acquire().await;
        let timed_out = tokio::time::timeout(Duration::from_millis(10), window.acquire()).await;
        assert!(timed_out.is_err());
        assert_eq!(window.starts.lock().await.len(), 1);
    }

    #[actix_web::test]
    async fn waiting_calls_are_served_in_the_order_of_arrival() {
        let limits = Arc::new(ProviderLimits::new(Some(1), None));
        let first = limits.acquire().await;
        let (served, mut order) = tokio::sync::mpsc::unbounded_channel();
        for number in 0..5 {
            let (limits, served) = (Arc::clone(&limits), served.clone());
            actix_rt::spawn(async move {
                let _permit = limits.acquire().await;
                served.send(number).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop(first);
        for number in 0..5 {
            assert_eq!(order.recv().await, Some(number));
        }
    }
}
