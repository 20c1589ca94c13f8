//! Time buckets: the counters of ten seconds, by queue and in total.

use crate::job::queue::QueueName;
use crate::job::{Span, Timestamp};
use crate::metrics::counters::Counters;

/// Duration of one time bucket, which is one point of a chart.
pub const STEP: Span = Span::from_secs(10);

/// Maximum number of queues in a time bucket; those with the most events are kept. This bounds the
/// amount of data that is written every ten seconds.
pub const MAX_QUEUES_PER_BUCKET: usize = 200;

/// Counters of ten seconds, for the most active queues and in total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeBucket {
    /// Start of the time bucket.
    pub began_at: Timestamp,
    /// Counters by queue; at most [`MAX_QUEUES_PER_BUCKET`] queues.
    pub queues: Vec<(QueueName, Counters)>,
    /// Sum over all queues, including those that are not in `queues`.
    pub all: Counters,
}

/// Returns the start of the time bucket that contains a time.
pub fn bucket_start(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.millis() - at.millis().rem_euclid(STEP.millis()))
}
