//! Counts of queues, and the age of their oldest job.

use longshore::job::queue::StateCounts;
use longshore::job::{Lane, NewJob, Span, State};
use longshore::store::Write;

use super::Store;
use crate::kit::{job, job_in_queue, queue};

fn counts(store: &mut Store, name: &str) -> StateCounts {
    store.reads.queue(&queue(name), store.now).unwrap().unwrap().jobs
}

#[test]
fn a_queue_counts_its_jobs_in_every_state() {
    let mut store = Store::fresh();
    for state in State::ALL {
        store.job_in(state);
    }
    let each = StateCounts {
        scheduled: 1,
        queued: 1,
        running: 1,
        retrying: 1,
        completed: 1,
        failed: 1,
        cancelled: 1,
    };
    assert_eq!(counts(&mut store, "default"), each);
    store.submit(job_in_queue("mail"));
    assert_eq!(counts(&mut store, "default"), each);
    assert_eq!(counts(&mut store, "mail"), StateCounts { queued: 1, ..Default::default() });
}

#[test]
fn removed_jobs_no_longer_count() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Completed);
    store.remove(Write::Delete(id));
    assert_eq!(counts(&mut store, "default"), StateCounts::default());
}

#[test]
fn queues_are_listed_by_name() {
    let mut store = Store::fresh();
    store.submit_all(["b", "a", "c"].map(job_in_queue).to_vec());
    let queues = store.reads.queues(store.now).unwrap();
    let names: Vec<&str> = queues.iter().map(|queue| queue.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
}

#[test]
fn a_queue_shows_since_when_its_oldest_job_waits() {
    let mut store = Store::fresh();
    let now = store.now;
    store.submit(NewJob { priority: -5, lane: Lane::Thread, ..job() });
    store.advance(10);
    let run_at = store.now;
    store.submit_all(vec![
        NewJob { run_at, ..job() },
        NewJob { run_at, priority: 9, ..job() },
        NewJob { run_at, lane: Lane::Remote, ..job() },
    ]);
    store.advance(5);
    let found = store.reads.queue(&queue("default"), store.now).unwrap().unwrap();
    assert_eq!(found.oldest_queued_at, Some(now));
    assert_eq!(found.oldest_queued_age, Some(Span::from_secs(15)));
}

#[test]
fn a_queue_without_queued_jobs_has_no_oldest_job() {
    let mut store = Store::fresh();
    store.job_in(State::Running);
    let found = store.reads.queue(&queue("default"), store.now).unwrap().unwrap();
    assert_eq!((found.oldest_queued_at, found.oldest_queued_age), (None, None));
}

#[test]
fn the_deepest_of_many_queues_are_returned_in_order_of_their_names() {
    let mut store = Store::fresh();
    for number in 0..20 {
        store.submit_all(vec![job_in_queue(&format!("q{number:02}")); number + 1]);
    }
    let subset = store.reads.deepest_queues(3, store.now).unwrap();
    let deepest: Vec<_> =
        subset.queues.iter().map(|queue| (queue.name.as_str(), queue.jobs.queued)).collect();
    assert_eq!((deepest, subset.total), (vec![("q17", 18), ("q18", 19), ("q19", 20)], 20));
    assert!(subset.queues.iter().all(|queue| queue.oldest_queued_at.is_some()));
    let all = store.reads.queues(store.now).unwrap();
    assert_eq!(store.reads.deepest_queues(20, store.now).unwrap().queues, all);
    let one = store.reads.queue(&queue("q05"), store.now).unwrap();
    assert_eq!(one.as_ref(), Some(&all[5]));
}
