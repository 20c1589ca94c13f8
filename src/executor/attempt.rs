//! What executors of several kinds do with an attempt: run it until it is stopped, refuse its payload.

use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use crate::executor::context::Context;
use crate::job::outcome::Outcome;
use crate::job::problem::Problem;

/// Starts the attempt's clock and runs `work`. If the attempt is stopped first, `work` is dropped.
///
/// Each poll checks for the stop before it continues the work. Work that is always ready, such as
/// reading from a server that never pauses, uses up the budget that tokio gives a task for each poll,
/// and a timer that is polled after it would never be reached. The timer is still polled last, so that
/// work which ends at once needs none.
pub(super) async fn until_stopped(
    context: &Context,
    work: impl Future<Output = Outcome>,
) -> Outcome {
    context.start_clock(context.timeout());
    let (mut work, mut stopped) = (pin!(work), pin!(context.stopped()));
    poll_fn(|task| {
        if let Some(reason) = context.stop_reason() {
            return Poll::Ready(reason.outcome(context.timeout()));
        }
        match work.as_mut().poll(task) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => {
                stopped.as_mut().poll(task).map(|reason| reason.outcome(context.timeout()))
            }
        }
    })
    .await
}

/// Returns the outcome of a payload that can no longer be run, for example because its command was
/// removed from the configuration after the job was submitted.
pub(super) fn bad_payload(problems: &[Problem]) -> Outcome {
    Outcome::fatal("bad_payload", Problem::list(problems))
}
