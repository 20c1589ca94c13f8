//! Time buckets for charts: stored for an hour, and added up over restarts.

use std::time::Duration;

use longshore::job::{Lane, Span};
use longshore::metrics::counters::{BucketCounts, Counters};
use longshore::metrics::time_bucket::{TimeBucket, bucket_start};
use longshore::store::{Committed, Finish, Holder, JobLocation, Write};

use super::Store;
use crate::kit::{completed, failed, job_in_queue, lease, leased, queue};

fn counters(submitted: u64, waiting: u64, took: u64) -> Counters {
    let counts = BucketCounts { submitted, waiting, ..BucketCounts::default() };
    let mut counters = Counters { counts, ..Counters::default() };
    counters.run.record(took);
    counters
}

#[test]
fn two_parts_of_a_time_bucket_add_up_and_the_gauges_are_those_of_the_later_part() {
    let mut store = Store::fresh();
    store.submit(job_in_queue("mail"));
    let began_at = bucket_start(store.now);
    for (mail, all) in
        [(counters(1, 5, 8), counters(2, 9, 8)), (counters(3, 4, 8), counters(4, 7, 1))]
    {
        let queues = vec![(queue("mail"), mail), (queue("unknown"), Counters::default())];
        store.write(Write::TimeBuckets(vec![TimeBucket { began_at, queues, all }.into()])).unwrap();
    }
    let mut stored = |name: Option<&str>| {
        let name = name.map(queue);
        store.reads.time_buckets(name.as_ref(), (began_at, began_at)).unwrap()
    };
    let mut mail = counters(4, 4, 8);
    mail.run.record(8);
    assert_eq!(stored(Some("mail")), [(began_at, mail)]);
    let mut all = counters(6, 7, 8);
    all.run.record(1);
    assert_eq!(stored(None), [(began_at, all)]);
    assert_eq!(stored(Some("unknown")), []);
}

#[test]
fn time_buckets_older_than_an_hour_are_removed() {
    let mut store = Store::fresh();
    let first = bucket_start(store.now);
    let bucket = |began_at| TimeBucket { began_at, queues: Vec::new(), all: counters(1, 0, 1) };
    store.write(Write::TimeBuckets(vec![bucket(first).into()])).unwrap();
    store.now = store.now.plus(Duration::from_secs(3_600));
    let second = bucket_start(store.now);
    store.write(Write::TimeBuckets(vec![bucket(second).into()])).unwrap();
    assert_eq!(store.reads.time_buckets(None, (first, store.now)).unwrap().len(), 2);
    store.now = store.now.plus(Duration::from_secs(600));
    store.write(Write::TimeBuckets(Vec::new())).unwrap();
    let left = store.reads.time_buckets(None, (first, store.now)).unwrap();
    assert_eq!(left.into_iter().map(|(began_at, _)| began_at).collect::<Vec<_>>(), [second]);
}

#[test]
fn a_lease_reports_how_long_its_job_was_due_and_a_finish_how_long_the_attempt_took() {
    let mut store = Store::fresh();
    let took = |committed: Committed| -> Vec<i64> {
        committed.changes.iter().filter_map(|change| change.took).map(Span::millis).collect()
    };
    for outcome in [completed("1"), failed()] {
        store.submit(job_in_queue("default"));
        store.advance(3);
        let mut committed = store.commit(&[lease("default", Lane::Async, 1)]);
        let job = leased(committed.answers.remove(0)).remove(0);
        assert_eq!(took(committed), [3_000]);
        store.advance(2);
        let finish = Finish {
            lease: job.lease,
            outcome,
            holder: Holder::Local,
            location: Some(JobLocation::of(&job)),
            started_at: Some(job.started_at),
        };
        assert_eq!(took(store.commit(&[Write::Finish(finish)])), [2_000]);
    }
}
