//! Deliveries of webhooks: what reads show of them, and to which callers.

use longshore::auth::access::QueueAccess;
use longshore::config::receiver_group;
use longshore::job::attempt::ResponseDetail;
use longshore::job::lease::Lease;
use longshore::job::outcome::{JobResult, Outcome};
use longshore::job::submission::on_end::callback::{CALLBACK_QUEUE, Callback, CallbackEvent};
use longshore::job::submission::on_end::delivery_status::DeliveryStatus;
use longshore::job::submission::on_end::{OnEnd, Owner};
use longshore::job::{AttemptDetail, BatchId, JobError, JobId, Json, NewJob, State};
use longshore::store::{NewBatch, RescueScope, Submit, Write};

use super::super::Store;
use crate::kit::{completed, job, job_in_queue, lease_lines, leased, submitted};

const URL: &str = "https://receiver.example/hook?token=1";

fn on_end() -> Option<Box<OnEnd>> {
    let callback: Callback = serde_json::from_str(&format!(r#"{{"url": "{URL}"}}"#)).unwrap();
    OnEnd::new(Some(callback), None)
}

/// Submits a job with a webhook and completes it.
fn ended(store: &mut Store) -> JobId {
    let lease = store.running(NewJob { on_end: on_end(), ..job() });
    store.finish(lease, completed("1")).unwrap();
    lease.job
}

fn deliveries(store: &mut Store, owner: Owner) -> Vec<DeliveryStatus> {
    store.reads.deliveries(owner, 10).unwrap().unwrap()
}

/// Leases the next delivery.
fn lease_delivery(store: &mut Store) -> Lease {
    let group = receiver_group(URL).unwrap();
    leased(store.write(lease_lines(CALLBACK_QUEUE, 1, &[group.as_str()]))).remove(0).lease
}

/// Returns the outcome of an attempt that a receiver has answered with 503.
fn refused() -> Outcome {
    let response = ResponseDetail { status: 503, ..ResponseDetail::default() };
    let detail = AttemptDetail { response: Some(response), ..AttemptDetail::default() };
    let error = JobError::new("http_status", "the server answered 503");
    Outcome::Failed { error, retryable: true, retry_in: None, detail: Some(Box::new(detail)) }
}

fn only(patterns: &[&str]) -> QueueAccess {
    QueueAccess::of(&patterns.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>())
}

#[test]
fn a_delivery_is_shown_from_its_insertion_to_its_end() {
    let mut store = Store::fresh();
    let owner = Owner::Job(ended(&mut store));
    let waiting = deliveries(&mut store, owner).remove(0);
    assert_eq!((waiting.url.as_deref(), waiting.receiver()), (Some(URL), Some("receiver.example")));
    assert_eq!(waiting.event, Some(CallbackEvent::JobCompleted));
    assert_eq!((waiting.state, waiting.attempt, waiting.status), (State::Queued, 0, None));
    assert_eq!((waiting.created_at, waiting.next_attempt_at), (store.now, None));
    assert!(!waiting.can_retry());

    let lease = lease_delivery(&mut store);
    assert_eq!(lease.job, waiting.id);
    store.finish(lease, refused()).unwrap();
    let retrying = deliveries(&mut store, owner).remove(0);
    assert_eq!(
        (retrying.state, retrying.attempt, retrying.status),
        (State::Retrying, 1, Some(503))
    );
    assert!(retrying.next_attempt_at > Some(store.now), "{retrying:?}");
    assert_eq!(retrying.error.as_ref().unwrap().code, "http_status");

    store.write(Write::Retry(waiting.id)).unwrap();
    let lease = lease_delivery(&mut store);
    let accepted = Outcome::Completed(JobResult::whole(Json::trusted(r#"{"status":202}"#)));
    store.finish(lease, accepted).unwrap();
    let delivered = deliveries(&mut store, owner).remove(0);
    assert_eq!((delivered.state, delivered.status), (State::Completed, Some(202)));
    assert_eq!((&delivered.error, delivered.finished_at), (&None, Some(store.now)));
    assert_eq!(store.reads.delivery(waiting.id).unwrap(), Some((owner, delivered)));
}

#[test]
fn an_attempt_that_a_crash_ends_does_not_count() {
    let mut store = Store::fresh();
    let owner = Owner::Job(ended(&mut store));
    let id = deliveries(&mut store, owner).remove(0).id;
    for _ in 0..12 {
        lease_delivery(&mut store);
        store.reopen();
        store.move_jobs(Write::Rescue { scope: RescueScope::Dead, limit: 10 });
        let lost = deliveries(&mut store, owner).remove(0);
        assert_eq!((lost.state, lost.attempt, lost.id), (State::Retrying, 0, id));
        assert_eq!(lost.error.unwrap().code, "lost");
        let next = lost.next_attempt_at.unwrap();
        assert!((store.after(4)..=store.after(6)).contains(&next), "{next:?}");
        store.advance(6);
        store.move_jobs(Write::Stage { limit: 10 });
    }
    let lease = lease_delivery(&mut store);
    store.finish(lease, refused()).unwrap();
    assert_eq!(deliveries(&mut store, owner).remove(0).attempt, 1);
}

#[test]
fn each_end_of_a_job_has_a_delivery_and_a_list_has_the_latest_ones() {
    let mut store = Store::fresh();
    let first = ended(&mut store);
    store.write(Write::Retry(first)).unwrap();
    let again = store.lease_next().lease;
    store.finish(again, completed("2")).unwrap();
    ended(&mut store);
    let both = deliveries(&mut store, Owner::Job(first));
    assert_eq!(both.len(), 2);
    assert!(both[0].id < both[1].id);
    let latest = store.reads.deliveries(Owner::Job(first), 1).unwrap().unwrap();
    assert_eq!(latest, both[1..]);
}

#[test]
fn a_batch_has_its_own_deliveries_and_shows_its_callback() {
    let mut store = Store::fresh();
    let batch = Some(NewBatch { name: None, on_end: on_end(), open_for: None });
    let jobs = vec![NewJob { on_end: on_end(), ..job() }].into();
    let created = submitted(store.write(Write::Submit(Submit { jobs, key: None, batch })));
    let created = created.batch.unwrap();
    assert_eq!(created.callback.as_ref().unwrap().url, URL);
    let lease = store.lease_next().lease;
    store.finish(lease, completed("1")).unwrap();
    let of_batch = deliveries(&mut store, Owner::Batch(created.id));
    let of_job = deliveries(&mut store, Owner::Job(lease.job));
    assert_eq!((of_batch.len(), of_job.len()), (1, 1));
    assert_eq!(of_batch[0].event, Some(CallbackEvent::BatchFinished));
    assert_eq!(of_job[0].event, Some(CallbackEvent::JobCompleted));
    let found = store.reads.delivery(of_batch[0].id).unwrap().unwrap();
    assert_eq!(found.0, Owner::Batch(created.id));
    let shown = store.reads.batch(created.id).unwrap().unwrap();
    assert_eq!(shown.callback, created.callback);
    assert_eq!(store.reads.batches(10, None).unwrap().batches[0].callback, None);
}

#[test]
fn a_caller_who_may_read_a_job_may_read_its_deliveries_and_no_others() {
    let mut store = Store::fresh();
    let owner = Owner::Job(ended(&mut store));
    let delivery = deliveries(&mut store, owner).remove(0).id;
    store.reads.restrict(&only(&["default"]));
    assert_eq!(store.reads.job(delivery).unwrap(), None);
    assert_eq!(deliveries(&mut store, owner).len(), 1);
    assert_eq!(store.reads.delivery(delivery).unwrap().unwrap().0, owner);
    store.reads.restrict(&only(&["mail", CALLBACK_QUEUE]));
    assert!(store.reads.job(delivery).unwrap().is_some());
    assert_eq!(store.reads.deliveries(owner, 10).unwrap(), None);
    assert_eq!(store.reads.delivery(delivery).unwrap(), None);
}

#[test]
fn what_is_not_there_has_no_deliveries() {
    let mut store = Store::fresh();
    let plain = store.submit(job_in_queue("mail"));
    assert_eq!(deliveries(&mut store, Owner::Job(plain)), []);
    assert_eq!(store.reads.delivery(plain).unwrap(), None);
    for owner in [Owner::Job(JobId(99)), Owner::Batch(BatchId(99))] {
        assert_eq!(store.reads.deliveries(owner, 10).unwrap(), None);
    }
}

#[test]
fn a_delivery_whose_payload_cannot_be_read_is_shown_without_its_event() {
    let mut store = Store::fresh();
    let owner = Owner::Job(ended(&mut store));
    store.corrupt("UPDATE jobs SET payload = '{' WHERE kind = 'callback'");
    let shown = deliveries(&mut store, owner).remove(0);
    assert_eq!((shown.event, shown.url, shown.state), (None, None, State::Queued));
}
