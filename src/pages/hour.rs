//! The last hour of a server or a queue: numbers at a glance, and charts.

use crate::job::stats::{Latency, Point, Stats};
use crate::pages::chart::{Chart, Series, Shape, Unit};
use crate::pages::moment::Took;
use crate::pages::number::{Amount, Count};

/// A number that is told at a glance.
pub(super) struct Tile {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// What is said behind the number.
    pub(super) unit: &'static str,
    /// What is said below it.
    pub(super) more: String,
}

/// What is shown of an hour.
pub(super) struct Hour {
    pub(super) tiles: Vec<Tile>,
    pub(super) charts: [Chart; 5],
}

impl Hour {
    pub(super) fn of(stats: &Stats) -> Self {
        Self { tiles: tiles(stats), charts: charts(stats) }
    }
}

fn tiles(stats: &Stats) -> Vec<Tile> {
    let jobs = stats.jobs;
    let in_the_hour = |number| format!("{} in the last hour", Count::of(number));
    let tile = |name, value: String, unit, more| Tile { name, value, unit, more };
    let waiting = jobs.queued + jobs.scheduled + jobs.retrying;
    let later = jobs.scheduled + jobs.retrying;
    let failed = stats.total(|point| point.failed);
    let retried = stats.total(|point| point.retried);
    let submitted = stats.total(|point| point.submitted);
    let per_second = |of: fn(&Point) -> u64| Amount(stats.per_second(of)).to_string();
    vec![
        tile("In", per_second(|point| point.submitted), "/s", in_the_hour(submitted)),
        tile("Out", per_second(Point::finished), "/s", in_the_hour(stats.total(Point::finished))),
        tile(
            "Waiting",
            Count::new(waiting).to_string(),
            "",
            match later {
                0 => "all ready to run".into(),
                later => format!("{} of them for their time", Count::new(later)),
            },
        ),
        tile("Running", Count::new(jobs.running).to_string(), "", "now".into()),
        tile(
            "Failed",
            Count::of(failed).to_string(),
            "",
            format!("in the last hour; {} tried again", Count::of(retried)),
        ),
        latency("Start", stats.start, "from due to start"),
        latency("Run time", stats.run, "an attempt"),
    ]
}

fn latency(name: &'static str, latency: Latency, what: &str) -> Tile {
    let told = |millis: Option<u64>| {
        millis.map_or_else(|| "–".to_owned(), |millis| Took::millis(millis).to_string())
    };
    let more = format!("p99 {}; {what}", told(latency.p99_ms));
    Tile { name, value: told(latency.p50_ms), unit: "p50", more }
}

fn charts(stats: &Stats) -> [Chart; 5] {
    let points = stats.points.as_slice();
    let step_secs = stats.step.duration().as_secs_f64().max(0.001);
    let last = points.len().saturating_sub(1);
    // What is still going on has no rate yet.
    let closed = |of: &dyn Fn(&Point) -> Option<f64>| -> Vec<Option<f64>> {
        let each = points.iter().enumerate();
        each.map(|(at, point)| if at == last { None } else { of(point) }).collect()
    };
    let per_second = |of: fn(&Point) -> u64| closed(&|point| Some(of(point) as f64 / step_secs));
    let counted = |of: fn(&Point) -> u64| -> Vec<Option<f64>> {
        points.iter().map(|point| Some(of(point) as f64)).collect()
    };
    let millis = |of: fn(&Point) -> Option<u64>| closed(&|point| of(point).map(|ms| ms as f64));
    let series =
        |name, class, shape, values| Series { name, class, shape, values, floor: Vec::new() };
    [
        Chart::new(
            "rate",
            "In and out",
            Unit::PerSecond,
            &[
                series("in", "a", Shape::Area, per_second(|point| point.submitted)),
                series("out", "b", Shape::Line, per_second(Point::finished)),
            ],
        ),
        Chart::new(
            "depth",
            "Waiting and running",
            Unit::Jobs,
            &[
                series("waiting", "a", Shape::Area, counted(|point| point.waiting)),
                series("running", "b", Shape::Line, counted(|point| point.running)),
            ],
        ),
        Chart::new(
            "failures",
            "Failures, per 10 s",
            Unit::Jobs,
            &[
                series("failed", "c", Shape::Bars, counted(|point| point.failed)),
                Series {
                    floor: points.iter().map(|point| point.failed as f64).collect(),
                    ..series("tried again", "b", Shape::Bars, counted(|point| point.retried))
                },
            ],
        ),
        Chart::new(
            "start",
            "From due to start",
            Unit::Millis,
            &[
                series("p50", "a", Shape::Line, millis(|point| point.start.p50_ms)),
                series("p99", "b", Shape::Line, millis(|point| point.start.p99_ms)),
            ],
        ),
        Chart::new(
            "run",
            "Run time",
            Unit::Millis,
            &[
                series("p50", "a", Shape::Line, millis(|point| point.run.p50_ms)),
                series("p99", "b", Shape::Line, millis(|point| point.run.p99_ms)),
            ],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Timestamp;
    use crate::job::queue::StateCounts;
    use crate::job::stats::{POINTS, STEP};

    fn stats(point: impl Fn(usize) -> Point) -> Stats {
        let at = Timestamp::from_millis(3_600_000 - 5_000);
        let points: Vec<Point> = (0..POINTS)
            .map(|number| Point {
                at: Timestamp::from_millis(number as i64 * STEP.millis()),
                ..point(number)
            })
            .collect();
        Stats {
            at,
            queue: None,
            jobs: StateCounts { queued: 3, scheduled: 1_200, ..StateCounts::default() },
            lanes: Vec::new(),
            step: STEP,
            points,
            start: Latency { p50_ms: Some(3), p99_ms: Some(1_500) },
            run: Latency::default(),
        }
    }

    fn point() -> Point {
        Point {
            at: Timestamp::from_millis(0),
            submitted: 0,
            started: 0,
            completed: 0,
            failed: 0,
            cancelled: 0,
            retried: 0,
            waiting: 0,
            running: 0,
            start: Latency::default(),
            run: Latency::default(),
        }
    }

    fn told(stats: &Stats) -> Vec<String> {
        let tile = |tile: Tile| format!("{} {}{}: {}", tile.name, tile.value, tile.unit, tile.more);
        tiles(stats).into_iter().map(tile).collect()
    }

    #[test]
    fn the_numbers_of_an_hour_are_told_at_a_glance() {
        let busy = stats(|number| Point {
            submitted: 10,
            completed: u64::from(number >= 358) * 30,
            failed: u64::from(number == 5),
            ..point()
        });
        let told = told(&busy);
        // In the last ten seconds: those of the stretch that goes on, and half of those before.
        assert_eq!(told[0], "In 1.5/s: 3,600 in the last hour");
        assert_eq!(told[1], "Out 4.5/s: 61 in the last hour");
        assert_eq!(told[2], "Waiting 1,203: 1,200 of them for their time");
        assert_eq!(told[4], "Failed 1: in the last hour; 0 tried again");
        assert_eq!(told[5], "Start 3 msp50: p99 1.50 s; from due to start");
        assert_eq!(told[6], "Run time –p50: p99 –; an attempt");
    }

    #[test]
    fn a_stretch_that_goes_on_has_no_rate_but_a_depth() {
        let full = stats(|_| Point { submitted: 10, waiting: 4, ..point() });
        let [rate, depth, ..] = charts(&full).map(|chart| chart.to_string());
        assert!(rate.contains("1/s;1/s;;") || rate.contains("1/s;\""), "{rate}");
        assert!(rate.contains("d=\"M0 0L358 0\""), "{rate}");
        assert!(depth.contains("d=\"M0 0L359 0\""), "{depth}");
    }

    #[test]
    fn an_hour_without_anything_can_be_drawn() {
        let none = Stats { points: Vec::new(), ..stats(|_| point()) };
        assert_eq!(told(&none)[0], "In 0/s: 0 in the last hour");
        for chart in charts(&none) {
            assert!(chart.to_string().contains("nothing in the last hour"));
        }
    }
}
