//! The metrics of a server or a queue over the last hour: tiles with key figures, and charts.

use crate::metrics::counters::BucketCounts;
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
    let waiting = jobs.waiting();
    let delayed = jobs.scheduled + jobs.retrying;
    let failed = stats.total(|counts| counts.failed);
    let retried = stats.total(|counts| counts.retried);
    let submitted = stats.total(|counts| counts.submitted);
    let per_second = |get: fn(&BucketCounts) -> u64| Amount(stats.per_second(get)).to_string();
    vec![
        tile("Submitted", per_second(|counts| counts.submitted), "/s", in_last_hour(submitted)),
        tile(
            "Finished",
            per_second(BucketCounts::finished),
            "/s",
            in_last_hour(stats.total(BucketCounts::finished)),
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
    let counted = |get: fn(&BucketCounts) -> u64| -> Vec<Option<f64>> {
        points.iter().map(|point| Some(get(&point.counts) as f64)).collect()
    };
    let series =
        |name, class, shape, values| Series { name, class, shape, values, floor: Vec::new() };
    [
        Chart::new(
            "rate",
            "Submitted and finished",
            Unit::PerSecond,
            &[
                series("submitted", "a", Shape::Area, stats.rates(|counts| counts.submitted)),
                series("finished", "b", Shape::Line, stats.rates(BucketCounts::finished)),
            ],
        ),
        Chart::new(
            "depth",
            "Waiting and running",
            Unit::Jobs,
            &[
                series("waiting", "a", Shape::Area, counted(|counts| counts.waiting)),
                series("running", "b", Shape::Line, counted(|counts| counts.running)),
            ],
        ),
        Chart::new(
            "failures",
            "Failures and retries per 10 s",
            Unit::Jobs,
            &[
                series("failed", "c", Shape::Bars, counted(|counts| counts.failed)),
                Series {
                    floor: points.iter().map(|point| point.counts.failed as f64).collect(),
                    ..series("retried", "b", Shape::Bars, counted(|counts| counts.retried))
                },
            ],
        ),
        latency_chart("latency", "Queue latency", stats, |point| point.start),
        latency_chart("run", "Run time", stats, |point| point.run),
    ]
}

/// Returns a chart of the median and the 99th percentile of a latency.
fn latency_chart(
    id: &'static str,
    title: &'static str,
    stats: &Stats,
    latency: fn(&Point) -> Latency,
) -> Chart {
    let line = |name, class, quantile: fn(Latency) -> Option<u64>| Series {
        name,
        class,
        shape: Shape::Line,
        values: stats.closed(|point| quantile(latency(point)).map(|millis| millis as f64)),
        floor: Vec::new(),
    };
    let lines =
        [line("p50", "a", |latency| latency.p50_ms), line("p99", "b", |latency| latency.p99_ms)];
    Chart::new(id, title, Unit::Millis, &lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Timestamp;
    use crate::job::queue::StateCounts;
    use crate::metrics::stats::POINTS;
    use crate::metrics::time_bucket::STEP;

    fn stats(counts: impl Fn(usize) -> BucketCounts) -> Stats {
        let at = Timestamp::from_millis(3_600_000 - 5_000);
        let points: Vec<Point> = (0..POINTS)
            .map(|number| Point {
                at: Timestamp::from_millis(number as i64 * STEP.millis()),
                counts: counts(number),
                ..Point::default()
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

    fn tile_texts(stats: &Stats) -> Vec<String> {
        let tile = |tile: Tile| format!("{} {}{}: {}", tile.name, tile.value, tile.unit, tile.note);
        tiles(stats).into_iter().map(tile).collect()
    }

    #[test]
    fn the_tiles_show_rates_totals_and_latencies() {
        let busy = stats(|number| BucketCounts {
            submitted: 10,
            completed: u64::from(number >= 358) * 30,
            failed: u64::from(number == 5),
            ..BucketCounts::default()
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
        let full = stats(|_| BucketCounts { submitted: 10, waiting: 4, ..BucketCounts::default() });
        let [rate, depth, ..] = charts(&full).map(|chart| chart.to_string());
        assert!(rate.contains("1/s;1/s;;") || rate.contains("1/s;\""), "{rate}");
        assert!(rate.contains("d=\"M0 0L358 0\""), "{rate}");
        assert!(depth.contains("d=\"M0 0L359 0\""), "{depth}");
    }

    #[test]
    fn charts_without_data_can_be_drawn() {
        let none = Stats { points: Vec::new(), ..stats(|_| BucketCounts::default()) };
        assert_eq!(tile_texts(&none)[0], "Submitted 0/s: 0 in the last hour");
        for chart in charts(&none) {
            assert!(chart.to_string().contains("no data in the last hour"));
        }
    }
}
