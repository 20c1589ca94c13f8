//! How long things took, as counts by size: small, and exact to a tenth.

use serde::{Deserialize, Serialize};

/// How many buckets a doubling has, as a power of two.
const PARTS_BITS: u32 = 3;
const PARTS: u64 = 1 << PARTS_BITS;

/// Counts of spans by their length. Each bucket is an eighth of a doubling wide, from a millisecond
/// up to a year.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<u32>", into = "Vec<u32>")]
pub struct Histogram(Vec<u32>);

impl From<Vec<u32>> for Histogram {
    /// Without what stands past the last bucket, which no version writes.
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
    /// The largest span that is told from larger ones, in milliseconds.
    const MAX_MS: u64 = 365 * 24 * 3600 * 1000;

    /// Counts one span.
    pub fn record(&mut self, millis: u64) {
        let bucket = bucket(millis.min(Self::MAX_MS));
        if self.0.len() <= bucket {
            self.0.resize(bucket + 1, 0);
        }
        self.0[bucket] = self.0[bucket].saturating_add(1);
    }

    /// Counts what another has counted.
    pub fn add(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        for (count, more) in self.0.iter_mut().zip(&other.0) {
            *count = count.saturating_add(*more);
        }
    }

    /// The span in milliseconds that this share of all did not exceed; none where there are none.
    pub fn quantile(&self, share: f64) -> Option<u64> {
        let all: u64 = self.0.iter().map(|count| u64::from(*count)).sum();
        let mut left = ((all as f64 * share).ceil() as u64).max(1);
        for (bucket, count) in self.0.iter().enumerate() {
            left = left.saturating_sub((*count).into());
            if left == 0 {
                return Some(middle(bucket));
            }
        }
        None
    }
}

/// Where a span is counted: 0 by itself, then eight buckets a doubling.
fn bucket(millis: u64) -> usize {
    let Some(doubling) = millis.checked_ilog2() else { return 0 };
    let part = (millis << PARTS_BITS >> doubling) & (PARTS - 1);
    (1 + u64::from(doubling) * PARTS + part) as usize
}

/// The middle of a bucket.
fn middle(bucket: usize) -> u64 {
    let Some(place) = (bucket as u64).checked_sub(1) else { return 0 };
    let (doubling, part) = (place / PARTS, place % PARTS);
    let begin = ((PARTS + part) << doubling) >> PARTS_BITS;
    let width = ((1 << doubling) >> PARTS_BITS).max(1);
    begin + (width - 1) / 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_span_is_told_to_a_tenth() {
        for millis in (0..2_000).chain([12_345, 300_000, 86_400_000, Histogram::MAX_MS]) {
            let mut histogram = Histogram::default();
            histogram.record(millis);
            let told = histogram.quantile(0.5).unwrap();
            assert!(told.abs_diff(millis) * 10 <= millis, "{millis} told as {told}");
        }
    }

    #[test]
    fn half_and_nearly_all_are_found_among_many() {
        let mut histogram = Histogram::default();
        for millis in 1..=1_000 {
            histogram.record(millis);
        }
        assert!((450..=550).contains(&histogram.quantile(0.5).unwrap()));
        assert!((900..=1_050).contains(&histogram.quantile(0.99).unwrap()));
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn two_added_are_as_one_that_counted_all() {
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
