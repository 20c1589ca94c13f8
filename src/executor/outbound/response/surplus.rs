//! Reads a response body over its maximum size to find its end.
//!
//! The end of a body often says more than its start, as in a log. Only the last bytes are kept. Reading is
//! bounded in bytes and in time, because some responses never end.

use std::time::{Duration, Instant};

use awc::ClientResponse;
use futures_util::StreamExt;

/// Maximum number of bytes over the maximum size that are read.
pub(in crate::executor::outbound) const MAX_SURPLUS_BYTES: u64 = 16 << 20;
/// Maximum time for which they are read.
const MAX_TIME: Duration = Duration::from_secs(5);
/// Time before the deadline of the attempt at which reading stops, so that the attempt still ends as what
/// it is: a response that is too large.
const DEADLINE_MARGIN: Duration = Duration::from_millis(50);

/// Reads on and calls `add` for each chunk. Returns whether the end of the body was found.
pub(super) async fn read(
    response: &mut ClientResponse,
    deadline: Instant,
    mut add: impl FnMut(&[u8]),
) -> bool {
    let until = deadline.checked_sub(DEADLINE_MARGIN).unwrap_or(deadline);
    let until = until.min(Instant::now() + MAX_TIME);
    let mut left = MAX_SURPLUS_BYTES;
    while left > 0 {
        match tokio::time::timeout_at(until.into(), response.next()).await {
            Ok(None) => return true,
            Ok(Some(Ok(chunk))) => {
                add(&chunk);
                left = left.saturating_sub(chunk.len() as u64);
            }
            // The time is over, or the connection failed.
            Err(_) | Ok(Some(Err(_))) => return false,
        }
    }
    false
}
