//! What belongs to an API key: its leases, and its idempotency keys.

use longshore::auth::api_key::NewKey;
use longshore::auth::key_id::KeyId;
use longshore::auth::secret::KeyDigest;
use longshore::job::lease::Lease;
use longshore::job::submission::on_end::OnEnd;
use longshore::job::submission::on_end::follow_up::{FollowUp, RelativeTimes};
use longshore::job::{JobId, Lane, Log, NewJob};
use longshore::store::{
    Answer, Finish, Finished, Holder, LeaseRequest, LogLines, NewBatch, Refusal, SubmissionKey,
    Submit, Write,
};

use super::{Store, within};
use crate::kit::{
    completed, failed, finish, job, job_in_queue, lease, leased, renew_remote, submitted,
};

const ANN: KeyId = KeyId(1);
const BOB: KeyId = KeyId(2);

/// Leases a new job of the remote lane, with an API key or without one.
fn lease_with(store: &mut Store, key: Option<KeyId>) -> Lease {
    store.submit(NewJob { lane: Lane::Remote, ..job_in_queue("mail") });
    let Write::Lease(request) = lease("mail", Lane::Remote, 1) else { panic!("not a lease") };
    leased(store.write(Write::Lease(LeaseRequest { key, ..request }))).remove(0).lease
}

fn finish_with(lease: Lease, key: Option<KeyId>) -> Write {
    let (outcome, holder) = (completed("1"), Holder::Remote(key));
    Write::Finish(Finish { lease, outcome, holder, location: None, started_at: None })
}

#[test]
fn a_lease_belongs_to_the_key_that_took_it() {
    let mut store = Store::fresh();
    let lease = lease_with(&mut store, Some(ANN));
    store.reopen();
    let log =
        LogLines { lease, holder: Holder::Remote(Some(BOB)), log: Log::new("a line\n".into()) };
    let mut renew = renew_remote(&[lease]);
    renew.holder = Holder::Remote(Some(BOB));
    for write in [finish_with(lease, Some(BOB)), Write::Log(log), Write::Renew(renew.clone())] {
        assert_eq!(store.write(write).unwrap_err(), Refusal::StaleLease);
    }
    renew.holder = Holder::Remote(Some(ANN));
    assert!(store.write(Write::Renew(renew)).is_ok());
    assert!(store.write(finish_with(lease, Some(ANN))).is_ok());
    // The same holds for a finish that is repeated because its answer was lost.
    let again = store.write(finish_with(lease, Some(ANN)));
    assert!(matches!(again, Ok(Answer::Finished(Finished::Repeated))), "{again:?}");
    assert_eq!(store.write(finish_with(lease, Some(BOB))).unwrap_err(), Refusal::StaleLease);
}

#[test]
fn a_lease_from_before_the_first_key_can_be_finished_with_any() {
    let mut store = Store::fresh();
    let lease = lease_with(&mut store, None);
    let write = within(&["web"], finish_with(lease, Some(ANN)));
    assert_eq!(store.write(write).unwrap_err(), Refusal::NoJob(lease.job));
    assert!(store.write(within(&["mail"], finish_with(lease, Some(ANN)))).is_ok());
}

#[test]
fn the_next_lease_of_a_job_belongs_to_its_own_key() {
    let mut store = Store::fresh();
    let first = lease_with(&mut store, Some(ANN));
    store.advance(61);
    store.move_jobs(Write::Rescue {
        scope: longshore::store::RescueScope::expired_now(),
        limit: 10,
    });
    store.advance(600);
    store.move_jobs(Write::Stage { limit: 10 });
    let Write::Lease(request) = lease("mail", Lane::Remote, 1) else { panic!("not a lease") };
    let request = LeaseRequest { key: Some(BOB), ..request };
    let second = leased(store.write(Write::Lease(request))).remove(0).lease;
    assert_eq!(second.job, first.job);
    assert_eq!(store.write(finish_with(second, Some(ANN))).unwrap_err(), Refusal::StaleLease);
    assert!(store.write(finish_with(second, Some(BOB))).is_ok());
}

fn keyed(owner: Option<KeyId>, fingerprint: u8) -> Write {
    let key = SubmissionKey::new("k".parse().unwrap(), [fingerprint; 32]);
    let key = Some(SubmissionKey { owner, ..key });
    Write::Submit(Submit { jobs: vec![job()].into(), key, batch: None })
}

#[test]
fn an_idempotency_key_belongs_to_the_api_key_that_sent_it() {
    let mut store = Store::fresh();
    let of_ann = submitted(store.write(keyed(Some(ANN), 1)));
    let of_bob = submitted(store.write(keyed(Some(BOB), 2)));
    assert_eq!((of_ann.first, of_bob.first), (JobId(1), JobId(2)));
    let again = submitted(store.write(keyed(Some(BOB), 2)));
    assert_eq!((again.first, again.is_repeat), (JobId(2), true));
    assert!(!submitted(store.write(keyed(None, 3))).is_repeat);
}

#[test]
fn an_idempotency_key_from_before_the_first_api_key_is_visible_to_all() {
    let mut store = Store::fresh();
    let first = submitted(store.write(keyed(None, 1))).first;
    let again = submitted(store.write(keyed(Some(ANN), 1)));
    assert_eq!((again.first, again.is_repeat), (first, true));
    assert_eq!(store.write(keyed(Some(BOB), 2)).unwrap_err(), Refusal::KeyReused(first));
    // One that is sent without an API key later is not.
    store
        .write(Write::CreateKey(NewKey::admin("ann".parse().unwrap()), KeyDigest::of("x")))
        .unwrap();
    store.advance(1);
    let Write::Submit(mut later) = keyed(None, 1) else { panic!("no submission") };
    later.key.as_mut().unwrap().key = "later".parse().unwrap();
    store.write(Write::Submit(later.clone())).unwrap();
    later.key.as_mut().unwrap().owner = Some(ANN);
    assert!(!submitted(store.write(Write::Submit(later))).is_repeat);
}

/// Returns a store in which each API key may have two unfinished jobs, with the keys of Ann and Bob.
fn store_with_limit() -> Store {
    let mut store = Store::fresh();
    store.config().key_limits.max_unfinished_jobs = Some(2);
    store.reopen();
    for name in ["ann", "bob"] {
        let key = NewKey::admin(name.parse().unwrap());
        store.write(Write::CreateKey(key, KeyDigest::of(name))).unwrap();
    }
    store
}

fn submit_with(key: Option<KeyId>, count: usize) -> Write {
    let jobs = vec![NewJob { key, ..job() }; count];
    Write::Submit(Submit { jobs: jobs.into(), key: None, batch: None })
}

#[test]
fn an_api_key_has_at_most_so_many_unfinished_jobs() {
    let mut store = store_with_limit();
    let one = || submit_with(Some(ANN), 1);
    // In one group, and over a restart.
    let answers = store.commit(&[one(), one(), one(), submit_with(Some(BOB), 1)]).answers;
    let accepted: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(accepted, [true, true, false, true]);
    assert_eq!(answers[2].as_ref().unwrap_err(), &Refusal::TooManyUnfinished(2));
    store.reopen();
    assert_eq!(store.write(one()).unwrap_err(), Refusal::TooManyUnfinished(2));
    assert!(store.write(submit_with(None, 5)).is_ok());
    // A job that ends makes room for another, in the same group.
    let lease = store.lease_next().lease;
    let answers = store.commit(&[finish(lease, completed("1")), one()]).answers;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(store.write(one()).unwrap_err(), Refusal::TooManyUnfinished(2));
    // A job that waits for its next attempt has not ended; one that was cancelled has.
    let lease = store.lease_next().lease;
    store.write(finish(lease, failed())).unwrap();
    assert!(store.write(one()).is_err());
    store.write(Write::Cancel(lease.job)).unwrap();
    assert!(store.write(one()).is_ok());
    assert!(store.faults().is_empty());
}

#[test]
fn a_submission_of_many_jobs_is_accepted_as_a_whole_or_refused() {
    let mut store = store_with_limit();
    assert!(store.write(submit_with(Some(ANN), 3)).is_err());
    assert!(store.write(submit_with(Some(ANN), 2)).is_ok());
    assert!(!store.exists(JobId(3)));
}

#[test]
fn the_follow_up_job_of_a_batch_without_jobs_counts_when_the_batch_is_submitted() {
    let mut store = store_with_limit();
    let empty = || {
        let job = NewJob { key: Some(ANN), ..job() };
        let on_end = OnEnd::new(
            None,
            Some(FollowUp { job, times: RelativeTimes::default(), refers_to: None }),
        );
        let batch = Some(NewBatch { name: None, on_end, open_for: None });
        Write::Submit(Submit { jobs: Vec::new().into(), key: None, batch })
    };
    store.write(empty()).unwrap();
    store.write(empty()).unwrap();
    assert_eq!(store.write(empty()).unwrap_err(), Refusal::TooManyUnfinished(2));
    assert!(store.exists(JobId(2)) && !store.exists(JobId(3)));
}
