//! An hour that went by, for pictures: what the charts are drawn from, written as the server writes it.

use std::path::Path;
use std::sync::Arc;

use longshore::config::Config;
use longshore::job::counters::{Counters, TimeBucket};
use longshore::job::stats::STEP;
use longshore::job::{QueueName, Timestamp};
use longshore::store::sqlite::SqliteWrites;
use longshore::store::{Answer, Write, WriteStore};

/// How many stretches of ten seconds it has, with the one that goes on.
const STRETCHES: u32 = 360;

/// Queues and their share of the work.
const QUEUES: [(&str, f64); 4] =
    [("mail", 0.55), ("model", 0.25), ("images", 0.15), ("exports", 0.05)];

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    /// Between 0 and 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 40) as f64 / (1u64 << 24) as f64
    }

    /// Around 1, by so much to either side.
    fn around(&mut self, spread: f64) -> f64 {
        1.0 + spread * (2.0 * self.next() - 1.0)
    }
}

/// A hill that is 1 at its top and a tenth of that a `width` away.
fn hill(at: f64, top: f64, width: f64) -> f64 {
    (-(at - top).powi(2) / width.powi(2) * 2.3).exp()
}

/// A stretch: how many came, ended well and failed, how many wait and run, and how long it took.
fn tally(share: f64, at: f64, chance: &mut Chance) -> Counters {
    let rush = hill(at, 0.42, 0.06);
    let trouble = hill(at, 0.72, 0.03);
    let base = 66.0 + 18.0 * (at * 9.0).sin() + 12.0 * (at * 31.0).sin();
    let came = share * base * (1.0 + 1.6 * rush) * chance.around(0.25);
    let after = share * base * (1.0 + 1.3 * hill(at, 0.46, 0.07)) * chance.around(0.2);
    let failed = after * (0.012 + 0.22 * trouble) * chance.around(0.9);
    let number = |value: f64| value.max(0.0).round() as u64;
    let mut tally = Counters {
        submitted: number(came),
        started: number(after * 1.03),
        completed: number(after - failed),
        failed: number(failed * 0.4),
        retried: number(failed * 2.5),
        waiting: number(
            share * (24.0 + 420.0 * hill(at, 0.47, 0.05) + 120.0 * trouble) * chance.around(0.1),
        ),
        running: number(
            share * (9.0 + 14.0 * rush + 2.0 * (at * 23.0).sin()) * chance.around(0.15),
        ),
        ..Counters::default()
    };
    for _ in 0..tally.started {
        // Mostly at once; behind others in a rush.
        let wait = 2.0
            + 9.0 * chance.next().powi(3)
            + (260.0 + 4_000.0 * hill(at, 0.47, 0.05)) * chance.next().powi(12)
            + 900.0 * hill(at, 0.47, 0.05) * chance.next();
        tally.start.record(number(wait));
        let run = 60.0 + 700.0 * chance.next() + 2_600.0 * chance.next().powi(9);
        tally.run.record(number(run * (1.0 + 1.5 * trouble)));
    }
    tally
}

/// Writes the hour before `now` into a database that no server has open. The queues are there.
pub(crate) fn write(database: &Path, now: Timestamp) {
    let config = Config { database: database.to_owned(), ..Config::default() };
    let mut writes = SqliteWrites::open(&config).unwrap();
    let step = STEP.millis();
    let last = now.millis() / step * step;
    let mut chance = Chance(4711);
    let stretch = |ago: u32| {
        let at = f64::from(STRETCHES - ago) / f64::from(STRETCHES);
        let mut all = Counters::default();
        let queues = QUEUES.map(|(queue, share)| {
            let tally = tally(share, at, &mut chance);
            all.add(&tally);
            all.waiting += tally.waiting;
            all.running += tally.running;
            (queue.parse::<QueueName>().unwrap(), tally)
        });
        let began_at = Timestamp::from_millis(last - i64::from(ago) * step);
        Arc::new(TimeBucket { began_at, queues: queues.into(), all })
    };
    let hour: Vec<Arc<TimeBucket>> = (0..STRETCHES).rev().map(stretch).collect();
    let answers = writes.commit(&[Write::TimeBuckets(hour)], now).unwrap().answers;
    assert!(matches!(answers[..], [Ok(Answer::Done)]), "{answers:?}");
}
