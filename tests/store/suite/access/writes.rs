//! Writes of a caller that may only use some queues.

use longshore::job::submission::JobChange;
use longshore::job::{BatchId, JobId, State};
use longshore::store::{Answer, Refusal, Write};

use super::{Store, submit_batch, within};
use crate::kit::{job_in_queue, queue};

#[test]
fn a_job_of_another_queue_cannot_be_changed() {
    let mut store = Store::fresh();
    let (mail, web) = (store.submit(job_in_queue("mail")), store.submit(job_in_queue("web")));
    let priority = JobChange { start: None, priority: Some(7), expires_at: None, queue: None };
    for write in [Write::Cancel, Write::Retry, Write::Delete] {
        assert_eq!(store.write(within(&["mail"], write(web))).unwrap_err(), Refusal::NoJob(web));
    }
    let update = Write::Update(web, priority);
    assert_eq!(store.write(within(&["mail"], update)).unwrap_err(), Refusal::NoJob(web));
    let each = Write::Each(vec![Write::Cancel(web), Write::Cancel(mail)]);
    let Ok(Answer::Each(answers)) = store.write(within(&["mail"], each)) else { panic!() };
    assert_eq!(answers[0].as_ref().unwrap_err(), &Refusal::NoJob(web));
    assert!(answers[1].is_ok());
    assert_eq!((store.state(mail), store.state(web)), (State::Cancelled, State::Queued));
}

#[test]
fn a_restriction_ends_with_its_write() {
    let mut store = Store::fresh();
    let web = store.submit(job_in_queue("web"));
    let restricted = within(&["mail"], Write::Cancel(web));
    let answers = store.commit(&[restricted, Write::Cancel(web)]).answers;
    assert!(answers[0].is_err() && answers[1].is_ok(), "{answers:?}");
}

#[test]
fn a_batch_with_jobs_of_other_queues_cannot_be_cancelled() {
    let mut store = Store::fresh();
    let (own, mixed) =
        (submit_batch(&mut store, &["mail"]), submit_batch(&mut store, &["mail", "web"]));
    let cancel = |batch: BatchId| within(&["mail"], Write::CancelBatch(batch));
    assert_eq!(store.write(cancel(mixed)).unwrap_err(), Refusal::NoBatch(mixed));
    let retry =
        Write::RetryBatch { batch: mixed, jobs: vec![JobId(2)], states: vec![State::Queued] };
    assert_eq!(store.write(within(&["mail"], retry)).unwrap_err(), Refusal::NoBatch(mixed));
    assert!(store.write(cancel(own)).is_ok());
    assert_eq!((store.state(JobId(1)), store.state(JobId(2))), (State::Cancelled, State::Queued));
}

#[test]
fn a_batch_whose_job_was_moved_to_another_queue_is_no_longer_visible() {
    let mut store = Store::fresh();
    let batch = submit_batch(&mut store, &["mail", "mail"]);
    let moved =
        JobChange { start: None, priority: None, expires_at: None, queue: Some(queue("web")) };
    store.write(Write::Update(JobId(1), moved)).unwrap();
    let cancel = within(&["mail"], Write::CancelBatch(batch));
    assert_eq!(store.write(cancel).unwrap_err(), Refusal::NoBatch(batch));
}
