//! How many calls to a provider run and start at once, over all threads.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

/// What a provider bounds. Waiting is in the order of arrival.
pub(super) struct Limits {
    running: Option<Arc<Semaphore>>,
    starts: Option<Window>,
}

/// The right to make one call; it ends when this is dropped.
pub(super) struct Turn {
    _permit: Option<OwnedSemaphorePermit>,
}

impl Limits {
    /// At most `max_running` calls at once, and at most `per_minute` starts in any minute.
    pub(super) fn new(max_running: Option<u32>, per_minute: Option<u32>) -> Self {
        let permits = |count: u32| {
            let count = usize::try_from(count).unwrap_or(usize::MAX);
            Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS)))
        };
        let window = |count| Window::new(count, Duration::from_secs(60));
        Self { running: max_running.map(permits), starts: per_minute.map(window) }
    }

    /// Waits for a turn. Dropping the future gives the place in the line up.
    pub(super) async fn turn(&self) -> Turn {
        let permit = match &self.running {
            // It is never closed, so this never fails.
            Some(running) => Arc::clone(running).acquire_owned().await.ok(),
            None => None,
        };
        // Last, so that a start is counted when it happens.
        if let Some(starts) = &self.starts {
            starts.enter().await;
        }
        Turn { _permit: permit }
    }
}

/// At most so many starts in any period, wherever the period is laid.
struct Window {
    limit: usize,
    period: Duration,
    starts: Mutex<VecDeque<Instant>>,
}

impl Window {
    fn new(limit: u32, period: Duration) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        Self { limit, period, starts: Mutex::default() }
    }

    /// Waits until another start is allowed and counts it.
    ///
    /// The lock is held while waiting: it is fair, so those behind keep their order.
    async fn enter(&self) -> Instant {
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
        let window = Window::new(3, period);
        let mut starts = Vec::new();
        for round in 0..12 {
            starts.push(window.enter().await);
            if round % 4 == 0 {
                // So that the starts lie unevenly.
                tokio::time::sleep(Duration::from_millis(7)).await;
            }
        }
        assert!(starts.windows(4).all(|four| four[3] - four[0] >= period), "{starts:?}");
    }

    #[actix_web::test]
    async fn who_gives_up_waiting_costs_no_start() {
        let window = Window::new(1, Duration::from_secs(3600));
        window.enter().await;
        let gave_up = tokio::time::timeout(Duration::from_millis(10), window.enter()).await;
        assert!(gave_up.is_err());
        assert_eq!(window.starts.lock().await.len(), 1);
    }

    #[actix_web::test]
    async fn turns_come_in_the_order_of_arrival() {
        let limits = Arc::new(Limits::new(Some(1), None));
        let held = limits.turn().await;
        let (order, mut arrived) = tokio::sync::mpsc::unbounded_channel();
        for place in 0..5 {
            let (limits, order) = (Arc::clone(&limits), order.clone());
            actix_rt::spawn(async move {
                let _turn = limits.turn().await;
                order.send(place).unwrap();
            });
            tokio::task::yield_now().await;
        }
        drop(held);
        for place in 0..5 {
            assert_eq!(arrived.recv().await, Some(place));
        }
    }
}
