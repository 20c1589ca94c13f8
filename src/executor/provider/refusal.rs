//! Refusals that say when to call again.

use awc::http::StatusCode;

use crate::executor::outbound::Response;
use crate::job::outcome::{Deferral, Outcome};

/// Returns the outcome of a call to a provider that was answered with a status other than 2xx. `outcome` is
/// the outcome for the job alone.
///
/// A provider that answers 429 or 503 and says when to call again pauses all of its jobs, and the attempt
/// does not count.
pub(in crate::executor) fn defer_if_busy(response: &Response, outcome: Outcome) -> Outcome {
    let says_when =
        matches!(response.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    match outcome {
        Outcome::Failed { error, retryable: true, retry_in: Some(pause), detail } if says_when => {
            let deferral = Deferral::new(error, pause.span());
            Outcome::Deferred(Box::new(Deferral { is_of_provider: true, detail, ..deferral }))
        }
        outcome => outcome,
    }
}
