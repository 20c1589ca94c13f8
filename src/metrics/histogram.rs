//! A log-linear histogram of durations, for quantiles such as the median start latency.
//!
//! Each range from one power of two to the next is divided into eight buckets of equal width, in
//! the manner of HdrHistogram. For example, the durations from 64 to 127 ms have the buckets 64-71,
//! 72-79, ..., 120-127. A quantile is the midpoint of the bucket in which it is found: 70 ms is
//! counted in bucket 64-71 and read as 67 ms.
//!
//! The width of a bucket is at most an eighth of its lower end, so the error is at most a sixteenth
//! of the value. Below 16 ms there is no error because each duration has its own bucket. The whole
//! range, up to a year, takes 280 buckets.

use serde::{Deserialize, Serialize};

/// Number of buckets in each power of two: `1 << SUB_BUCKET_BITS`.
const SUB_BUCKET_BITS: u32 = 3;
const SUB_BUCKETS: u64 = 1 << SUB_BUCKET_BITS;

/// Number of durations in each bucket, from the first bucket to the last that is not empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u32>", into = "Vec<u32>")]
pub struct Histogram(Vec<u32>);

impl From<Vec<u32>> for Histogram {
    /// Restores a stored histogram. Counts after the last bucket are dropped; no version writes any.
    fn from(mut counts: Vec<u32>) -> Self {
        counts.truncate(bucket(Self::MAX_MS) + 1);
        Self(counts)
    }
}

impl From<Histogram> for Vec<u32> {
    fn from(histogram: Histogram) -> Self {
        histogram.0
    }
}

impl Histogram {
    /// Longest duration in milliseconds. A longer one is counted as if it were this one.
    const MAX_MS: u64 = 365 * 24 * 3600 * 1000;

    /// Counts a duration of `millis` milliseconds.
    pub fn record(&mut self, millis: u64) {
        let bucket = bucket(millis.min(Self::MAX_MS));
        if self.0.len() <= bucket {
            self.0.resize(bucket + 1, 0);
        }
        self.0[bucket] = self.0[bucket].saturating_add(1);
    }

    /// Adds the counts of another histogram to this one.
    pub fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count = count.saturating_add(*more);
        }
    }

    /// Returns the duration in milliseconds that a `share` (0 to 1) of all recorded ones did not
    /// exceed, or `None` if none was recorded.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let mut remaining = ((all as f64 * share).ceil() as u64).max(1);
        for (bucket, count) in self.0.iter().enumerate() {
            remaining = remaining.saturating_sub((*count).into());
            if remaining == 0 {
                return Some(midpoint(bucket));
            }
        }
        None
    }
}

/// Returns the index of the bucket that counts `millis`. Bucket 0 is for 0 ms; eight buckets for
/// each power of two follow.
fn bucket(millis: u64) -> usize {
    let Some(exponent) = millis.checked_ilog2() else { return 0 };
    let part = (millis << SUB_BUCKET_BITS >> exponent) & (SUB_BUCKETS - 1);
    (1 + u64::from(exponent) * SUB_BUCKETS + part) as usize
}

/// Returns the midpoint of a bucket, in milliseconds.
fn midpoint(bucket: usize) -> u64 {
    let Some(index) = (bucket as u64).checked_sub(1) else { return 0 };
    let (exponent, part) = (index / SUB_BUCKETS, index % SUB_BUCKETS);
    let start = ((SUB_BUCKETS + part) << exponent) >> SUB_BUCKET_BITS;
    let width = ((1 << exponent) >> SUB_BUCKET_BITS).max(1);
    start + (width - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_duration_is_read_back_within_a_tenth() {
        for millis in (0..2_000).chain([12_345, 300_000, 86_400_000, Histogram::MAX_MS]) {
            let mut histogram = Histogram::default();
            histogram.record(millis);
            let median = histogram.quantile(0.5).unwrap();
            assert!(median.abs_diff(millis) * 10 <= millis, "{millis} is read as {median}");
        }
    }

    #[test]
    fn the_median_and_the_99th_percentile_are_close_to_the_exact_values() {
        let mut histogram = Histogram::default();
        for millis in 1..=1_000 {
            histogram.record(millis);
        }
        assert!((450..=550).contains(&histogram.quantile(0.5).unwrap()));
        assert!((900..=1_050).contains(&histogram.quantile(0.99).unwrap()));
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn the_sum_of_two_histograms_equals_one_that_recorded_everything() {
        let (mut one, mut other, mut both) =
            (Histogram::default(), Histogram::default(), Histogram::default());
        for millis in [0, 3, 700] {
            one.record(millis);
            both.record(millis);
        }
        for millis in [90_000, 3] {
            other.record(millis);
            both.record(millis);
        }
        one.add(&other);
        assert_eq!(one, both);
        let text = serde_json::to_string(&one).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&text).unwrap(), one);
    }
}
