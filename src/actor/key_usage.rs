//! What each API key uses at the moment, and its limits.
//!
//! They stand beside the limits of the whole server, so that one client cannot use up what others need.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::{KeyLimits, Limits};
use crate::job::Timestamp;

/// Unit in which sizes are counted, in bytes.
const SIZE_UNIT: usize = 1_024;

/// Length of the window in which requests are counted.
const WINDOW_MS: i64 = 1_000;

/// Limits of each API key, with those that follow from the limits of the server.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KeyBounds {
    requests_per_second: Option<u32>,
    max_waits: Option<usize>,
    max_units: usize,
}

impl KeyBounds {
    /// Returns the bounds. A limit that is not configured is half of that of the server.
    pub(crate) fn new(of_keys: &KeyLimits, of_server: &Limits) -> Self {
        let max_bytes =
            of_keys.max_body_bytes_in_flight.unwrap_or(half(of_server.max_write_bytes_in_flight));
        Self {
            requests_per_second: of_keys.requests_per_second,
            max_waits: of_keys.max_waits,
            max_units: max_bytes.div_ceil(SIZE_UNIT),
        }
    }
}

fn half(number: usize) -> usize {
    number.div_ceil(2)
}

/// State of the limit on requests after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestRate {
    /// Maximum number of requests in a second.
    pub(crate) limit: u32,
    /// Number of requests left in this second.
    pub(crate) left: u32,
    /// Whether the request is over the limit.
    pub(crate) is_over: bool,
}

/// What one API key uses.
#[derive(Debug)]
pub(crate) struct KeyUsage {
    bounds: KeyBounds,
    /// Start of the current second, and the number of requests in it.
    window: Mutex<(i64, u32)>,
    waits: Arc<AtomicUsize>,
    feeds: Arc<AtomicUsize>,
    watched_leases: Arc<AtomicUsize>,
    units: Arc<Semaphore>,
}

/// Uses that count until this is dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    counter: Arc<AtomicUsize>,
    uses: usize,
}

impl Counted {
    /// Counts further uses. Returns `None` if there are more than `max` with them.
    fn new(counter: &Arc<AtomicUsize>, uses: usize, max: usize) -> Option<Self> {
        let more = |count: usize| count.checked_add(uses).filter(|count| *count <= max);
        let counted = counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
        counted.is_ok().then(|| Self { counter: Arc::clone(counter), uses })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.counter.fetch_sub(self.uses, Ordering::Relaxed);
    }
}

impl KeyUsage {
    pub(crate) fn new(bounds: KeyBounds) -> Self {
        Self {
            bounds,
            window: Mutex::new((0, 0)),
            waits: Arc::default(),
            feeds: Arc::default(),
            watched_leases: Arc::default(),
            units: Arc::new(Semaphore::new(bounds.max_units)),
        }
    }

    /// Counts a request at `now` (fixed window). Returns `None` without a limit.
    pub(crate) fn count_request(&self, now: Timestamp) -> Option<RequestRate> {
        let limit = self.bounds.requests_per_second?;
        let second = now.millis().div_euclid(WINDOW_MS);
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        if window.0 != second {
            *window = (second, 0);
        }
        let is_over = window.1 >= limit;
        if !is_over {
            window.1 += 1;
        }
        Some(RequestRate { limit, left: limit - window.1, is_over })
    }

    /// Counts a client that waits or subscribes. The server has room for `max_of_server` of them. Returns `None` if
    /// there are too many.
    pub(crate) fn count_wait(&self, max_of_server: usize) -> Option<Counted> {
        Counted::new(&self.waits, 1, self.bounds.max_waits.unwrap_or(half(max_of_server)))
    }

    /// Counts a subscriber to all jobs, of which the server has room for `max_of_server`. Returns `None` if there
    /// are too many.
    pub(crate) fn count_feed(&self, max_of_server: usize) -> Option<Counted> {
        Counted::new(&self.feeds, 1, half(max_of_server))
    }

    /// Counts leases that a request watches, of which the server has room for `max_of_server`. Returns `None` if
    /// there are too many.
    pub(crate) fn count_watched_leases(
        &self,
        leases: usize,
        max_of_server: usize,
    ) -> Option<Counted> {
        Counted::new(&self.watched_leases, leases, half(max_of_server))
    }

    /// Takes a permit for bytes of a body that is received. A body that is larger than the whole limit takes
    /// all of it, so that it can still pass alone. Returns `None` if there are too many bytes.
    pub(crate) fn size_permit(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let units = bytes.div_ceil(SIZE_UNIT).min(self.bounds.max_units);
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Arc::clone(&self.units).try_acquire_many_owned(units).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn usage(limits: KeyLimits) -> KeyUsage {
        let of_server =
            Limits { max_waits: 5, max_write_bytes_in_flight: 20 * SIZE_UNIT, ..Limits::default() };
        KeyUsage::new(KeyBounds::new(&limits, &of_server))
    }

    #[test]
    fn requests_are_counted_by_the_second() {
        let usage = usage(KeyLimits { requests_per_second: Some(2), ..KeyLimits::default() });
        let count = |millis| {
            let rate = usage.count_request(Timestamp::from_millis(millis)).unwrap();
            (rate.left, rate.is_over)
        };
        assert_eq!([0, 999, 999].map(count), [(1, false), (0, false), (0, true)]);
        assert_eq!([1_000, 1_001].map(count), [(1, false), (0, false)]);
    }

    #[test]
    fn one_key_has_at_most_half_of_what_the_server_has_unless_it_is_configured() {
        let half = usage(KeyLimits::default());
        assert_eq!(half.count_request(Timestamp::from_millis(0)), None);
        let waits: Vec<_> = (0..5).map_while(|_| half.count_wait(5)).collect();
        let feeds: Vec<_> = (0..5).map_while(|_| half.count_feed(4)).collect();
        assert_eq!((waits.len(), feeds.len()), (3, 2));
        drop(waits);
        assert!(half.count_wait(5).is_some());
        let _held = half.size_permit(6 * SIZE_UNIT).unwrap();
        assert!(half.size_permit(5 * SIZE_UNIT).is_none());
        assert!(half.size_permit(4 * SIZE_UNIT).is_some());
        let configured = usage(KeyLimits { max_waits: Some(5), ..KeyLimits::default() });
        let waits: Vec<_> = (0..6).map_while(|_| configured.count_wait(5)).collect();
        assert_eq!(waits.len(), 5);
    }

    #[test]
    fn one_key_watches_at_most_half_of_the_leases() {
        let usage = usage(KeyLimits::default());
        let watch = usage.count_watched_leases(6, 20).unwrap();
        assert!(usage.count_watched_leases(5, 20).is_none());
        assert!(usage.count_watched_leases(4, 20).is_some());
        drop(watch);
        assert!(usage.count_watched_leases(10, 20).is_some());
        assert!(usage.count_watched_leases(usize::MAX, 20).is_none());
    }

    #[test]
    fn a_body_above_the_whole_limit_passes_alone() {
        let usage = usage(KeyLimits::default());
        let all = usage.size_permit(1_000 * SIZE_UNIT);
        assert!(all.is_some() && usage.size_permit(1).is_none());
        drop(all);
        assert!(usage.size_permit(1).is_some());
    }
}
