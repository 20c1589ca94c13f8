//! What happens when jobs and batches end: webhooks and follow-up jobs.

mod deliveries;

use longshore::config::receiver_group;
use longshore::job::outcome::{JobResult, Outcome};
use longshore::job::submission::on_end::OnEnd;
use longshore::job::submission::on_end::callback::{CALLBACK_QUEUE, Callback};
use longshore::job::submission::on_end::follow_up::{FollowUp, RelativeTimes};
use longshore::job::submission::on_end::reference::Source;
use longshore::job::{BatchId, Job, JobId, Json, Lane, NewJob, State};
use longshore::store::{NewBatch, Refusal, RescueScope, Submit, Write};
use serde_json::{Value, json};

use super::Store;
use crate::kit::{
    failed, finish, job, job_in_queue, lease_shares, leased, queue, submit, submitted,
};

fn callback(fields: &Value) -> Callback {
    let mut callback = json!({"url": "https://receiver.example/hook"});
    callback.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    serde_json::from_value(callback).unwrap()
}

fn with_callback(fields: &Value) -> NewJob {
    NewJob { on_end: OnEnd::new(Some(callback(fields)), None), ..job() }
}

fn follow_up(job: NewJob, payload: &str, source: Source) -> FollowUp {
    FollowUp::new(
        NewJob { payload: Json::trusted(payload), ..job },
        RelativeTimes::default(),
        source,
    )
    .unwrap()
}

fn with_then(then: FollowUp) -> NewJob {
    NewJob { on_end: OnEnd::new(None, Some(then)), ..job() }
}

fn result(text: &str) -> Outcome {
    Outcome::Completed(JobResult::whole(Json::trusted(text)))
}

/// Returns the jobs of a queue, oldest first.
fn jobs_in(store: &mut Store, name: &str) -> Vec<Job> {
    let all = (1..=20).filter_map(|id| store.reads.job(JobId(id)).unwrap());
    all.filter(|job| job.queue == queue(name)).collect()
}

/// Returns the bodies of all webhooks, oldest first.
fn bodies(store: &mut Store) -> Vec<Value> {
    let body = |job: Job| {
        let payload: Value = serde_json::from_str(job.payload.unwrap().as_str()).unwrap();
        payload["body"].clone()
    };
    jobs_in(store, CALLBACK_QUEUE).into_iter().map(body).collect()
}

fn payload(job: &Job) -> &str {
    job.payload.as_ref().unwrap().as_str()
}

#[test]
fn each_end_of_a_job_inserts_its_webhook_in_the_same_group() {
    let mut store = Store::fresh();
    let lease = store.running(with_callback(&json!({})));
    let committed = store.commit(&[finish(lease, result("true"))]);
    assert_eq!(committed.changes.len(), 2, "{:?}", committed.changes);
    let failing = store.running(NewJob { max_attempts: 1, ..with_callback(&json!({})) });
    store.finish(failing, failed()).unwrap();
    let cancelled = store.submit(with_callback(&json!({})));
    store.write(Write::Cancel(cancelled)).unwrap();
    let expires_at = Some(store.after(1));
    let expiring = store.submit(NewJob { expires_at, ..with_callback(&json!({})) });
    store.advance(2);
    store.move_jobs(Write::Expire { limit: 10 });
    let lost = store.running(NewJob { max_attempts: 1, ..with_callback(&json!({})) });
    store.advance(3_600);
    store.move_jobs(Write::Rescue { scope: RescueScope::expired_now(), limit: 10 });

    let found: Vec<(String, i64)> = bodies(&mut store)
        .iter()
        .map(|body| (body["type"].as_str().unwrap().into(), body["data"]["id"].as_i64().unwrap()))
        .collect();
    let expected = [
        ("job.completed", lease.job),
        ("job.failed", failing.job),
        ("job.cancelled", cancelled),
        ("job.cancelled", expiring),
        ("job.failed", lost.job),
    ];
    assert_eq!(found, expected.map(|(event, job)| (event.to_owned(), job.0)));
    assert_eq!(store.faults(), [""; 0]);
}

#[test]
fn a_webhook_has_the_state_the_error_and_on_demand_the_result_of_its_job() {
    let mut store = Store::fresh();
    let metadata = Some(Json::trusted(r#"{"user": 7}"#));
    let first =
        store.running(NewJob { metadata, ..with_callback(&json!({"include_result": true})) });
    store.finish(first, result(r#"{"n": 1.50}"#)).unwrap();
    let second = store.running(NewJob { max_attempts: 1, ..with_callback(&json!({})) });
    store.finish(second, failed()).unwrap();
    let bodies = bodies(&mut store);
    assert_eq!(bodies[0]["data"]["state"], "completed");
    assert_eq!(bodies[0]["data"]["result"], json!({"n": 1.5}));
    assert_eq!(bodies[0]["data"]["metadata"], json!({"user": 7}));
    assert_eq!(bodies[0]["data"].get("payload"), None);
    assert!(bodies[1]["data"]["error"]["code"].is_string(), "{}", bodies[1]);
    assert_eq!(bodies[1]["data"].get("result"), None);
}

#[test]
fn only_the_listed_events_are_sent_and_a_repeated_end_is_sent_again() {
    let mut store = Store::fresh();
    let events = json!({"events": ["job.failed"]});
    let lease = store.running(NewJob { max_attempts: 1, ..with_callback(&events) });
    store.finish(lease, result("true")).unwrap();
    assert_eq!(bodies(&mut store).len(), 0);
    for round in 1..=2 {
        store.write(Write::Retry(lease.job)).unwrap();
        let again = store.lease_next().lease;
        store.finish(again, failed()).unwrap();
        assert_eq!(bodies(&mut store).len(), round);
    }
}

#[test]
fn a_job_that_is_queued_again_or_removed_in_the_group_that_ended_it_sends_its_webhook() {
    let mut store = Store::fresh();
    let lease = store.running(with_callback(&json!({})));
    store.commit(&[finish(lease, result("true")), Write::Retry(lease.job)]);
    assert_eq!(bodies(&mut store).len(), 1);
    let again = store.lease_next().lease;
    store.commit(&[finish(again, result("true")), Write::Delete(lease.job)]);
    let bodies = bodies(&mut store);
    assert_eq!((bodies.len(), &bodies[1]["type"]), (2, &json!("job.completed")));
    assert_eq!(store.faults(), [""; 0]);
}

#[test]
fn a_webhook_is_a_job_without_key_and_callback_in_the_group_of_its_receiver() {
    let mut store = Store::fresh();
    let lease = store.running(with_callback(&json!({})));
    store.finish(lease, result("true")).unwrap();
    let delivery = jobs_in(&mut store, CALLBACK_QUEUE).remove(0);
    assert_eq!((delivery.kind.as_str(), delivery.state), ("callback", State::Queued));
    assert_eq!((delivery.max_attempts, delivery.callback), (10, None));
    assert_eq!(store.reads.providers().unwrap(), []);
    let now = store.now;
    let limits = store.reads.limits_of_job(delivery.id, now).unwrap().unwrap();
    let (group, state) = limits.provider.unwrap();
    assert_eq!(Some(group), receiver_group("https://receiver.example/hook"));
    assert_eq!(state.queued, 1);
}

#[test]
fn a_follow_up_job_has_the_result_of_the_first_and_is_inserted_once() {
    let mut store = Store::fresh();
    let text = r#"{"a": {"$from": "job", "pointer": "/n"}, "b": {"$from": "job"}}"#;
    let then = follow_up(job_in_queue("next"), text, Source::Job);
    let lease = store.running(with_then(then));
    assert_eq!(store.job(lease.job).then.unwrap().job, None);
    store.finish(lease, result(r#"{"n": 1.50}"#)).unwrap();
    let next = jobs_in(&mut store, "next");
    assert_eq!(payload(&next[0]), r#"{"a":1.50,"b":{"n": 1.50}}"#);
    assert_eq!(store.job(lease.job).then.unwrap().job, Some(next[0].id));
    store.write(Write::Retry(lease.job)).unwrap();
    let again = store.lease_next().lease;
    store.finish(again, result("2")).unwrap();
    assert_eq!(jobs_in(&mut store, "next").len(), 1);
    assert_eq!(store.faults(), [""; 0]);
}

#[test]
fn a_follow_up_job_is_not_inserted_if_the_first_fails_and_is_after_its_retry() {
    let mut store = Store::fresh();
    let then = follow_up(job_in_queue("next"), "1", Source::Job);
    let lease = store.running(NewJob { max_attempts: 1, ..with_then(then) });
    store.finish(lease, failed()).unwrap();
    assert_eq!(jobs_in(&mut store, "next").len(), 0);
    store.write(Write::Retry(lease.job)).unwrap();
    let again = store.lease_next().lease;
    store.finish(again, result("true")).unwrap();
    assert_eq!(jobs_in(&mut store, "next").len(), 1);
}

#[test]
fn a_chain_continues_over_a_restart_and_into_the_remote_lane() {
    let mut store = Store::fresh();
    let third = follow_up(NewJob { lane: Lane::Remote, ..job_in_queue("third") }, "3", Source::Job);
    let second = NewJob { on_end: OnEnd::new(None, Some(third)), ..job() };
    let first = with_then(follow_up(second, r#"[{"$from": "job"}]"#, Source::Job));
    let lease = store.running(first);
    store.reopen();
    store.finish(lease, result("7")).unwrap();
    let second = store.lease_next();
    assert_eq!(second.payload.as_str(), "[7]");
    store.reopen();
    let committed = store.commit(&[finish(second.lease, result("true"))]);
    let third = committed.changes.iter().find(|change| change.lane == Lane::Remote).unwrap();
    assert_eq!(third.remote_kind.as_deref(), Some("echo"));
}

#[test]
fn a_follow_up_job_whose_references_cannot_be_filled_in_is_cancelled_with_the_reason() {
    let mut store = Store::fresh();
    let text = r#"{"a": [{"$from": "job", "pointer": "/nothing"}]}"#;
    let next =
        NewJob { on_end: OnEnd::new(Some(callback(&json!({}))), None), ..job_in_queue("next") };
    let lease = store.running(with_then(follow_up(next, text, Source::Job)));
    store.finish(lease, result("{}")).unwrap();
    let next = jobs_in(&mut store, "next").remove(0);
    assert_eq!(next.state, State::Cancelled);
    let error = next.error.unwrap();
    assert_eq!(error.code, "bad_reference");
    let again = store.write(Write::Retry(next.id)).unwrap_err();
    assert!(again.to_string().contains("could not be filled in"), "{again}");
    assert!(error.message.contains("/a/0") && error.message.contains("/nothing"), "{error:?}");
    assert_eq!(bodies(&mut store)[0]["type"], "job.cancelled");
    assert_eq!(store.faults(), [""; 0]);
}

#[test]
fn a_batch_sends_one_webhook_and_submits_its_follow_up_job_with_all_results() {
    let mut store = Store::fresh();
    let text =
        r#"[{"$from": "batch", "pointer": "/results"}, {"$from": "batch", "pointer": "/total"}]"#;
    let then = follow_up(job_in_queue("next"), text, Source::Batch);
    let on_end = OnEnd::new(Some(callback(&json!({}))), Some(then));
    let batch = Some(NewBatch { name: Some("nightly".into()), on_end, open_for: None });
    let jobs = vec![job(), job(), job()].into();
    let created = submitted(store.write(Write::Submit(Submit { jobs, key: None, batch })));
    assert_eq!(created.batch.unwrap().id, BatchId(1));
    let leased = store.lease(3);
    store.finish(leased[2].lease, result("3")).unwrap();
    store.finish(leased[0].lease, result("1")).unwrap();
    assert_eq!(bodies(&mut store).len(), 0);
    store.finish(leased[1].lease, result("2.0")).unwrap();
    let bodies = bodies(&mut store);
    assert_eq!(bodies.len(), 1);
    assert_eq!(bodies[0]["type"], "batch.finished");
    assert_eq!(
        (&bodies[0]["data"]["name"], &bodies[0]["data"]["total"]),
        (&json!("nightly"), &json!(3))
    );
    assert_eq!(payload(&jobs_in(&mut store, "next")[0]), "[[1,2.0,3],3]");
    assert_eq!(store.faults(), [""; 0]);
}

#[test]
fn the_results_of_a_batch_of_which_a_job_was_removed_cannot_be_filled_in() {
    let mut store = Store::fresh();
    let text = r#"[{"$from": "batch", "pointer": "/results/0"}]"#;
    let on_end = OnEnd::new(None, Some(follow_up(job_in_queue("next"), text, Source::Batch)));
    let batch = Some(NewBatch { name: None, on_end, open_for: None });
    let jobs = vec![job(), job()].into();
    store.write(Write::Submit(Submit { jobs, key: None, batch })).unwrap();
    let leased = store.lease(2);
    store.finish(leased[0].lease, result("1")).unwrap();
    store.write(Write::Delete(leased[0].lease.job)).unwrap();
    store.finish(leased[1].lease, result("2")).unwrap();
    let next = jobs_in(&mut store, "next").remove(0);
    assert_eq!(next.state, State::Cancelled);
    let message = next.error.unwrap().message;
    assert!(message.contains("1 of 2 jobs of the batch were removed"), "{message}");
}

#[test]
fn a_batch_with_a_failed_job_submits_no_follow_up_job() {
    let mut store = Store::fresh();
    let on_end = OnEnd::new(None, Some(follow_up(job_in_queue("next"), "1", Source::Batch)));
    let batch = Some(NewBatch { name: None, on_end, open_for: None });
    let jobs = vec![job(), NewJob { max_attempts: 1, ..job() }].into();
    store.write(Write::Submit(Submit { jobs, key: None, batch })).unwrap();
    let leased = store.lease(2);
    store.commit(&[finish(leased[0].lease, result("true")), finish(leased[1].lease, failed())]);
    assert_eq!(jobs_in(&mut store, "next").len(), 0);
}

#[test]
fn a_submission_counts_the_queues_of_its_ends() {
    let mut store = Store::fresh();
    store.config().limits.max_queues = 2;
    store.reopen();
    store.running(job());
    let then = follow_up(job_in_queue("next"), "1", Source::Job);
    let both = NewJob { on_end: OnEnd::new(Some(callback(&json!({}))), Some(then)), ..job() };
    assert!(matches!(store.write(submit(vec![both])), Err(Refusal::TooManyQueues(2))));
    let lease = store.running(with_callback(&json!({})));
    store.finish(lease, result("true")).unwrap();
    assert_eq!(bodies(&mut store).len(), 1);
}

#[test]
fn a_restored_copy_delivers_and_follows_up() {
    let mut original = Store::fresh();
    let then = follow_up(job_in_queue("next"), r#"[{"$from": "job"}]"#, Source::Job);
    let both = NewJob { on_end: OnEnd::new(Some(callback(&json!({}))), Some(then)), ..job() };
    let ended = original.running(both.clone());
    original.finish(ended, result("1")).unwrap();
    let waiting = original.submit(both);
    let mut copy = original.backed_up();
    let now = copy.now;
    copy.writes().begin_epoch(false, now).unwrap().unwrap();

    // What the original had inserted is not inserted again.
    assert_eq!(bodies(&mut copy)[0]["data"]["id"], json!(ended.job));
    assert_eq!(payload(&jobs_in(&mut copy, "next")[0]), "[1]");
    let second = copy.lease_next().lease;
    assert_eq!(second.job, waiting);
    let committed = copy.commit(&[finish(second, result("2"))]);
    let inserted: Vec<JobId> = committed.changes.iter().skip(1).map(|change| change.job).collect();
    let [delivery, next] = inserted[..] else { panic!("not two jobs: {inserted:?}") };
    assert_eq!(copy.job(delivery).queue, queue(CALLBACK_QUEUE));
    assert_eq!(payload(&copy.job(next)), "[2]");
    assert_eq!(copy.job(waiting).then.unwrap().job, Some(next));
    // Both deliveries wait in the copy, in the line of their receiver.
    let group = receiver_group("https://receiver.example/hook").unwrap();
    let deliveries =
        leased(copy.write(lease_shares(CALLBACK_QUEUE, 9, false, &[(group.as_str(), 9)])));
    assert_eq!(deliveries.len(), 2, "{deliveries:?}");
}

#[test]
fn end_actions_that_cannot_be_read_do_not_keep_the_end_from_being_stored() {
    let mut store = Store::fresh();
    let first = store.running(with_callback(&json!({})));
    let second = store.running(with_callback(&json!({})));
    store.corrupt("UPDATE end_actions SET callback = '{', then_job = '[]' WHERE job_id = 1");
    store.commit(&[finish(first, result("true")), finish(second, result("true"))]);
    assert_eq!(store.job(first.job).state, State::Completed);
    assert_eq!(bodies(&mut store).len(), 1);
}

#[test]
fn an_end_whose_job_cannot_be_inserted_is_stored_and_so_are_its_neighbours() {
    let mut store = Store::fresh();
    let next =
        NewJob { on_end: OnEnd::new(Some(callback(&json!({}))), None), ..job_in_queue("next") };
    let first = store.running(with_then(follow_up(next, "1", Source::Job)));
    let second = store.running(with_callback(&json!({})));
    // A constraint refuses a timeout of zero.
    store.corrupt("UPDATE end_actions SET then_job = json_set(then_job, '$.job.timeout', 0)");
    let committed = store.commit(&[finish(first, result("1")), finish(second, result("2"))]);
    assert!(committed.answers.iter().all(Result::is_ok), "{:?}", committed.answers);
    assert_eq!(store.job(first.job).state, State::Completed);
    assert_eq!((jobs_in(&mut store, "next").len(), bodies(&mut store).len()), (0, 1));
}
