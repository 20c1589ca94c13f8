//! The metrics of a server or a queue over the last hour: tiles with key figures, and charts.

use crate::metrics::stats::{Latency, Point, Stats};
use crate::pages::parts::chart::{Chart, Series, Shape, Unit};
use crate::pages::parts::number::{Amount, Count};
use crate::pages::parts::time::DurationText;

/// A key figure.
pub(crate) struct Tile {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    /// Unit or quantile shown after the value.
    pub(crate) unit: &'static str,
    /// Explanation shown below the value.
    pub(crate) note: String,
}

/// The tiles and charts of a server or a queue.
pub(crate) struct MetricsPanel {
    pub(crate) tiles: Vec<Tile>,
    pub(crate) charts: [Chart; 5],
}

impl MetricsPanel {
    pub(crate) fn new(stats: &Stats) -> Self {
        Self { tiles: tiles(stats), charts: charts(stats) }
    }
}

fn tiles(stats: &Stats) -> Vec<Tile> {
    let jobs = stats.jobs;
    let in_last_hour = |number| format!("{} in the last hour", Count::from_u64(number));
    let tile = |name, value: String, unit, note| Tile { name, value, unit, note };
    let waiting = jobs.queued + jobs.scheduled + jobs.retrying;
    let delayed = jobs.scheduled + jobs.retrying;
    let failed = stats.total(|point| point.failed);
    let retried = stats.total(|point| point.retried);
    let submitted = stats.total(|point| point.submitted);
    let per_second = |get: fn(&Point) -> u64| Amount(stats.per_second(get)).to_string();
    vec![
        tile("Submitted", per_second(|point| point.submitted), "/s", in_last_hour(submitted)),
        tile(
            "Finished",
            per_second(Point::finished),
            "/s",
            in_last_hour(stats.total(Point::finished)),
        ),
        tile(
            "Waiting",
            Count::new(waiting).to_string(),
            "",
            match delayed {
                0 => "all ready to run".into(),
                delayed => format!("{} of them scheduled or retrying", Count::new(delayed)),
            },
        ),
        tile("Running", Count::new(jobs.running).to_string(), "", "now".into()),
        tile(
            "Failed",
            Count::from_u64(failed).to_string(),
            "",
            format!("in the last hour; {} retries", Count::from_u64(retried)),
        ),
        latency("Queue latency", stats.start, "from due to started"),
        latency("Run time", stats.run, "per attempt"),
    ]
}

fn latency(name: &'static str, latency: Latency, scope: &str) -> Tile {
    let text = |millis: Option<u64>| {
        millis.map_or_else(|| "–".to_owned(), |millis| DurationText::millis(millis).to_string())
    };
    let note = format!("p99 {}; {scope}", text(latency.p99_ms));
    Tile { name, value: text(latency.p50_ms), unit: "p50", note }
}

fn charts(stats: &Stats) -> [Chart; 5] {
    let points = stats.points.as_slice();
    let step_secs = stats.step.duration().as_secs_f64().max(0.001);
    let last = points.len().saturating_sub(1);
    // The last time bucket is still open, so it has no rate or latency yet.
    let closed = |get: &dyn Fn(&Point) -> Option<f64>| -> Vec<Option<f64>> {
        let each = points.iter().enumerate();
        each.map(|(at, point)| if at == last { None } else { get(point) }).collect()
    };
    let per_second = |get: fn(&Point) -> u64| closed(&|point| Some(get(point) as f64 / step_secs));
    let counted = |get: fn(&Point) -> u64| -> Vec<Option<f64>> {
        points.iter().map(|point| Some(get(point) as f64)).collect()
    };
    let millis = |get: fn(&Point) -> Option<u64>| closed(&|point| get(point).map(|ms| ms as f64));
    let series =
        |name, class, shape, values| Series { name, class, shape, values, floor: Vec::new() };
    [
        Chart::new(
            "rate",
            "Submitted and finished",
            Unit::PerSecond,
            &[
                series("submitted", "a", Shape::Area, per_second(|point| point.submitted)),
                series("finished", "b", Shape::Line, per_second(Point::finished)),
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
            "Failures and retries per 10 s",
            Unit::Jobs,
            &[
                series("failed", "c", Shape::Bars, counted(|point| point.failed)),
                Series {
                    floor: points.iter().map(|point| point.failed as f64).collect(),
                    ..series("retried", "b", Shape::Bars, counted(|point| point.retried))
                },
            ],
        ),
        Chart::new(
            "latency",
            "Queue latency",
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
    use crate::metrics::stats::{POINTS, STEP};

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

    fn tile_texts(stats: &Stats) -> Vec<String> {
        let tile = |tile: Tile| format!("{} {}{}: {}", tile.name, tile.value, tile.unit, tile.note);
        tiles(stats).into_iter().map(tile).collect()
    }

    #[test]
    fn the_tiles_show_rates_totals_and_latencies() {
        let busy = stats(|number| Point {
            submitted: 10,
            completed: u64::from(number >= 358) * 30,
            failed: u64::from(number == 5),
            ..point()
        });
        let texts = tile_texts(&busy);
        // The rate of the last ten seconds: the open time bucket, and half of the one before it.
        assert_eq!(texts[0], "Submitted 1.5/s: 3,600 in the last hour");
        assert_eq!(texts[1], "Finished 4.5/s: 61 in the last hour");
        assert_eq!(texts[2], "Waiting 1,203: 1,200 of them scheduled or retrying");
        assert_eq!(texts[4], "Failed 1: in the last hour; 0 retries");
        assert_eq!(texts[5], "Queue latency 3 msp50: p99 1.50 s; from due to started");
        assert_eq!(texts[6], "Run time –p50: p99 –; per attempt");
    }

    #[test]
    fn the_open_time_bucket_has_a_depth_but_no_rate() {
        let full = stats(|_| Point { submitted: 10, waiting: 4, ..point() });
        let [rate, depth, ..] = charts(&full).map(|chart| chart.to_string());
        assert!(rate.contains("1/s;1/s;;") || rate.contains("1/s;\""), "{rate}");
        assert!(rate.contains("d=\"M0 0L358 0\""), "{rate}");
        assert!(depth.contains("d=\"M0 0L359 0\""), "{depth}");
    }

    #[test]
    fn charts_without_data_can_be_drawn() {
        let none = Stats { points: Vec::new(), ..stats(|_| point()) };
        assert_eq!(tile_texts(&none)[0], "Submitted 0/s: 0 in the last hour");
        for chart in charts(&none) {
            assert!(chart.to_string().contains("no data in the last hour"));
        }
    }
}
