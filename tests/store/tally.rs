//! What charts are drawn from: kept for an hour, added up over restarts.

use std::time::Duration;

use longshore::job::tally::{Stretch, Tally, stretch_of};
use longshore::job::{Lane, Span};
use longshore::store::{Committed, Finish, Holder, Place, Write};

use crate::kit::{Store, completed, failed, job_in_queue, lease, leased, queue};

fn tally(submitted: u64, waiting: u64, took: u64) -> Tally {
    let mut tally = Tally { submitted, waiting, ..Tally::default() };
    tally.run.record(took);
    tally
}

#[test]
fn two_parts_of_a_stretch_add_up_and_how_things_stood_is_that_of_the_later() {
    let mut store = Store::fresh();
    store.submit(job_in_queue("mail"));
    let began_at = stretch_of(store.now);
    for (mail, all) in [(tally(1, 5, 8), tally(2, 9, 8)), (tally(3, 4, 8), tally(4, 7, 1))] {
        let queues = vec![(queue("mail"), mail), (queue("nobody"), Tally::default())];
        store.write(Write::Tally(vec![Stretch { began_at, queues, all }.into()])).unwrap();
    }
    let mut kept = |name: Option<&str>| {
        let name = name.map(queue);
        store.reads.tallies(name.as_ref(), (began_at, began_at)).unwrap()
    };
    let mut mail = tally(4, 4, 8);
    mail.run.record(8);
    assert_eq!(kept(Some("mail")), [(began_at, mail)]);
    let mut all = tally(6, 7, 8);
    all.run.record(1);
    assert_eq!(kept(None), [(began_at, all)]);
    assert_eq!(kept(Some("nobody")), []);
}

#[test]
fn what_is_older_than_an_hour_goes() {
    let mut store = Store::fresh();
    let first = stretch_of(store.now);
    let stretch = |began_at| Stretch { began_at, queues: Vec::new(), all: tally(1, 0, 1) };
    store.write(Write::Tally(vec![stretch(first).into()])).unwrap();
    store.now = store.now.plus(Duration::from_secs(3_600));
    let second = stretch_of(store.now);
    store.write(Write::Tally(vec![stretch(second).into()])).unwrap();
    assert_eq!(store.reads.tallies(None, (first, store.now)).unwrap().len(), 2);
    store.now = store.now.plus(Duration::from_secs(600));
    store.write(Write::Tally(Vec::new())).unwrap();
    let left = store.reads.tallies(None, (first, store.now)).unwrap();
    assert_eq!(left.into_iter().map(|(began_at, _)| began_at).collect::<Vec<_>>(), [second]);
}

#[test]
fn a_lease_tells_how_long_its_job_was_due_and_an_end_how_long_the_attempt_took() {
    let mut store = Store::fresh();
    let took = |committed: Committed| -> Vec<i64> {
        committed.changes.iter().filter_map(|change| change.took).map(Span::millis).collect()
    };
    for end in [completed("1"), failed()] {
        store.submit(job_in_queue("default"));
        store.pass(3);
        let mut committed = store.commit(&[lease("default", Lane::Async, 1)]);
        let job = leased(committed.answers.remove(0)).remove(0);
        assert_eq!(took(committed), [3_000]);
        store.pass(2);
        let finish = Finish {
            lease: job.lease,
            outcome: end,
            holder: Holder::Local,
            place: Some(Place::of(&job)),
            started_at: Some(job.started_at),
        };
        assert_eq!(took(store.commit(&[Write::Finish(finish)])), [2_000]);
    }
}
