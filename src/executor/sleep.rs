//! Jobs that wait, for trying and measuring.

use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;

use crate::executor::context::Context;
use crate::job::outcome::{JobResult, Outcome};
use crate::job::problem::Problem;
use crate::job::{Json, Span};

/// Up to this length a sleep tells nothing: it is over before anybody looks.
const QUIET: Duration = Duration::from_secs(1);
/// The shortest time between two words of how far it is.
const TELL_EVERY: Duration = Duration::from_millis(250);
/// How often a long sleep tells how far it is, all in all: each word is a write.
const TELL_TIMES: u32 = 100;

/// The payload of a `sleep` job.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sleep {
    /// How long, for example `"30s"`.
    duration: Span,
}

/// What is wrong with a payload.
pub(super) fn check(payload: &Json) -> Vec<Problem> {
    payload.read::<Sleep>().err().into_iter().collect()
}

/// Waits, and tells how far it is; the result is `null`.
pub(super) async fn run(payload: &Json, context: &Context) -> Outcome {
    match payload.read::<Sleep>() {
        Ok(sleep) => {
            wait(sleep.duration, context).await;
            Outcome::Completed(JobResult::whole(Json::null()))
        }
        Err(problem) => Outcome::fatal("bad_payload", problem),
    }
}

async fn wait(span: Span, context: &Context) {
    let (began, whole) = (Instant::now(), span.duration());
    if whole > QUIET {
        let step = TELL_EVERY.max(whole / TELL_TIMES);
        let mut next = step;
        while next < whole {
            tokio::time::sleep_until(began + next).await;
            let (percent, message) = how_far(began.elapsed(), span);
            context.progress(percent, message);
            next += step;
        }
    }
    tokio::time::sleep_until(began + whole).await;
}

/// What a sleep of `whole` says of itself after `passed`.
fn how_far(passed: Duration, whole: Span) -> (f64, String) {
    let percent = 100.0 * passed.as_secs_f64() / whole.duration().as_secs_f64();
    (percent.min(100.0), format!("{} of {whole}", Span::from_secs(passed.as_secs())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_tells_whole_seconds_and_never_more_than_all() {
        let five = Span::from_secs(5);
        assert_eq!(how_far(Duration::from_millis(2_500), five), (50.0, "2s of 5s".into()));
        assert_eq!(how_far(Duration::from_millis(5_001), five), (100.0, "5s of 5s".into()));
        let passed = Duration::from_secs(900);
        assert_eq!(how_far(passed, Span::from_secs(3_600)), (25.0, "15m of 1h".into()));
    }
}
