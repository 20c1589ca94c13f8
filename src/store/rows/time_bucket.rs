//! Rows of time buckets.

use diesel::prelude::*;

use crate::job::Timestamp;
use crate::metrics::counters::{BucketCounts, Counters};
use crate::metrics::histogram::Histogram;
use crate::store::error::StoreError;
use crate::store::rows::values::corrupt;
use crate::store::schema::time_buckets;

/// Columns of the [`Counters`] of a time bucket.
#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = time_buckets)]
pub(crate) struct TimeBucketRow {
    began_at: i64,
    submitted: i64,
    started: i64,
    completed: i64,
    failed: i64,
    cancelled: i64,
    retried: i64,
    waiting: i64,
    running: i64,
    start: String,
    run: String,
}

impl TimeBucketRow {
    /// Returns the start of the bucket and its counters.
    pub(crate) fn into_counters(self) -> Result<(Timestamp, Counters), StoreError> {
        let number = |count: i64| u64::try_from(count).unwrap_or(0);
        let counts = BucketCounts {
            submitted: number(self.submitted),
            started: number(self.started),
            completed: number(self.completed),
            failed: number(self.failed),
            cancelled: number(self.cancelled),
            retried: number(self.retried),
            waiting: number(self.waiting),
            running: number(self.running),
        };
        let (start, run) = (self.histogram(&self.start)?, self.histogram(&self.run)?);
        let counters = Counters { counts, start, run };
        Ok((Timestamp::from_millis(self.began_at), counters))
    }

    fn histogram(&self, text: &str) -> Result<Histogram, StoreError> {
        let row = format_args!("the time bucket at {}", self.began_at);
        serde_json::from_str(text)
            .map_err(|error| corrupt(row, format_args!("has an invalid histogram: {error}")))
    }
}

pub(crate) fn to_column(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(crate) fn histogram_json(histogram: &Histogram) -> String {
    serde_json::to_string(histogram).unwrap_or_else(|_| "[]".into())
}
