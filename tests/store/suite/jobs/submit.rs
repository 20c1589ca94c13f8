//! Submissions: all or none, in order, read back as submitted.

use longshore::config::Config;
use longshore::job::retry::Backoff;
use longshore::job::{JobId, Json, Lane, NewJob, Span, State};
use longshore::store::{Refusal, Write};

use super::Store;
use crate::kit::{impossible_job, job, job_in_queue, queue, submit, submitted, tags};

/// Returns a job with a value in every column that differs from the default.
fn unusual_job(store: &Store) -> NewJob {
    NewJob {
        provider: None,
        key: None,
        kind: "http".parse().unwrap(),
        lane: Lane::Remote,
        queue: queue("mail"),
        priority: -7,
        run_at: store.after(60),
        is_scheduled: true,
        timeout: Span::from_secs(11),
        max_attempts: 9,
        backoff: Backoff {
            initial: Span::from_millis(5),
            factor: 1.5,
            max: Span::from_millis(50),
            jitter: 0.25,
            max_retry_after: Span::from_secs(7),
        },
        at_most_once: true,
        expires_at: Some(store.after(120)),
        tags: tags(&["a \"b\"", "ü"]),
        truncate_result: true,
        metadata: Some(Json::trusted(r#"{"user": 1.0}"#)),
        on_end: None,
        payload: Json::trusted(r#"{"b": 1.50, "a": "\u0000'"}"#),
    }
}

#[test]
fn a_job_is_found_as_it_was_submitted() {
    let mut store = Store::fresh();
    let new = unusual_job(&store);
    let id = store.submit(new.clone());
    let expected = new.inserted(id, store.now);
    assert_eq!(store.job(id), expected);
}

#[test]
fn the_jobs_of_a_submission_have_consecutive_ids() {
    let mut store = Store::fresh();
    let committed = store.commit(&[submit(vec![job(), job()]), submit(vec![job(); 3])]);
    let [first, second] = committed.answers.try_into().unwrap();
    let (first, second) = (submitted(first), submitted(second));
    assert!(first.ids().eq([JobId(1), JobId(2)]));
    assert!(second.ids().eq([JobId(3), JobId(4), JobId(5)]));
    assert!(!second.is_repeat);
    assert_eq!(second.at, store.now);
}

#[test]
fn an_id_is_never_used_again() {
    let mut store = Store::fresh();
    let last = store.job_in(State::Cancelled);
    assert_eq!(store.remove(Write::Delete(last)), 1);
    store.reopen();
    assert!(store.submit(job()) > last);
}

#[test]
fn only_a_job_that_is_due_later_is_scheduled() {
    let mut store = Store::fresh();
    let queued = store.submit(job());
    assert_eq!(store.state(queued), State::Queued);
    let scheduled = store.job_in(State::Scheduled);
    assert_eq!(store.state(scheduled), State::Scheduled);
}

#[test]
fn every_new_job_is_reported_as_a_change() {
    let mut store = Store::fresh();
    let scheduled = unusual_job(&store);
    let due_at = scheduled.run_at;
    let committed = store.commit(&[submit(vec![job(), scheduled])]);
    let [queued, scheduled] = committed.changes.try_into().unwrap();
    assert_eq!((queued.job, queued.from, queued.to), (JobId(1), None, Some(State::Queued)));
    assert_eq!((queued.queue, queued.lane), (queue("default"), Lane::Async));
    assert_eq!(queued.due_at, None);
    assert_eq!((scheduled.job, scheduled.to), (JobId(2), Some(State::Scheduled)));
    assert_eq!((scheduled.queue, scheduled.lane), (queue("mail"), Lane::Remote));
    assert_eq!(scheduled.due_at, Some(due_at));
}

#[test]
fn jobs_that_are_inserted_together_keep_their_order() {
    let mut store = Store::fresh();
    let numbered = |numbers: std::ops::Range<u32>| {
        let job = |number| NewJob { payload: Json::of(&number).unwrap(), ..job() };
        submit(numbers.map(job).collect())
    };
    // Rows are inserted in chunks of 16, 4 and 1, across submissions.
    let group = [numbered(0..10), numbered(10..11), numbered(11..23), numbered(23..24)];
    let answers = store.commit(&group).answers.into_iter().map(submitted);
    let ranges: Vec<_> = answers.map(|answer| (answer.first.0, answer.count)).collect();
    assert_eq!(ranges, [(1, 10), (11, 1), (12, 12), (24, 1)]);
    for number in 0..24_i64 {
        let job = store.reads.job(JobId(number + 1)).unwrap().unwrap();
        assert_eq!(job.payload, Some(Json::of(&number).unwrap()));
    }
}

#[test]
fn a_submission_is_inserted_as_a_whole_or_not_at_all() {
    let mut store = Store::fresh();
    let refused = store.write(submit(vec![job(), job(), impossible_job(), job()]));
    assert!(matches!(refused, Err(Refusal::Rejected(_))), "{refused:?}");
    assert!((1..=4).all(|id| !store.exists(JobId(id))));
}

#[test]
fn a_rejected_write_does_not_affect_the_others_of_its_group() {
    let mut store = Store::fresh();
    let group = [submit(vec![job()]), submit(vec![impossible_job()]), submit(vec![job()])];
    let committed = store.commit(&group);
    assert_eq!(committed.changes.len(), 2);
    let [before, bad, after] = committed.answers.try_into().unwrap();
    assert!(matches!(bad, Err(Refusal::Rejected(_))), "{bad:?}");
    for id in [submitted(before).first, submitted(after).first] {
        assert_eq!(store.state(id), State::Queued);
    }
}

#[test]
fn a_duplicate_tag_is_rejected_by_the_database() {
    let mut store = Store::fresh();
    let duplicate = NewJob { tags: tags(&["a", "a"]), ..job() };
    let refused = store.write(submit(vec![duplicate]));
    assert!(matches!(refused, Err(Refusal::Rejected(_))), "{refused:?}");
}

#[test]
fn a_submission_without_jobs_is_refused() {
    let mut store = Store::fresh();
    let refused = store.write(submit(Vec::new()));
    assert!(matches!(refused, Err(Refusal::Rejected(_))), "{refused:?}");
}

#[test]
fn a_queue_that_only_a_rejected_write_names_is_not_created() {
    let mut store = Store::fresh();
    let bad = NewJob { queue: queue("mail"), ..impossible_job() };
    let committed = store.commit(&[submit(vec![job()]), submit(vec![bad])]);
    assert_eq!(committed.configured.len(), 1);
    assert_eq!(store.reads.queue(&queue("mail"), store.now).unwrap(), None);
    // If the store had cached the id of the rejected queue, this job would refer to a missing queue.
    let id = store.submit(job_in_queue("mail"));
    assert_eq!(store.job(id).queue, queue("mail"));
}

#[test]
fn a_queue_of_a_rejected_write_is_created_if_another_write_of_the_group_names_it() {
    let mut store = Store::fresh();
    let bad = NewJob { queue: queue("mail"), ..impossible_job() };
    let good = job_in_queue("mail");
    let committed =
        store.commit(&[submit(vec![good.clone()]), submit(vec![bad]), submit(vec![good])]);
    assert_eq!(committed.configured.len(), 1);
    let mail = store.reads.queue(&queue("mail"), store.now).unwrap().unwrap();
    assert_eq!(mail.jobs.queued, 2);
}

fn store_with_room_for_two_queues() -> Store {
    let mut config = Config::default();
    config.limits.max_queues = 2;
    Store::configured(config)
}

#[test]
fn no_more_queues_are_created_than_allowed() {
    let mut store = store_with_room_for_two_queues();
    store.submit_all(vec![job_in_queue("a"), job_in_queue("b")]);
    let refused = store.write(submit(vec![job_in_queue("c")])).unwrap_err();
    assert_eq!(refused, Refusal::TooManyQueues(2));
    store.submit(job_in_queue("b"));
}

#[test]
fn a_submission_refused_because_of_its_queues_creates_none_of_them() {
    let mut store = store_with_room_for_two_queues();
    store.submit(job_in_queue("a"));
    let both = vec![job_in_queue("b"), job_in_queue("c")];
    let committed = store.commit(&[submit(both)]);
    assert_eq!(committed.answers[0].as_ref().unwrap_err(), &Refusal::TooManyQueues(2));
    assert_eq!(committed.configured, []);
    assert_eq!(store.reads.queue(&queue("b"), store.now).unwrap(), None);
    store.submit(job_in_queue("c"));
}
