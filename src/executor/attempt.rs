//! What executors of several kinds do with an attempt: run it until it is stopped, refuse its payload.

use crate::executor::context::Context;
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

/// Starts the attempt's clock and runs `work`. If the attempt is stopped first, `work` is dropped.
pub(super) async fn until_stopped(
    context: &Context,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    context.start_clock(context.timeout());
    tokio::select! {
        biased;
        outcome = work => outcome,
        reason = context.stopped() => reason.outcome(context.timeout()),
    }
}

/// Returns the outcome of a payload that can no longer be run, for example because its command was
/// removed from the configuration after the job was submitted.
pub(super) fn bad_payload(problems: &[Problem]) -> Outcome {
    Outcome::fatal("bad_payload", Problem::list(problems))
}
