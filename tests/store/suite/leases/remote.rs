//! Remote workers: leases of certain kinds, and attempts whose timeout only the lease enforces.

use longshore::job::lease::{Lease, LeasedJob};
use longshore::job::outcome::Outcome;
use longshore::job::{JobId, Json, Lane, NewJob, Progress, Span, State};
use longshore::roster::LeaseOrder;
use longshore::store::{
    Answer, Finished, JobFilter, LeaseRequest, Refusal, Renew, RescueScope, Write,
};

use super::Store;
use crate::kit::{LEASE, completed, finish_remote, ids, job, leased, queue, renew_remote, submit};

/// Returns a job whose timeout is longer than the leases of the tests.
fn remote(kind: &str) -> NewJob {
    NewJob {
        lane: Lane::Remote,
        kind: kind.parse().unwrap(),
        timeout: Span::from_secs(600),
        ..job()
    }
}

fn request(kinds: Option<&[&str]>, limit: u32, worker: Option<&str>) -> Write {
    let kinds = kinds.map(|kinds| kinds.iter().map(|kind| kind.to_string()).collect());
    let order = LeaseOrder {
        queue: queue("default"),
        lane: Lane::Remote,
        kinds,
        limit,
        waiting_worker: None,
        payload_room: usize::MAX,
        without_provider: true,
        providers: Vec::new(),
    };
    Write::Lease(LeaseRequest {
        order,
        duration: LEASE,
        worker: worker.map(str::to_owned),
        key: None,
    })
}

impl Store {
    fn lease_kinds(&mut self, kinds: &[&str], limit: u32) -> Vec<LeasedJob> {
        leased(self.write(request(Some(kinds), limit, None)))
    }

    fn running_remote(&mut self, job: NewJob, worker: Option<&str>) -> Lease {
        self.submit(job);
        leased(self.write(request(None, 1, worker))).remove(0).lease
    }
}

#[test]
fn a_worker_gets_only_jobs_of_the_kinds_that_it_asks_for() {
    let mut store = Store::fresh();
    store.submit_all(["a", "b", "c", "a", "b"].map(remote).to_vec());
    assert_eq!(ids(&store.lease_kinds(&["b"], 10)), [JobId(2), JobId(5)]);
    assert_eq!(ids(&store.lease_kinds(&["b", "d"], 10)), []);
    assert_eq!(ids(&leased(store.write(request(None, 10, None)))), [1, 3, 4].map(JobId));
}

#[test]
fn jobs_of_several_kinds_are_leased_in_one_common_order() {
    let mut store = Store::fresh();
    let with = |kind, priority| NewJob { priority, ..remote(kind) };
    store.submit_all(vec![with("a", 0), with("b", 0), with("a", 5), with("b", 9), with("c", 99)]);
    assert_eq!(ids(&store.lease_kinds(&["a", "b"], 3)), [4, 3, 1].map(JobId));
    assert_eq!(ids(&store.lease_kinds(&["a", "b"], 3)), [2].map(JobId));
}

#[test]
fn an_exhausted_filter_is_checked_again_after_a_job_is_queued() {
    let mut store = Store::fresh();
    let lease = request(Some(&["a"]), 2, None);
    let group = [lease.clone(), lease.clone(), submit(vec![remote("a")]), lease.clone(), lease];
    let committed = store.commit(&group);
    let found: Vec<usize> =
        [0, 1, 3, 4].map(|index| leased(committed.answers[index].clone()).len()).to_vec();
    assert_eq!(found, [0, 0, 1, 0]);
}

#[test]
fn a_job_shows_the_worker_that_holds_it() {
    let mut store = Store::fresh();
    let lease = store.running_remote(remote("a"), Some("ann"));
    let shown = store.job(lease.job);
    assert_eq!(shown.worker.as_deref(), Some("ann"));
    assert_eq!(shown.lease_expires_at, Some(store.after(60)));
    let listed = store.reads.jobs(&JobFilter { limit: 1, ..JobFilter::default() }).unwrap();
    assert_eq!(listed.jobs[0].worker.as_deref(), Some("ann"));
    store.finish_remote(lease, Outcome::Released).unwrap();
    assert_eq!(
        store.job(lease.job).worker.as_deref(),
        Some("ann"),
        "the last worker is still shown"
    );
    let next = leased(store.write(request(None, 1, None))).remove(0).lease;
    assert_eq!(store.job(lease.job).worker, None, "the next worker sent no name");
    store.finish_remote(next, completed("1")).unwrap();
    assert_eq!(store.job(lease.job).lease_expires_at, None);
}

#[test]
fn a_lease_never_outlasts_the_timeout_of_its_job() {
    let mut store = Store::fresh();
    let lease = store.running_remote(NewJob { timeout: Span::from_secs(90), ..remote("a") }, None);
    let renew = Write::Renew(renew_remote(&[lease]));
    let end = store.after(90);
    for secs in [0, 29, 30] {
        store.advance(secs);
        store.write(renew.clone()).unwrap();
    }
    assert_eq!(store.job(lease.job).lease_expires_at, Some(end));
}

#[test]
fn a_remote_attempt_that_takes_too_long_is_rescued_as_timed_out() {
    let mut store = Store::fresh();
    let job = NewJob { timeout: Span::from_secs(30), ..remote("a") };
    let lease = store.running_remote(job, None);
    store.advance(30);
    store.move_jobs(Write::Rescue { scope: RescueScope::expired_now(), limit: 10 });
    let shown = store.job(lease.job);
    assert_eq!(
        shown.state,
        State::Queued,
        "without a retry pause, because its worker may have died"
    );
    assert_eq!(shown.error.unwrap().code, "timeout");
    let late = store.finish_remote(lease, completed("1")).unwrap_err();
    assert_eq!(late, Refusal::StaleLease);
}

#[test]
fn an_at_most_once_attempt_that_takes_too_long_has_an_unknown_outcome() {
    let mut store = Store::fresh();
    let once = NewJob { timeout: Span::from_secs(30), at_most_once: true, ..remote("a") };
    let lease = store.running_remote(once, None);
    store.advance(30);
    store.move_jobs(Write::Rescue { scope: RescueScope::expired_now(), limit: 10 });
    let shown = store.job(lease.job);
    assert_eq!(
        (shown.state, shown.error.unwrap().code.as_str()),
        (State::Failed, "outcome_unknown")
    );
}

#[test]
fn a_renewal_lasts_as_long_as_the_first_request_asked_for() {
    let mut store = Store::fresh();
    let lease = store.running_remote(remote("a"), None);
    store.advance(20);
    store.write(Write::Renew(renew_remote(&[lease]))).unwrap();
    assert_eq!(store.job(lease.job).lease_expires_at, Some(store.now.plus(LEASE.duration())));
}

#[test]
fn remote_and_local_workers_cannot_finish_each_others_jobs() {
    let mut store = Store::fresh();
    let local = store.running(NewJob { at_most_once: true, ..job() });
    let remote_lease = store.running_remote(remote("a"), None);
    for outcome in [completed("1"), Outcome::fatal("x", ""), Outcome::NotStarted, Outcome::Released]
    {
        let refused = store.finish_remote(local, outcome.clone()).unwrap_err();
        assert_eq!(refused, Refusal::StaleLease, "{outcome:?}");
        let refused = store.finish(remote_lease, outcome.clone()).unwrap_err();
        assert_eq!(refused, Refusal::StaleLease, "{outcome:?}");
    }
    assert_eq!(store.write(Write::Renew(renew_remote(&[local]))).unwrap_err(), Refusal::StaleLease);
    assert_eq!([store.state(local.job), store.state(remote_lease.job)], [State::Running; 2]);
    // A repeated finish of the other kind of worker is not recognized either.
    store.finish(local, completed("1")).unwrap();
    assert_eq!(store.finish_remote(local, completed("1")).unwrap_err(), Refusal::StaleLease);
}

#[test]
fn a_renewal_of_a_single_lease_reports_why_it_is_not_held() {
    let mut store = Store::fresh();
    let lease = store.running_remote(remote("a"), None);
    store.finish_remote(lease, completed("1")).unwrap();
    let refused =
        |store: &mut Store, lease| store.write(Write::Renew(renew_remote(&[lease]))).unwrap_err();
    assert_eq!(refused(&mut store, lease), Refusal::StaleLease);
    let unknown = Lease { job: JobId(9), ..lease };
    assert_eq!(refused(&mut store, unknown), Refusal::NoJob(JobId(9)));
}

#[test]
fn a_job_released_before_it_started_can_still_expire() {
    let mut store = Store::fresh();
    let expires_at = Some(store.after(10));
    let lease = store.running_remote(NewJob { expires_at, ..remote("a") }, None);
    store.finish_remote(lease, Outcome::NotStarted).unwrap();
    assert_eq!(store.job(lease.job).started_at, None);
    store.advance(10);
    assert_eq!(leased(store.write(request(None, 1, None))), []);
    assert_eq!(store.state(lease.job), State::Cancelled);
}

#[test]
fn jobs_of_many_kinds_are_leased_in_order_however_many_are_read_at_once() {
    let mut store = Store::fresh();
    let kinds: Vec<String> = (0..40).map(|number| format!("kind-{number}")).collect();
    let all: Vec<&str> = kinds.iter().map(String::as_str).collect();
    // The first kind comes first, with more jobs than are read of one kind at once.
    let mut jobs: Vec<NewJob> = vec![NewJob { priority: 1, ..remote("kind-0") }; 60];
    jobs.extend(kinds.iter().map(|kind| remote(kind)));
    store.submit_all(jobs);
    let mut found = Vec::new();
    loop {
        let next = ids(&store.lease_kinds(&all, 50));
        if next.is_empty() {
            break;
        }
        found.extend(next);
    }
    assert_eq!(found, (1..=100).map(JobId).collect::<Vec<_>>());
}

#[test]
fn a_lease_reports_whether_more_jobs_match() {
    let mut store = Store::fresh();
    let is_empty = |store: &mut Store, limit| match store.write(request(Some(&["a"]), limit, None))
    {
        Ok(Answer::Leased(leased)) => (leased.jobs.len(), leased.is_empty),
        other => panic!("{other:?}"),
    };
    let large = Json::of(&"x".repeat(3 << 20)).unwrap();
    store.submit_all(vec![NewJob { payload: large, ..remote("a") }; 5]);
    assert_eq!(is_empty(&mut store, 9), (3, false), "limited by the size of the payloads");
    assert_eq!(is_empty(&mut store, 1), (1, false));
    assert_eq!(is_empty(&mut store, 2), (1, true));
}

#[test]
fn an_attempt_whose_lease_expires_is_lost_and_its_job_is_queued_at_once() {
    let mut store = Store::fresh();
    let lease = store.running_remote(remote("a"), None);
    store.advance(60);
    store.move_jobs(Write::Rescue { scope: RescueScope::expired_now(), limit: 10 });
    let shown = store.job(lease.job);
    assert_eq!((shown.state, shown.error.unwrap().code.as_str()), (State::Queued, "lost"));
}

#[test]
fn a_renewal_can_report_progress() {
    let mut store = Store::fresh();
    let lease = store.running_remote(remote("a"), None);
    let progress = Some(Progress::new(40.0, "reading"));
    let renew = Renew { progress: progress.clone(), ..renew_remote(&[lease]) };
    store.write(Write::Renew(renew)).unwrap();
    assert_eq!(store.job(lease.job).progress, progress);
}

#[test]
fn a_renewal_without_a_percentage_keeps_the_last_one() {
    let mut store = Store::fresh();
    let lease = store.running_remote(remote("a"), None);
    for (keeps_percent, expected) in [(true, 0.0), (false, 40.0), (true, 40.0)] {
        let progress = Some(Progress::new(40.0, "reading"));
        let renew = Renew { progress, keeps_percent, ..renew_remote(&[lease]) };
        store.write(Write::Renew(renew)).unwrap();
        assert_eq!(store.job(lease.job).progress, Some(Progress::new(expected, "reading")));
    }
}

#[test]
fn an_at_most_once_job_that_was_not_started_may_still_run() {
    let mut store = Store::fresh();
    let lease = store.running_remote(NewJob { at_most_once: true, ..remote("a") }, None);
    assert_eq!(
        store.finish_remote(lease, Outcome::NotStarted).unwrap(),
        Finished::Accepted(State::Queued)
    );
    assert_eq!(store.finish_remote(lease, Outcome::NotStarted).unwrap(), Finished::Repeated);
    assert_eq!(store.job(lease.job).attempt, 0);
    let next = leased(store.write(request(None, 1, None))).remove(0);
    assert_eq!((next.attempt, next.lease.token.0), (1, 2));
}

#[test]
fn each_of_many_writes_is_applied_or_refused_by_itself() {
    let mut store = Store::fresh();
    let [first, second] = ["a", "b"].map(|kind| store.running_remote(remote(kind), None));
    store.finish_remote(first, completed("1")).unwrap();
    let many = vec![
        finish_remote(first, completed("1")),
        finish_remote(first, completed("2")),
        finish_remote(second, completed("3")),
        Write::Report(second, Progress::new(50.0, "")),
    ];
    let Ok(Answer::Each(answers)) = store.write(Write::Each(many)) else { panic!("no answers") };
    let results: Vec<String> = answers.iter().map(|answer| format!("{answer:?}")).collect();
    let expected = [
        "Ok(Finished(Repeated))",
        "Err(StaleLease)",
        "Ok(Finished(Accepted(Completed)))",
        "Err(StaleLease)",
    ];
    assert_eq!(results, expected);
}

#[test]
fn one_of_many_writes_that_the_database_rejects_does_not_affect_the_others() {
    let mut store = Store::fresh();
    let [first, second] = ["a", "b"].map(|kind| store.running_remote(remote(kind), None));
    let impossible = Write::Report(first, Progress { percent: 101.0, message: None });
    let many = vec![
        finish_remote(second, completed("3")),
        impossible,
        finish_remote(first, completed("1")),
    ];
    let Ok(Answer::Each(answers)) = store.write(Write::Each(many)) else { panic!("no answers") };
    assert!(answers[0].is_ok() && answers[2].is_ok(), "{answers:?}");
    assert!(matches!(answers[1], Err(Refusal::Rejected(_))), "{answers:?}");
    assert_eq!(store.state(first.job), State::Completed);
    assert_eq!(store.state(second.job), State::Completed);
}
