//! The clock: the only place that reads the time of day.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::job::Timestamp;

/// The clock that the server takes its time from.
///
/// It reads the wall clock once, when it is created, and adds the elapsed time of the monotonic
/// clock. A wall clock that is set back or forward while the server runs therefore does not
/// change when leases expire or scheduled jobs become due.
#[derive(Debug, Clone)]
pub struct Clock(TimeSource);

#[derive(Debug, Clone)]
enum TimeSource {
    Running { started_at: Timestamp, started: Instant },
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// Returns a clock that starts at the wall clock's time.
    #[allow(clippy::disallowed_methods, reason = "only this module may read the wall clock")]
    pub fn system() -> Self {
        let started_at = Timestamp::from(SystemTime::now());
        Self(TimeSource::Running { started_at, started: Instant::now() })
    }

    /// Returns a clock that only [`Clock::advance`] moves, for tests.
    pub fn manual(at: Timestamp) -> Self {
        Self(TimeSource::Manual(Arc::new(AtomicI64::new(at.millis()))))
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            TimeSource::Running { started_at, started } => started_at.plus(started.elapsed()),
            TimeSource::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// Returns the difference between the wall clock and this clock, as an absolute value; zero for
    /// a manual clock.
    pub fn drift_from_wall(&self) -> Duration {
        let TimeSource::Running { .. } = &self.0 else { return Duration::ZERO };
        #[allow(clippy::disallowed_methods, reason = "only this module may read the wall clock")]
        let wall = Timestamp::from(SystemTime::now());
        let now = self.now();
        now.since(wall).max(wall.since(now))
    }

    /// Moves a manual clock forward by `span`. Has no effect on a running clock.
    pub fn advance(&self, span: Duration) {
        if let TimeSource::Manual(millis) = &self.0 {
            let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
            millis.fetch_add(span_ms, Ordering::SeqCst);
        }
    }
}
