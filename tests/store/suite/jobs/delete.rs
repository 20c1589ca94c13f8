//! Removal of a final job and everything that belongs to it.

use longshore::job::{JobId, NewJob, State};
use longshore::store::{JobFilter, Refusal, Write};

use super::Store;
use crate::kit::{completed, failed, job, tags};

#[test]
fn a_final_job_is_removed_with_everything_that_belongs_to_it() {
    for state in [State::Completed, State::Failed, State::Cancelled] {
        let mut store = Store::fresh();
        let id = store.job_in(state);
        let committed = store.commit(&[Write::Delete(id)]);
        let [change] = committed.changes.try_into().unwrap();
        assert_eq!((change.job, change.from, change.to), (id, Some(state), None));
        assert!(!store.exists(id));
    }
}

#[test]
fn a_removed_job_is_no_longer_found_by_its_tags() {
    let mut store = Store::fresh();
    let lease = store.running(NewJob { tags: tags(&["a", "b"]), ..job() });
    store.finish(lease, completed("1")).unwrap();
    assert_eq!(store.remove(Write::Delete(lease.job)), 1);
    let filter = JobFilter { tag: Some("a".into()), limit: 10, ..JobFilter::default() };
    assert_eq!(store.reads.jobs(&filter).unwrap().jobs, []);
}

#[test]
fn the_failures_of_a_removed_job_are_removed() {
    let mut store = Store::fresh();
    let lease = store.running(NewJob { max_attempts: 1, ..job() });
    store.finish(lease, failed()).unwrap();
    assert_eq!(store.remove(Write::Delete(lease.job)), 1);
}

#[test]
fn a_live_job_is_not_removed() {
    for state in [State::Scheduled, State::Queued, State::Running, State::Retrying] {
        let mut store = Store::fresh();
        let id = store.job_in(state);
        let refused = store.write(Write::Delete(id)).unwrap_err();
        assert!(matches!(refused, Refusal::Conflict { .. }), "{refused:?}");
        assert_eq!(store.state(id), state);
    }
}

#[test]
fn a_job_cannot_be_removed_twice() {
    let mut store = Store::fresh();
    let id = store.job_in(State::Completed);
    let [first, second] =
        store.commit(&[Write::Delete(id), Write::Delete(id)]).answers.try_into().unwrap();
    assert!(first.is_ok());
    assert_eq!(second.unwrap_err(), Refusal::NoJob(id));
    let refused = store.write(Write::Delete(JobId(99))).unwrap_err();
    assert_eq!(refused, Refusal::NoJob(JobId(99)));
}
