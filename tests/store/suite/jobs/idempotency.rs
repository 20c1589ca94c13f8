//! Idempotency keys: repeating a submission inserts its jobs once.

use longshore::job::{JobId, NewJob, State};
use longshore::store::{Answer, NewBatch, Refusal, SubmissionKey, Submit, Submitted, Write};

use super::Store;
use crate::kit::{completed, impossible_job, job, submit, submitted};

fn keyed(jobs: Vec<NewJob>, fingerprint: u8, batch: Option<NewBatch>) -> Write {
    let key = SubmissionKey {
        key: "k".parse().unwrap(),
        owner: None,
        fingerprint: [fingerprint; 32],
        byte_fingerprint: [0; 32],
    };
    Write::Submit(Submit { jobs: jobs.into(), key: Some(key), batch })
}

fn submit_keyed_job(store: &mut Store) -> Submitted {
    submitted(store.write(keyed(vec![job()], 1, None)))
}

fn finish_and_delete(store: &mut Store) {
    let lease = store.lease_next().lease;
    store.finish(lease, completed("1")).unwrap();
    assert_eq!(store.remove(Write::Delete(lease.job)), 1);
}

#[test]
fn the_same_key_and_body_return_the_first_job() {
    let mut store = Store::fresh();
    let first = submit_keyed_job(&mut store);
    let first_at = store.now;
    assert!(!first.is_repeat);
    store.advance(5);
    store.reopen();
    let committed = store.commit(&[keyed(vec![job()], 1, None)]);
    assert_eq!(committed.changes, []);
    let again = submitted(committed.answers.into_iter().next().unwrap());
    assert!(again.is_repeat);
    assert_eq!((again.first, again.count, again.at), (first.first, 1, first_at));
    assert!(!store.exists(JobId(2)));
}

#[test]
fn the_same_key_twice_in_one_group_makes_one_job() {
    let mut store = Store::fresh();
    let answers = store.commit(&[keyed(vec![job()], 1, None), keyed(vec![job()], 1, None)]).answers;
    let [first, second] = answers.try_into().unwrap();
    let (first, second) = (submitted(first), submitted(second));
    assert_eq!((first.is_repeat, second.is_repeat), (false, true));
    assert_eq!(first.first, second.first);
    assert!(!store.exists(JobId(2)));
}

#[test]
fn the_same_key_with_another_body_is_refused() {
    let mut store = Store::fresh();
    submit_keyed_job(&mut store);
    let refused = store.write(keyed(vec![job(), job()], 2, None)).unwrap_err();
    assert_eq!(refused, Refusal::KeyReused(JobId(1)));
    assert!(!store.exists(JobId(2)));
}

#[test]
fn the_same_key_with_another_body_in_one_group_is_refused_alone() {
    let mut store = Store::fresh();
    let group = [keyed(vec![job()], 1, None), keyed(vec![job()], 2, None), submit(vec![job()])];
    let [first, second, third] = store.commit(&group).answers.try_into().unwrap();
    assert!(first.is_ok() && third.is_ok());
    assert_eq!(second.unwrap_err(), Refusal::KeyReused(JobId(1)));
}

#[test]
fn a_key_remains_valid_after_its_job_has_ended() {
    let mut store = Store::fresh();
    let first = submit_keyed_job(&mut store).first;
    let lease = store.lease_next().lease;
    store.finish(lease, completed("1")).unwrap();
    let again = submit_keyed_job(&mut store);
    assert!(again.is_repeat);
    assert_eq!(again.first, first);
    assert_eq!(store.state(first), State::Completed);
}

#[test]
fn a_key_is_removed_with_its_last_job() {
    let mut store = Store::fresh();
    let two = || keyed(vec![job(), job()], 1, None);
    store.write(two()).unwrap();
    finish_and_delete(&mut store);
    let again = submitted(store.write(two()));
    assert_eq!((again.is_repeat, again.first, again.count), (true, JobId(1), 2));
    finish_and_delete(&mut store);
    let new = submitted(store.write(keyed(vec![job()], 2, None)));
    assert_eq!((new.is_repeat, new.first), (false, JobId(3)));
}

#[test]
fn a_key_may_be_removed_with_its_job_and_used_again_in_one_group() {
    let mut store = Store::fresh();
    let first = submit_keyed_job(&mut store).first;
    store.cancel(Write::Cancel(first));
    let group = [Write::Delete(first), keyed(vec![job()], 2, None)];
    let answer = store.commit(&group).answers.remove(1);
    let new = submitted(answer);
    assert_eq!((new.is_repeat, new.first), (false, JobId(2)));
    assert!(submitted(store.write(keyed(vec![job()], 2, None))).is_repeat);
}

#[test]
fn removing_other_jobs_does_not_affect_a_key() {
    let mut store = Store::fresh();
    let before = store.job_in(State::Cancelled);
    let first = submit_keyed_job(&mut store).first;
    let after = store.job_in(State::Cancelled);
    let finished_before = store.now.plus(std::time::Duration::from_secs(1));
    let prune = Write::Prune { jobs: vec![before, after], finished_before };
    assert_eq!(store.remove(prune), 2);
    let again = submit_keyed_job(&mut store);
    assert_eq!((again.is_repeat, again.first), (true, first));
}

#[test]
fn a_repeated_submission_of_a_batch_returns_its_current_counts() {
    let mut store = Store::fresh();
    let batch = || Some(NewBatch { name: Some("nightly".into()), on_end: None, open_for: None });
    let jobs = || vec![job(), job(), job()];
    let first = submitted(store.write(keyed(jobs(), 1, batch()))).batch.unwrap();
    let lease = store.lease_next().lease;
    store.finish(lease, completed("1")).unwrap();
    let again = submitted(store.write(keyed(jobs(), 1, batch())));
    assert_eq!((again.is_repeat, again.first, again.count), (true, JobId(1), 3));
    let batch = again.batch.unwrap();
    assert_eq!((batch.id, batch.counts.completed, batch.counts.queued), (first.id, 1, 2));
}

#[test]
fn the_key_of_a_rejected_submission_can_be_used_again() {
    let mut store = Store::fresh();
    let group = [keyed(vec![job(), impossible_job()], 1, None), keyed(vec![job()], 2, None)];
    let [bad, good] = store.commit(&group).answers.try_into().unwrap();
    assert!(matches!(bad, Err(Refusal::Rejected(_))), "{bad:?}");
    let Ok(Answer::Submitted(good)) = good else { panic!("{good:?}") };
    assert!(!good.is_repeat);
}
