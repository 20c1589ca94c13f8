//! What happened lately, as numbers for charts.

use serde::{Deserialize, Serialize};

use crate::job::counters::Counters;
use crate::job::histogram::Histogram;
use crate::job::lane::Lane;
use crate::job::queue::{QueueName, StateCounts};
use crate::job::time::{Span, Timestamp};

/// How long one point of a chart is.
pub const STEP: Span = Span::from_secs(10);
/// How many points a chart has: an hour.
pub const POINTS: usize = 360;

/// How a server, or one of its queues, does: now, and in the last hour.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// When this was so.
    pub at: Timestamp,
    /// Of which queue; of all together if none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueName>,
    /// How many jobs stand in each state.
    pub jobs: StateCounts,
    /// The pools, by lane. Of the whole server, even where a queue was asked for.
    pub lanes: Vec<LaneLoad>,
    /// How long one point covers.
    pub step: Span,
    /// The last hour, oldest first; the last point is still going on.
    pub points: Vec<Point>,
    /// From being due to the start of an attempt, in the last hour.
    pub start: Latency,
    /// From the start of an attempt to its end, in the last hour.
    pub run: Latency,
}

/// How busy the workers of a lane are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneLoad {
    /// Which.
    pub lane: Lane,
    /// How many workers there are; none where that is not known: remote workers come and go.
    pub workers: Option<u32>,
    /// How many of them run a job.
    pub busy: u32,
}

/// What happened in one stretch of time, and how things stood at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// When it began.
    pub at: Timestamp,
    /// Jobs that were submitted.
    pub submitted: u64,
    /// Attempts that began.
    pub started: u64,
    /// Jobs that were completed.
    pub completed: u64,
    /// Jobs that failed for good.
    pub failed: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
    /// Attempts that failed and are made again.
    pub retried: u64,
    /// Jobs that waited at its end: queued, scheduled and retrying ones.
    pub waiting: u64,
    /// Jobs that ran at its end.
    pub running: u64,
    /// From being due to the start.
    pub start: Latency,
    /// From the start of an attempt to its end.
    pub run: Latency,
}

/// How long something took, in milliseconds; none where nothing did. Exact to a tenth.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Half took no longer.
    pub p50_ms: Option<u64>,
    /// 99 of 100 took no longer.
    pub p99_ms: Option<u64>,
}

impl Latency {
    /// Of the spans that a histogram has counted.
    pub fn of(histogram: &Histogram) -> Self {
        Self { p50_ms: histogram.quantile(0.5), p99_ms: histogram.quantile(0.99) }
    }
}

impl Stats {
    /// How many there were a second lately: in the ten seconds until now.
    pub fn per_second(&self, count: impl Fn(&Point) -> u64) -> f64 {
        let [.., before, current] = self.points.as_slice() else { return 0.0 };
        let step = self.step.duration().as_secs_f64();
        let gone = (self.at.since(current.at).as_secs_f64() / step).clamp(0.0, 1.0);
        (count(current) as f64 + count(before) as f64 * (1.0 - gone)) / step
    }

    /// How many there were in the last hour.
    pub fn total(&self, count: impl Fn(&Point) -> u64) -> u64 {
        self.points.iter().map(count).sum()
    }
}

impl Point {
    /// Jobs that became final.
    pub fn finished(&self) -> u64 {
        self.completed + self.failed + self.cancelled
    }

    fn of(at: Timestamp, tally: &Counters) -> Self {
        Self {
            at,
            submitted: tally.submitted,
            started: tally.started,
            completed: tally.completed,
            failed: tally.failed,
            cancelled: tally.cancelled,
            retried: tally.retried,
            waiting: tally.waiting,
            running: tally.running,
            start: Latency::of(&tally.start),
            run: Latency::of(&tally.run),
        }
    }
}

/// The points of the hour that ends with the stretch `last`, from what happened by the begin of
/// its stretch, oldest first. Several of one stretch add up: a server that ended in the middle of
/// one began again in it. Where nothing happened, things stand as before.
pub fn points(buckets: &[(Timestamp, Counters)], last: Timestamp) -> Vec<Point> {
    let at = |index: usize| last.minus(STEP.duration() * (POINTS - 1 - index) as u32);
    let mut before = buckets.first().map(|(_, first)| gauges_before(first)).unwrap_or_default();
    let mut points = Vec::with_capacity(POINTS);
    let mut rest = buckets;
    for at in (0..POINTS).map(at) {
        let mut tally = before.clone();
        while let Some(((began_at, next), others)) = rest.split_first() {
            if *began_at > at {
                break;
            }
            if *began_at == at {
                tally.add(next);
            }
            (tally.waiting, tally.running) = (next.waiting, next.running);
            rest = others;
        }
        points.push(Point::of(at, &tally));
        before = Counters { waiting: tally.waiting, running: tally.running, ..Counters::default() };
    }
    points
}

/// How things stood before a stretch, as far as its own counts tell.
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
    fn an_hour_has_a_point_for_each_ten_seconds_and_things_stand_between_them() {
        let buckets = [(at(2), submitted(3, 5)), (at(4), submitted(1, 6))];
        let points = points(&buckets, at(5));
        assert_eq!(points.len(), POINTS);
        let end = &points[POINTS - 5..];
        let told: Vec<_> =
            end.iter().map(|point| (point.at, point.submitted, point.waiting)).collect();
        let expected = [(at(1), 0, 2), (at(2), 3, 5), (at(3), 0, 5), (at(4), 1, 6), (at(5), 0, 6)];
        assert_eq!(told, expected);
    }

    #[test]
    fn two_parts_of_one_stretch_add_up_and_what_is_older_only_stands() {
        let old = (at(-1_000), submitted(9, 4));
        let buckets = [old, (at(1), submitted(1, 1)), (at(1), submitted(2, 3))];
        let points = points(&buckets, at(1));
        let last = points[POINTS - 1];
        assert_eq!((last.submitted, last.waiting), (3, 3));
        assert_eq!((points[0].submitted, points[0].waiting), (0, 4));
    }

    #[test]
    fn a_rate_slides_over_the_stretch_that_goes_on() {
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
