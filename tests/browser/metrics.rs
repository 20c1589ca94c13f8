//! Sample metrics of one hour for the screenshots, stored in the same form as by a server.

use std::path::Path;
use std::sync::Arc;

use longshore::config::Config;
use longshore::job::{QueueName, Timestamp};
use longshore::metrics::counters::{BucketCounts, Counters};
use longshore::metrics::time_bucket::{STEP, TimeBucket};
use longshore::store::sqlite::SqliteWrites;
use longshore::store::{Answer, Write, WriteStore};

/// Number of time buckets of ten seconds in an hour, including the current one.
const BUCKETS: u32 = 360;

/// Queues and their shares of the jobs.
const QUEUES: [(&str, f64); 4] =
    [("mail", 0.55), ("model", 0.25), ("images", 0.15), ("exports", 0.05)];

/// A pseudo-random generator (LCG) with a fixed seed, so that the sample is always the same.
struct Random(u64);

impl Random {
    /// Returns a number between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }

    /// Returns a number between `1 - spread` and `1 + spread`.
    fn around(&mut self, spread: f64) -> f64 {
        1.0 + spread * (2.0 * self.next() - 1.0)
    }
}

/// Returns the height at `at` of a Gaussian curve that is 1 at `top` and 0.1 at a distance of `width`.
fn peak(at: f64, top: f64, width: f64) -> f64 {
    (-(at - top).powi(2) / width.powi(2) * 2.3).exp()
}

/// Returns the counters of one time bucket of a queue. `at` is its position in the hour, from 0 to 1.
fn counters(share: f64, at: f64, random: &mut Random) -> Counters {
    let rush = peak(at, 0.42, 0.06);
    let outage = peak(at, 0.72, 0.03);
    let base = 66.0 + 18.0 * (at * 9.0).sin() + 12.0 * (at * 31.0).sin();
    let submitted = share * base * (1.0 + 1.6 * rush) * random.around(0.25);
    let attempts = share * base * (1.0 + 1.3 * peak(at, 0.46, 0.07)) * random.around(0.2);
    let failed = attempts * (0.012 + 0.22 * outage) * random.around(0.9);
    let number = |value: f64| value.max(0.0).round() as u64;
    let counts = BucketCounts {
        submitted: number(submitted),
        started: number(attempts * 1.03),
        completed: number(attempts - failed),
        failed: number(failed * 0.4),
        retried: number(failed * 2.5),
        waiting: number(
            share * (24.0 + 420.0 * peak(at, 0.47, 0.05) + 120.0 * outage) * random.around(0.1),
        ),
        running: number(
            share * (9.0 + 14.0 * rush + 2.0 * (at * 23.0).sin()) * random.around(0.15),
        ),
        ..BucketCounts::default()
    };
    let mut counters = Counters { counts, ..Counters::default() };
    for _ in 0..counts.started {
        // Most jobs start at once; in a rush they wait for others.
        let wait = 2.0
            + 9.0 * random.next().powi(3)
            + (260.0 + 4_000.0 * peak(at, 0.47, 0.05)) * random.next().powi(12)
            + 900.0 * peak(at, 0.47, 0.05) * random.next();
        counters.start.record(number(wait));
        let run = 60.0 + 700.0 * random.next() + 2_600.0 * random.next().powi(9);
        counters.run.record(number(run * (1.0 + 1.5 * outage)));
    }
    counters
}

/// Stores the metrics of the hour before `now` in a database that no server has open. The queues must
/// already exist.
pub(crate) fn write(database: &Path, now: Timestamp) {
    let config = Config { database: database.to_owned().into(), ..Config::default() };
    let mut writes = SqliteWrites::open(&config).unwrap();
    let step = STEP.millis();
    let last = now.millis() / step * step;
    let mut random = Random(4711);
    let bucket = |ago: u32| {
        let at = f64::from(BUCKETS - ago) / f64::from(BUCKETS);
        let mut all = Counters::default();
        let queues = QUEUES.map(|(queue, share)| {
            let counters = counters(share, at, &mut random);
            all.add(&counters);
            all.counts.waiting += counters.counts.waiting;
            all.counts.running += counters.counts.running;
            (queue.parse::<QueueName>().unwrap(), counters)
        });
        let began_at = Timestamp::from_millis(last - i64::from(ago) * step);
        Arc::new(TimeBucket { began_at, queues: queues.into(), all })
    };
    let hour: Vec<Arc<TimeBucket>> = (0..BUCKETS).rev().map(bucket).collect();
    let answers = writes.commit(&[&Write::TimeBuckets(hour)], now).unwrap().answers;
    assert!(matches!(answers[..], [Ok(Answer::Done)]), "{answers:?}");
}
