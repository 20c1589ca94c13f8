//! What each API key uses at the moment, and its limits.
//!
//! They stand beside the limits of the whole server, so that one client cannot use up what others need.

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
    max_waits: usize,
    max_units: usize,
}

impl KeyBounds {
    /// Returns the bounds. A limit that is not configured is half of that of the server.
    pub(crate) fn new(of_keys: &KeyLimits, of_server: &Limits) -> Self {
        let half = |number: usize| number.div_ceil(2);
        let max_bytes =
            of_keys.max_body_bytes_in_flight.unwrap_or(half(of_server.max_write_bytes_in_flight));
        Self {
            requests_per_second: of_keys.requests_per_second,
            max_waits: of_keys.max_waits.unwrap_or(half(of_server.max_waits)),
            max_units: max_bytes.div_ceil(SIZE_UNIT),
        }
    }
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
    waits: Arc<Semaphore>,
    units: Arc<Semaphore>,
}

impl KeyUsage {
    pub(crate) fn new(bounds: KeyBounds) -> Self {
        Self {
            bounds,
            window: Mutex::new((0, 0)),
            waits: Arc::new(Semaphore::new(bounds.max_waits)),
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

    /// Takes a permit for a client that waits or subscribes. Returns `None` if there are too many.
    pub(crate) fn wait_permit(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.waits).try_acquire_owned().ok()
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
        let permits: Vec<_> = (0..5).map(|_| half.wait_permit()).collect();
        assert_eq!(permits.iter().flatten().count(), 3);
        let _held = half.size_permit(6 * SIZE_UNIT).unwrap();
        assert!(half.size_permit(5 * SIZE_UNIT).is_none());
        assert!(half.size_permit(4 * SIZE_UNIT).is_some());
        let configured = usage(KeyLimits { max_waits: Some(5), ..KeyLimits::default() });
        let permits: Vec<_> = (0..6).map(|_| configured.wait_permit()).collect();
        assert_eq!(permits.iter().flatten().count(), 5);
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
