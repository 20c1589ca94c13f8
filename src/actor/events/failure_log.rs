//! The log lines about jobs that failed for good: one for each job, and a sum where they would be too many.

use std::time::Duration;

use tokio::time::Instant;

use crate::job::{JobId, QueueName};

/// Maximum number of lines in a window.
const MAX_LINES: u32 = 500;
/// Length of a window, which starts with the first job that fails after the one before.
pub(crate) const WINDOW: Duration = Duration::from_secs(10);

/// A job that failed for good. What others chose freely, such as the message, is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FailedJob {
    pub(crate) job: JobId,
    pub(crate) kind: String,
    pub(crate) queue: QueueName,
    pub(crate) attempt: u32,
    /// Error code of the last attempt.
    pub(crate) code: String,
}

/// Logs failed jobs within bounds.
#[derive(Debug, Default)]
pub(crate) struct FailureLog {
    /// Start of the window.
    started_at: Option<Instant>,
    /// Number of lines in the window.
    lines: u32,
    /// Number of jobs in the window that have no line.
    omitted: u64,
}

impl FailureLog {
    /// Logs jobs that failed. Returns the time after which to call [`Self::end_window`], if the sum of
    /// jobs without a line is now due for the first time in this window.
    pub(crate) fn log(&mut self, failed: &[FailedJob], now: Instant) -> Option<Duration> {
        let had_omitted = self.omitted > 0;
        for FailedJob { job, kind, queue, attempt, code } in failed {
            if self.has_room(now) {
                // Recorded as text, so that control characters in a code of a remote worker are escaped.
                let (kind, queue, code) = (kind.as_str(), queue.as_str(), code.as_str());
                tracing::info!(%job, kind, queue, attempt, code, "a job failed for good");
            }
        }
        let started_at = self.started_at.filter(|_| self.omitted > 0 && !had_omitted)?;
        Some((started_at + WINDOW).saturating_duration_since(now))
    }

    /// Counts a job. Returns whether it gets a line.
    fn has_room(&mut self, now: Instant) -> bool {
        if self.started_at.is_none_or(|started_at| now >= started_at + WINDOW) {
            self.end_window();
            self.started_at = Some(now);
        }
        if self.lines < MAX_LINES {
            self.lines += 1;
            return true;
        }
        self.omitted += 1;
        false
    }

    /// Ends the window and logs the number of jobs that have no line.
    pub(crate) fn end_window(&mut self) {
        let Self { omitted, .. } = std::mem::take(self);
        if omitted > 0 {
            let secs = WINDOW.as_secs();
            tracing::info!(jobs = omitted, "more jobs failed for good in the last {secs} s");
        }
    }
}

impl Drop for FailureLog {
    /// Logs the sum of the last window when the server stops.
    fn drop(&mut self) {
        self.end_window();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_a_bounded_number_of_lines_and_the_rest_is_counted() {
        let start = Instant::now();
        let mut log = FailureLog::default();
        let at = |secs| start + Duration::from_secs(secs);
        let lines = (0..1_734).filter(|_| log.has_room(at(1))).count();
        assert_eq!((lines, log.omitted), (500, 1_234));
        assert!(!log.has_room(at(10)));
        // The window began with the first job, so it ends ten seconds later.
        assert!(log.has_room(at(11)));
        assert_eq!((log.lines, log.omitted), (1, 0));
        log.end_window();
        assert!(log.started_at.is_none());
    }

    #[test]
    fn the_sum_is_due_once_at_the_end_of_the_window() {
        let failed = |count: usize| {
            let job = FailedJob {
                job: JobId(1),
                kind: "echo".into(),
                queue: QueueName::default(),
                attempt: 1,
                code: "x".into(),
            };
            vec![job; count]
        };
        let start = Instant::now();
        let mut log = FailureLog::default();
        assert_eq!(log.log(&failed(300), start), None);
        let later = start + Duration::from_secs(4);
        assert_eq!(log.log(&failed(300), later), Some(Duration::from_secs(6)));
        assert_eq!(log.log(&failed(300), later), None);
        assert_eq!(log.omitted, 400);
        log.end_window();
        assert_eq!(log.log(&failed(501), later), Some(WINDOW));
    }
}
