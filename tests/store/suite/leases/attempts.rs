//! Attempts as data: when each ran, by whom, and how it ended.

use longshore::job::attempt::{AttemptDetail, ResponseDetail};
use longshore::job::outcome::{JobResult, Outcome};
use longshore::job::{Attempt, Json, Lane, NewJob, State};
use longshore::store::Write;

use super::Store;
use crate::kit::{failed, job, lease_kinds, leased};

fn detail() -> AttemptDetail {
    let headers = [("x-request-id".to_owned(), "r1".to_owned())].into();
    let body = Some("busy".into());
    let response = ResponseDetail { status: 429, headers, body, body_base64: None };
    AttemptDetail { response: Some(response), ..AttemptDetail::default() }
}

fn attempts(store: &mut Store, id: longshore::job::JobId) -> Vec<Attempt> {
    store.job(id).attempts.unwrap()
}

#[test]
fn a_failed_attempt_keeps_its_times_and_all_that_is_known() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    let started_at = store.now;
    store.advance(3);
    store.finish(lease, Outcome::retryable("http_status", "429").with_detail(detail())).unwrap();
    let attempt = attempts(&mut store, lease.job).remove(0);
    assert_eq!((attempt.attempt, attempt.state), (1, State::Failed));
    assert_eq!((attempt.started_at, attempt.ended_at), (Some(started_at), Some(store.now)));
    assert_eq!(attempt.code.as_deref(), Some("http_status"));
    assert_eq!(attempt.detail, detail());
}

#[test]
fn a_completed_attempt_is_listed_with_what_is_known() {
    let mut store = Store::fresh();
    for known in [None, Some(Box::new(detail()))] {
        let lease = store.running(job());
        let result = JobResult { detail: known.clone(), ..JobResult::whole(Json::null()) };
        store.finish(lease, Outcome::Completed(result)).unwrap();
        let found = attempts(&mut store, lease.job);
        assert_eq!((found.len(), found[0].state), (1, State::Completed));
        assert_eq!((&found[0].code, found[0].ended_at), (&None, Some(store.now)));
        assert_eq!(found[0].detail, known.map(|known| *known).unwrap_or_default());
        assert_eq!(store.job(lease.job).failures.unwrap(), []);
    }
}

#[test]
fn a_running_attempt_is_listed_without_an_end() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    let found = attempts(&mut store, lease.job);
    assert_eq!((found[0].state, found[0].ended_at), (State::Running, None));
}

#[test]
fn the_attempt_of_a_remote_worker_keeps_its_name() {
    let mut store = Store::fresh();
    let id = store.submit(NewJob { lane: Lane::Remote, ..job() });
    let Write::Lease(request) = lease_kinds(&["echo"]) else { panic!("not a lease") };
    let request =
        Write::Lease(longshore::store::LeaseRequest { worker: Some("ann".into()), ..request });
    let lease = leased(store.write(request))[0].lease;
    store.write(crate::kit::finish_remote(lease, failed())).unwrap();
    assert_eq!(attempts(&mut store, id)[0].worker.as_deref(), Some("ann"));
}

#[test]
fn a_cancelled_attempt_is_listed_and_a_released_one_is_not() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.finish(lease, Outcome::Released).unwrap();
    assert_eq!(attempts(&mut store, lease.job), []);
    let lease = store.lease_next().lease;
    store.cancel(Write::Cancel(lease.job));
    store.finish(lease, Outcome::Cancelled(None)).unwrap();
    let found = attempts(&mut store, lease.job);
    assert_eq!((found.len(), found[0].state), (1, State::Cancelled));
    assert_eq!(found[0].code.as_deref(), Some("cancelled"));
    assert_eq!(store.job(lease.job).failures.unwrap(), []);
}

#[test]
fn the_details_of_the_latest_twenty_attempts_are_kept() {
    let mut store = Store::fresh();
    let id = store.submit(NewJob { max_attempts: 25, ..job() });
    for _ in 0..25 {
        let lease = store.lease_next().lease;
        let outcome = Outcome::retryable("http_status", "429").with_detail(detail());
        store.finish(lease, outcome).unwrap();
        store.advance(3_600);
        store.write(Write::Stage { limit: 1 }).unwrap();
    }
    let found = attempts(&mut store, id);
    let kept: Vec<bool> = found.iter().map(|attempt| !attempt.detail.is_empty()).collect();
    assert_eq!(kept, [vec![false; 5], vec![true; 20]].concat());
}
