//! Statistics of the last hour, as numbers for charts.

use serde::{Deserialize, Serialize};

use crate::job::lane::Lane;
use crate::job::queue::{QueueName, StateCounts};
use crate::job::time::{Span, Timestamp};
use crate::metrics::counters::Counters;
use crate::metrics::histogram::Histogram;

/// Duration of one time bucket, which is one point of a chart.
pub const STEP: Span = Span::from_secs(10);
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

/// Events in one time bucket, and the number of waiting and running jobs at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// Start of the time bucket.
    pub at: Timestamp,
    /// Number of jobs that were submitted.
    pub submitted: u64,
    /// Number of attempts that started.
    pub started: u64,
    /// Number of jobs that completed.
    pub completed: u64,
    /// Number of jobs that reached the state `failed`.
    pub failed: u64,
    /// Number of jobs that were cancelled.
    pub cancelled: u64,
    /// Number of attempts that failed and are followed by another.
    pub retried: u64,
    /// Number of jobs that were queued, scheduled or retrying at the end of the bucket.
    pub waiting: u64,
    /// Number of jobs that were running at the end of the bucket.
    pub running: u64,
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
    /// plus three quarters of the point before it, divided by ten seconds.
    pub fn per_second(&self, count: impl Fn(&Point) -> u64) -> f64 {
        let [.., before, current] = self.points.as_slice() else { return 0.0 };
        let step = self.step.duration().as_secs_f64();
        let elapsed = (self.at.since(current.at).as_secs_f64() / step).clamp(0.0, 1.0);
        (count(current) as f64 + count(before) as f64 * (1.0 - elapsed)) / step
    }

    /// Returns the number of events in the last hour; `count` selects the kind of event.
    pub fn total(&self, count: impl Fn(&Point) -> u64) -> u64 {
        self.points.iter().map(count).sum()
    }
}

impl Point {
    /// Returns the number of jobs that reached a final state.
    pub fn finished(&self) -> u64 {
        self.completed + self.failed + self.cancelled
    }

    fn new(at: Timestamp, counters: &Counters) -> Self {
        Self {
            at,
            submitted: counters.submitted,
            started: counters.started,
            completed: counters.completed,
            failed: counters.failed,
            cancelled: counters.cancelled,
            retried: counters.retried,
            waiting: counters.waiting,
            running: counters.running,
            start: Latency::of(&counters.start),
            run: Latency::of(&counters.run),
        }
    }
}

/// Returns the points of the hour that ends with the time bucket that starts at `last`.
///
/// `buckets` are time buckets by their start, oldest first. Buckets with the same start are added:
/// there are two if the server restarted within ten seconds. A point without a bucket has no
/// events and the same number of waiting and running jobs as the point before it.
pub fn points(buckets: &[(Timestamp, Counters)], last: Timestamp) -> Vec<Point> {
    let at = |index: usize| last.minus(STEP.duration() * (POINTS - 1 - index) as u32);
    let mut before = buckets.first().map(|(_, first)| gauges_before(first)).unwrap_or_default();
    let mut points = Vec::with_capacity(POINTS);
    let mut remaining = buckets;
    for at in (0..POINTS).map(at) {
        let mut counters = before.clone();
        while let Some(((began_at, next), others)) = remaining.split_first() {
            if *began_at > at {
                break;
            }
            if *began_at == at {
                counters.add(next);
            }
            (counters.waiting, counters.running) = (next.waiting, next.running);
            remaining = others;
        }
        points.push(Point::new(at, &counters));
        let Counters { waiting, running, .. } = counters;
        before = Counters { waiting, running, ..Counters::default() };
    }
    points
}

/// Returns the number of waiting and running jobs at the start of a time bucket, computed from the
/// numbers at its end and its events.
fn gauges_before(first: &Counters) -> Counters {
    let ended = first.completed + first.failed + first.cancelled + first.retried;
    Counters {
        waiting: (first.waiting + first.started).saturating_sub(first.submitted + first.retried),
        running: (first.running + ended).saturating_sub(first.started),
        ..Counters::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(step: i64) -> Timestamp {
        Timestamp::from_millis(1_000_000_000 + step * STEP.millis())
    }

    fn submitted(submitted: u64, waiting: u64) -> Counters {
        Counters { submitted, waiting, ..Counters::default() }
    }

    #[test]
    fn an_hour_has_a_point_for_each_ten_seconds_and_a_point_without_events_keeps_the_gauges() {
        let buckets = [(at(2), submitted(3, 5)), (at(4), submitted(1, 6))];
        let points = points(&buckets, at(5));
        assert_eq!(points.len(), POINTS);
        let end = &points[POINTS - 5..];
        let shown: Vec<_> =
            end.iter().map(|point| (point.at, point.submitted, point.waiting)).collect();
        let expected = [(at(1), 0, 2), (at(2), 3, 5), (at(3), 0, 5), (at(4), 1, 6), (at(5), 0, 6)];
        assert_eq!(shown, expected);
    }

    #[test]
    fn two_parts_of_one_bucket_are_added_and_an_older_bucket_only_sets_the_gauges() {
        let old = (at(-1_000), submitted(9, 4));
        let buckets = [old, (at(1), submitted(1, 1)), (at(1), submitted(2, 3))];
        let points = points(&buckets, at(1));
        let last = points[POINTS - 1];
        assert_eq!((last.submitted, last.waiting), (3, 3));
        assert_eq!((points[0].submitted, points[0].waiting), (0, 4));
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
        let rate = stats.per_second(|point| point.submitted);
        assert!((rate - 10.5).abs() < 1e-9, "{rate}");
        assert_eq!(stats.total(|point| point.submitted), 130);
    }
}
