//! Statistics of the last hour, as numbers for charts.

use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::queue::{QueueName, StateCounts};
use crate::job::time::{Span, Timestamp};
use crate::metrics::counters::{BucketCounts, Counters};
use crate::metrics::histogram::Histogram;
use crate::metrics::time_bucket::STEP;

/// Number of points in a chart, together an hour.
pub const POINTS: usize = 360;

/// Statistics of a server or of one of its queues: the current state and the last hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Time at which the statistics were taken.
    pub at: Timestamp,
    /// Queue that the statistics are about; `None` for all queues together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// Number of jobs in each state.
    pub jobs: StateCounts,
    /// Load of each lane. These numbers are about the whole server even if `queue` is set.
    pub lanes: Vec<LaneLoad>,
    /// Duration that one point covers.
    pub step: Span,
    /// The last hour, oldest point first; the last point is not complete yet.
    pub points: Vec<Point>,
    /// Time between the moment a job became due and the start of its attempt, in the last hour.
    pub start: Latency,
    /// Time between the start and the end of an attempt, in the last hour.
    pub run: Latency,
}

/// How busy the workers of a lane are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneLoad {
    /// Lane that the numbers are about.
    pub lane: Lane,
    /// Number of workers in the lane; `None` for the remote lane, whose workers are not known.
    pub workers: Option<u32>,
    /// Number of workers that run a job.
    pub busy: u32,
}

/// One point of a chart: the counts and latencies of one time bucket.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Start of the time bucket.
    pub at: Timestamp,
    /// Number of events, and of the waiting and running jobs at the end of the bucket.
    #[serde(flatten)]
    pub counts: BucketCounts,
    /// Time between the moment a job became due and the start of its attempt.
    pub start: Latency,
    /// Time between the start and the end of an attempt.
    pub run: Latency,
}

/// Quantiles of durations in milliseconds, exact to a tenth; `None` if nothing was measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Median: half of the durations are not longer.
    pub p50_ms: Option<u64>,
    /// 99th percentile: 99 of 100 durations are not longer.
    pub p99_ms: Option<u64>,
}

impl Latency {
    /// Returns the quantiles of the durations in a histogram.
    pub fn of(histogram: &Histogram) -> Self {
        Self { p50_ms: histogram.quantile(0.5), p99_ms: histogram.quantile(0.99) }
    }
}

impl Stats {
    /// Returns the number of events per second in the ten seconds before [`Stats::at`].
    ///
    /// `count` selects the kind of event. The last point is not complete, so the point before it
    /// counts in part: 2.5 s after the start of the last point, the rate is all of the last point
    /// plus three quarters of the point before it, divided by ten seconds. Returns 0 if there are
    /// fewer than two points.
    pub fn per_second(&self, count: impl Fn(&BucketCounts) -> u64) -> f64 {
        let [.., before, current] = self.points.as_slice() else { return 0.0 };
        let step = self.step_secs();
        let elapsed = (self.at.since(current.at).as_secs_f64() / step).clamp(0.0, 1.0);
        (count(&current.counts) as f64 + count(&before.counts) as f64 * (1.0 - elapsed)) / step
    }

    /// Returns the number of events per second at each point. The last one is `None`, because that
    /// point is not complete; `count` selects the kind of event.
    pub fn rates(&self, count: impl Fn(&BucketCounts) -> u64) -> Vec<Option<f64>> {
        self.closed(|point| Some(count(&point.counts) as f64 / self.step_secs()))
    }

    /// Returns a value of each point, and `None` for the last one, which is not complete.
    pub fn closed(&self, value: impl Fn(&Point) -> Option<f64>) -> Vec<Option<f64>> {
        let Some((_last, closed)) = self.points.split_last() else { return Vec::new() };
        closed.iter().map(value).chain([None]).collect()
    }

    /// Returns the number of events in the last hour; `count` selects the kind of event.
    pub fn total(&self, count: impl Fn(&BucketCounts) -> u64) -> u64 {
        self.points.iter().map(|point| count(&point.counts)).sum()
    }

    /// Returns the duration of a time bucket in seconds, never zero.
    fn step_secs(&self) -> f64 {
        self.step.duration().as_secs_f64().max(0.001)
    }
}

/// Returns the points of the hour that ends with the time bucket that starts at `last`.
///
/// `buckets` are time buckets by their start, oldest first. Buckets with the same start are added:
/// there are two if the server restarted within ten seconds. A point without a bucket has no
/// events and the same number of waiting and running jobs as the point before it.
pub fn points(buckets: &[(Timestamp, Counters)], last: Timestamp) -> Vec<Point> {
    let at = |index: usize| last.minus(STEP.duration() * (POINTS - 1 - index) as u32);
    let first = buckets.first().map(|(_, first)| first.counts.gauges_before());
    let mut gauges = first.unwrap_or_default();
    let mut points = Vec::with_capacity(POINTS);
    let mut remaining = buckets;
    for at in (0..POINTS).map(at) {
        let mut counters = Counters { counts: gauges, ..Counters::default() };
        while let Some(((began_at, next), others)) = remaining.split_first() {
            if *began_at > at {
                break;
            }
            if *began_at == at {
                counters.add(next);
            }
            counters.counts.waiting = next.counts.waiting;
            counters.counts.running = next.counts.running;
            remaining = others;
        }
        let Counters { counts, start, run } = &counters;
        points.push(Point {
            at,
            counts: *counts,
            start: Latency::of(start),
            run: Latency::of(run),
        });
        gauges = counts.gauges();
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + step * STEP.millis())
    }

    fn submitted(submitted: u64, waiting: u64) -> Counters {
        let counts = BucketCounts { submitted, waiting, ..BucketCounts::default() };
        Counters { counts, ..Counters::default() }
    }

    #[test]
    fn an_hour_has_a_point_for_each_ten_seconds_and_a_point_without_events_keeps_the_gauges() {
        let buckets = [(at(2), submitted(3, 5)), (at(4), submitted(1, 6))];
        let points = points(&buckets, at(5));
        assert_eq!(points.len(), POINTS);
        let end = &points[POINTS - 5..];
        let shown: Vec<_> = end
            .iter()
            .map(|point| (point.at, point.counts.submitted, point.counts.waiting))
            .collect();
        let expected = [(at(1), 0, 2), (at(2), 3, 5), (at(3), 0, 5), (at(4), 1, 6), (at(5), 0, 6)];
        assert_eq!(shown, expected);
    }

    #[test]
    fn two_parts_of_one_bucket_are_added_and_an_older_bucket_only_sets_the_gauges() {
        let old = (at(-1_000), submitted(9, 4));
        let buckets = [old, (at(1), submitted(1, 1)), (at(1), submitted(2, 3))];
        let points = points(&buckets, at(1));
        let counts = |index: usize| (points[index].counts.submitted, points[index].counts.waiting);
        assert_eq!((counts(0), counts(POINTS - 1)), ((0, 4), (3, 3)));
    }

    #[test]
    fn a_point_is_one_flat_json_object() {
        let counts = BucketCounts { submitted: 1, running: 2, ..BucketCounts::default() };
        let start = Latency { p50_ms: Some(3), p99_ms: None };
        let point = Point { at: at(0), counts, start, run: Latency::default() };
        let json = concat!(
            r#"{"at":"1970-01-12T13:46:40.000Z","submitted":1,"started":0,"completed":0,"failed":0,"#,
            r#""cancelled":0,"retried":0,"waiting":0,"running":2,"start":{"p50_ms":3,"p99_ms":null},"#,
            r#""run":{"p50_ms":null,"p99_ms":null}}"#
        );
        assert_eq!(serde_json::to_string(&point).unwrap(), json);
        assert_eq!(serde_json::from_str::<Point>(json).unwrap(), point);
    }

    #[test]
    fn a_rate_covers_the_incomplete_bucket_and_part_of_the_bucket_before_it() {
        let buckets = [(at(0), submitted(100, 0)), (at(1), submitted(30, 0))];
        let stats = Stats {
            at: Timestamp::from_millis(at(1).millis() + 2_500),
            queue: None,
            jobs: StateCounts::default(),
            lanes: Vec::new(),
            step: STEP,
            points: points(&buckets, at(1)),
            start: Latency::default(),
            run: Latency::default(),
        };
        let rate = stats.per_second(|counts| counts.submitted);
        assert!((rate - 10.5).abs() < 1e-9, "{rate}");
        assert_eq!(stats.total(|counts| counts.submitted), 130);
        let rates = stats.rates(|counts| counts.submitted);
        assert_eq!((rates[POINTS - 2], rates[POINTS - 1]), (Some(10.0), None));
    }
}
