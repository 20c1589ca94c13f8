//! Renewals of leases, and progress reports.

use longshore::job::lease::{Lease, LeaseToken};
use longshore::job::outcome::Outcome;
use longshore::job::{JobId, NewJob, Progress, Span, State};
use longshore::store::{Answer, Refusal, Renewed, RescueScope, Write};

use super::Store;
use crate::kit::{self, LEASE, completed, job};

fn renew(store: &mut Store, leases: &[Lease], duration: Span) -> Renewed {
    match store.write(Write::Renew(kit::renew(leases, duration))) {
        Ok(Answer::Renewed(renewed)) => renewed,
        other => panic!("nothing renewed: {other:?}"),
    }
}

#[test]
fn a_renewed_lease_lasts_from_now_on() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.advance(50);
    let expires_at = store.now.plus(LEASE.duration());
    assert_eq!(renew(&mut store, &[lease], LEASE).held, [(lease, expires_at)]);
    store.advance(59);
    let rescued = store.move_jobs(Write::Rescue { scope: RescueScope::expired_now(), limit: 10 });
    assert_eq!((rescued.count, rescued.next_at), (0, Some(expires_at)));
}

#[test]
fn renewing_never_shortens_a_lease() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    let expires_at = store.now.plus(LEASE.duration());
    let renewed = renew(&mut store, &[lease], Span::from_secs(1));
    assert_eq!(renewed.held, [(lease, expires_at)]);
}

#[test]
fn a_lease_whose_job_was_rescued_or_has_ended_is_not_renewed() {
    let mut store = Store::fresh();
    let rescued = store.running(job());
    store.advance(61);
    store.move_jobs(Write::Rescue { scope: RescueScope::expired_now(), limit: 10 });
    let holder = store.lease_next().lease;
    let ended = store.running(job());
    store.finish(ended, completed("1")).unwrap();
    let unknown = Lease { job: JobId(99), token: LeaseToken(1) };
    let renewed = renew(&mut store, &[rescued, ended, unknown, holder], LEASE);
    assert_eq!(renewed.held.iter().map(|held| held.0).collect::<Vec<_>>(), [holder]);
    assert_eq!(renewed.cancelled, []);
}

#[test]
fn a_renewal_reports_which_jobs_must_stop() {
    let mut store = Store::fresh();
    let [running, stopping] = [job(), job()].map(|new| store.running(new));
    store.write(Write::Cancel(stopping.job)).unwrap();
    let renewed = renew(&mut store, &[running, stopping], LEASE);
    assert_eq!(renewed.held.len(), 2);
    assert_eq!(renewed.cancelled, [stopping.job]);
}

fn report(lease: Lease, percent: f64) -> Write {
    Write::Report(lease, Progress { percent, message: Some("half way".into()) })
}

#[test]
fn progress_is_shown_while_the_lease_holds() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.write(report(lease, 50.0)).unwrap();
    let shown = store.job(lease.job).progress.unwrap();
    assert_eq!((shown.percent, shown.message.as_deref()), (50.0, Some("half way")));
    store.finish(lease, completed("1")).unwrap();
    assert_eq!(store.write(report(lease, 60.0)).unwrap_err(), Refusal::StaleLease);
}

#[test]
fn an_attempt_starts_without_progress() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    let half = Progress { percent: 50.0, message: None };
    store.write(Write::Report(lease, half)).unwrap();
    store.finish(lease, Outcome::Released).unwrap();
    store.lease_next();
    assert_eq!(store.job(lease.job).progress, None);
}

#[test]
fn progress_out_of_range_is_rejected_alone() {
    let mut store = Store::fresh();
    let [first, second] = [job(), NewJob { priority: 1, ..job() }].map(|new| store.running(new));
    let committed = store.commit(&[report(first, 101.0), report(second, 100.0)]);
    let [bad, good] = committed.answers.try_into().unwrap();
    assert!(matches!(bad, Err(Refusal::Rejected(_))), "{bad:?}");
    assert!(good.is_ok());
    assert_eq!(store.job(first.job).progress, None);
    assert_eq!(store.state(first.job), State::Running);
}
