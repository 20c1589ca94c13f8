//! Jobs of the kind `sleep`, which only wait. They are useful for trials and benchmarks.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use crate::executor::context::Context;
use crate::job::outcome::{JobResult, Outcome};
use crate::job::problem::Problem;
use crate::job::{Json, Span};

/// Longest sleep that reports no progress, because it ends before a client would read it.
const MAX_SILENT: Duration = Duration::from_secs(1);
/// Shortest time between two progress reports.
const MIN_REPORT_INTERVAL: Duration = Duration::from_millis(250);
/// Maximum number of progress reports of one sleep. Each report is a database write.
const MAX_REPORTS: u32 = 100;

/// The payload of a `sleep` job.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with duration")]
struct Sleep {
    /// Duration of the sleep, for example `"30s"`.
    duration: Span,
}

/// Returns the problems of a payload.
pub(super) fn check(payload: &Json) -> Vec<Problem> {
    payload.read_objects::<Sleep>().err().into_iter().collect()
}

/// Waits and reports progress; the result is `null`.
pub(super) async fn run(payload: &Json, context: &Context) -> Outcome {
    match payload.read_objects::<Sleep>() {
        Ok(sleep) => {
            wait(sleep.duration, context).await;
            Outcome::Completed(JobResult::whole(Json::null()))
        }
        Err(problem) => Outcome::fatal("bad_payload", problem),
    }
}

async fn wait(span: Span, context: &Context) {
    let (started, total) = (Instant::now(), span.duration());
    if total > MAX_SILENT {
        let step = MIN_REPORT_INTERVAL.max(total / MAX_REPORTS);
        let mut next = step;
        while next < total {
            tokio::time::sleep_until(started + next).await;
            let (percent, message) = progress(started.elapsed(), span);
            context.progress(percent, message);
            next += step;
        }
    }
    tokio::time::sleep_until(started + total).await;
    if total > MAX_SILENT {
        let (percent, message) = progress(total, span);
        context.progress(percent, message);
    }
}

/// Returns the percentage and the message of a sleep of `total` after `elapsed`.
fn progress(elapsed: Duration, total: Span) -> (f64, String) {
    let percent = 100.0 * elapsed.as_secs_f64() / total.duration().as_secs_f64();
    (percent.min(100.0), format!("{} of {total}", Span::from_secs(elapsed.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_in_whole_seconds_and_at_most_100_percent() {
        let five = Span::from_secs(5);
        assert_eq!(progress(Duration::from_millis(2_500), five), (50.0, "2s of 5s".into()));
        assert_eq!(progress(Duration::from_millis(5_001), five), (100.0, "5s of 5s".into()));
        let elapsed = Duration::from_secs(900);
        assert_eq!(progress(elapsed, Span::from_secs(3_600)), (25.0, "15m of 1h".into()));
    }
}
