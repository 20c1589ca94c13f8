//! The one place that reads the time of day.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::job::Timestamp;

/// Tells the time.
///
/// It takes the wall clock once and goes on with the monotonic one, so that a wall clock that is
/// set back or forward while the server runs moves no lease and no schedule.
#[derive(Debug, Clone)]
pub struct Clock(Source);

#[derive(Debug, Clone)]
enum Source {
    Running { began_at: Timestamp, began: Instant },
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that begins at the wall clock's time.
    #[allow(clippy::disallowed_methods, reason = "this is the edge that reads the wall clock")]
    pub fn system() -> Self {
        let began_at = Timestamp::from(SystemTime::now());
        Self(Source::Running { began_at, began: Instant::now() })
    }

    /// A clock that stands still but for [`Clock::advance`], for tests.
    pub fn manual(at: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(AtomicI64::new(at.millis()))))
    }

    /// The time now.
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::Running { began_at, began } => began_at.plus(began.elapsed()),
            Source::Manual(millis) => Timestamp::from_millis(millis.load(Ordering::SeqCst)),
        }
    }

    /// How far the wall clock is from this one, either way.
    pub fn drift_from_wall(&self) -> Duration {
        let Source::Running { .. } = &self.0 else { return Duration::ZERO };
        #[allow(clippy::disallowed_methods, reason = "this is the edge that reads the wall clock")]
        let wall = Timestamp::from(SystemTime::now());
        let now = self.now();
        now.since(wall).max(wall.since(now))
    }

    /// Moves a manual clock on; a running one moves by itself.
    pub fn advance(&self, span: Duration) {
        if let Source::Manual(millis) = &self.0 {
            let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
            millis.fetch_add(span_ms, Ordering::SeqCst);
        }
    }
}
