//! Impossible rows: a row with a value that no version of the program writes affects no other row.

use std::sync::Arc;

use longshore::job::queue::{QueueChange, Rate, StateCounts};
use longshore::job::{JobId, Lane, NewJob, Progress, Span, State};
use longshore::metrics::counters::{BucketCounts, Counters};
use longshore::metrics::time_bucket::TimeBucket;
use longshore::store::{
    Answer, JobFilter, MoveSummary, Refusal, Renew, RescueScope, StoreError, Write,
};

use super::Store;
use crate::kit::{
    chat, completed, failed, finish, finish_remote, ids, job, job_in_queue, lease, lease_kinds,
    lease_lines, leased, queue, renew, submit, with_providers,
};

/// Moves a job to a lane that does not exist, which a constraint refuses.
fn move_to_lane_9(store: &mut Store, job: JobId) {
    store.corrupt(&format!("UPDATE jobs SET lane = 9 WHERE id = {job}"));
}

/// Moves a job to a queue that does not exist.
fn move_to_queue_99(store: &mut Store, job: JobId) {
    store.corrupt(&format!("UPDATE jobs SET queue_id = 99 WHERE id = {job}"));
}

#[track_caller]
fn assert_impossible<T: std::fmt::Debug>(result: Result<T, Refusal>, row: &str) {
    match result {
        Err(Refusal::ImpossibleRow(fault)) => assert!(fault.starts_with(row), "{fault}"),
        other => panic!("not refused because of {row}: {other:?}"),
    }
}

/// Checks that `longshore verify` reports a row.
#[track_caller]
fn assert_reported(store: &Store, row: &str) {
    let faults = store.faults();
    assert!(faults.iter().any(|fault| fault.contains(row)), "{row}: {faults:#?}");
}

fn scheduled(store: &Store, secs: u64) -> NewJob {
    NewJob { run_at: store.after(secs), is_scheduled: true, ..job() }
}

#[test]
fn a_lease_skips_an_impossible_job_and_leases_those_after_it() {
    for lane in [Lane::Async, Lane::Remote] {
        let mut store = Store::fresh();
        let jobs: Vec<_> = store.submit_all(vec![NewJob { lane, ..job() }; 4]).ids().collect();
        // First in the order of leases.
        store.corrupt("UPDATE jobs SET max_attempts = 0 WHERE id = 1");
        let committed = store.commit(&[submit(vec![job()]), lease("default", lane, 2)]);
        let [submitted, first] = committed.answers.try_into().unwrap();
        assert!(submitted.is_ok());
        let first = ids(&leased(first));
        assert!(!first.contains(&jobs[0]) && !first.is_empty(), "{first:?}");
        let mut all = first;
        while let [next, ..] = *ids(&leased(store.write(lease("default", lane, 1)))) {
            all.push(next);
        }
        let expected = if lane == Lane::Async { [2, 3, 4, 5].as_slice() } else { &[2, 3, 4] };
        assert_eq!(all, expected.iter().map(|id| JobId(*id)).collect::<Vec<_>>());
        assert_eq!(store.state(jobs[0]), State::Queued);
        assert_reported(&store, "job 1 has max_attempts 0");
    }
}

#[test]
fn a_lease_for_certain_kinds_skips_an_impossible_job() {
    let mut store = Store::fresh();
    store.submit_all(vec![NewJob { lane: Lane::Remote, ..job() }; 3]);
    store.corrupt("UPDATE jobs SET max_attempts = 0 WHERE id = 2");
    for expected in [[JobId(1), JobId(3)].as_slice(), &[]] {
        assert_eq!(ids(&leased(store.write(lease_kinds(&["echo"])))), expected);
    }
    store.reopen();
    assert_eq!(leased(store.write(lease_kinds(&["echo"]))), []);
}

#[test]
fn a_lease_is_not_refused_because_an_impossible_job_has_expired() {
    let mut store = Store::fresh();
    let expires_at = Some(store.after(1));
    let bad = store.submit(NewJob { expires_at, ..job() });
    let good = store.submit(NewJob { expires_at, ..job() });
    let next = store.submit(job());
    move_to_lane_9(&mut store, bad);
    store.advance(2);
    assert_eq!(ids(&store.lease(10)), [next]);
    assert_eq!(store.state(good), State::Cancelled);
    let moved = store.move_jobs(Write::Expire { limit: 10 });
    assert_eq!(moved, MoveSummary { count: 0, next_at: None });
    assert_reported(&store, "job 1 is in lane 9");
}

#[test]
fn a_finish_of_an_impossible_job_is_refused_alone() {
    let mut store = Store::fresh();
    let [lane, queue, good] = [(); 3].map(|()| store.running(job()));
    move_to_lane_9(&mut store, lane.job);
    move_to_queue_99(&mut store, queue.job);
    for _ in 0..2 {
        let group = [
            finish(lane, completed("1")),
            submit(vec![job()]),
            finish(queue, completed("1")),
            Write::Each(vec![finish(lane, completed("1")), finish(good, completed("1"))]),
        ];
        let [first, submitted, second, each] = store.commit(&group).answers.try_into().unwrap();
        assert_impossible(first, "job 1 is in lane 9");
        assert!(submitted.is_ok());
        assert_impossible(second, "job 2 is in queue 99");
        let Ok(Answer::Each(each)) = each else { panic!("{each:?}") };
        let [first, second] = each.try_into().unwrap();
        assert_impossible(first, "job 1 is in lane 9");
        assert!(second.is_ok(), "{second:?}");
    }
    assert_eq!(store.state(good.job), State::Completed);
    assert_reported(&store, "job 1 is in lane 9");
    assert_reported(&store, "jobs row 2 refers to a missing row of queues");
}

#[test]
fn a_finish_that_breaks_a_constraint_is_refused_alone() {
    let mut store = Store::fresh();
    let [bad, good] = [(); 2].map(|()| store.running(job()));
    store.corrupt("UPDATE jobs SET max_attempts = 0 WHERE id = 1");
    let group = [finish(bad, failed()), finish(good, failed())];
    let [first, second] = store.commit(&group).answers.try_into().unwrap();
    let Err(Refusal::Rejected(why)) = first else { panic!("{first:?}") };
    assert!(why.starts_with("job 1: "), "{why}");
    assert!(second.is_ok());
}

#[test]
fn a_renewal_skips_an_impossible_job_and_renews_the_others() {
    let mut store = Store::fresh();
    let leases = [(); 3].map(|()| store.running(job()));
    move_to_queue_99(&mut store, leases[1].job);
    store.advance(30);
    // The report needs the name of the queue.
    let progress = Some(Progress::new(50.0, ""));
    let renewal = Write::Renew(Renew { progress, ..renew(&leases, Span::from_secs(60)) });
    let [renewed, submitted] =
        store.commit(&[renewal, submit(vec![job()])]).answers.try_into().unwrap();
    let Ok(Answer::Renewed(renewed)) = renewed else { panic!("{renewed:?}") };
    let held: Vec<_> = renewed.held.iter().map(|(lease, _)| *lease).collect();
    assert_eq!(held, [leases[0], leases[2]]);
    assert!(submitted.is_ok());
    // Past the first leases, and not past the renewed ones.
    store.advance(45);
    let moved = store.move_jobs(Write::Rescue { scope: RescueScope::expired_now(), limit: 10 });
    assert_eq!(moved.count, 0);
    assert_eq!(store.state(leases[0].job), State::Running);
    assert_reported(&store, "jobs row 2 refers to a missing row of queues");
}

#[test]
fn a_rescue_skips_an_impossible_job_and_rescues_the_others() {
    for scope in [RescueScope::expired_now(), RescueScope::Dead] {
        let mut store = Store::fresh();
        let leases = [(); 3].map(|()| store.running(job()));
        move_to_queue_99(&mut store, leases[0].job);
        store.corrupt("UPDATE jobs SET max_attempts = 0 WHERE id = 2");
        store.advance(120);
        let moved = store.move_jobs(Write::Rescue { scope, limit: 2 });
        let again = store.move_jobs(Write::Rescue { scope, limit: 2 });
        assert_eq!((moved.count + again.count, again.next_at), (1, None));
        assert_eq!(store.state(leases[2].job), State::Queued);
        assert_eq!(store.state(leases[1].job), State::Running);
        assert_reported(&store, "job 2 has max_attempts 0");
        store.reopen();
        assert_eq!(store.move_jobs(Write::Rescue { scope, limit: 2 }).count, 0);
    }
}

#[test]
fn a_stage_skips_impossible_jobs_and_stages_the_others_however_many_they_are() {
    let mut store = Store::fresh();
    let bad = [(); 5].map(|()| store.submit(scheduled(&store, 1)));
    let good = [(); 3].map(|()| store.submit(scheduled(&store, 2)));
    let later = store.submit(scheduled(&store, 60));
    let next_at = Some(store.after(60));
    for id in bad {
        move_to_queue_99(&mut store, id);
    }
    store.corrupt("UPDATE jobs SET lane = 9 WHERE id = 5");
    store.advance(5);
    let mut staged = 0;
    for _ in 0..5 {
        staged += store.move_jobs(Write::Stage { limit: 2 }).count;
    }
    assert_eq!(staged, 3);
    assert_eq!(store.move_jobs(Write::Stage { limit: 2 }), MoveSummary { count: 0, next_at });
    assert_eq!(good.map(|id| store.state(id)), [State::Queued; 3]);
    assert_eq!(store.state(later), State::Scheduled);
    assert_reported(&store, "jobs row 1 refers to a missing row of queues");
}

#[test]
fn writes_that_name_an_impossible_job_are_refused_and_change_nothing() {
    let mut store = Store::fresh();
    let [state, lane] = [(); 2].map(|()| store.job_in(State::Completed));
    store.corrupt(&format!("UPDATE jobs SET state = 7 WHERE id = {state}"));
    move_to_lane_9(&mut store, lane);
    let before = store.faults();
    for write in [Write::Cancel(state), Write::Retry(state), Write::Delete(state)] {
        assert_impossible(store.write(write), "job 1 is in state 7");
    }
    for write in [Write::Retry(lane), Write::Delete(lane)] {
        assert_impossible(store.write(write), "job 2");
    }
    assert_eq!(store.faults(), before);
}

#[test]
fn a_prune_keeps_an_impossible_job_and_removes_the_others() {
    let mut store = Store::fresh();
    let jobs = [(); 3].map(|()| store.job_in(State::Completed));
    move_to_lane_9(&mut store, jobs[0]);
    let finished_before = store.after(1);
    for expected in [2, 0] {
        let prune = Write::Prune { jobs: jobs.to_vec(), finished_before };
        assert_eq!(store.remove(prune), expected);
    }
    assert_reported(&store, "job 1 is in lane 9");
}

#[test]
fn an_impossible_time_bucket_is_left_as_it_is_and_the_others_are_stored() {
    let mut store = Store::fresh();
    store.submit_all(vec![job_in_queue("mail"), job_in_queue("reports")]);
    let counts = BucketCounts { submitted: 1, ..BucketCounts::default() };
    let one = Counters { counts, ..Counters::default() };
    let queues = ["mail", "reports"].map(|name| (queue(name), one.clone())).to_vec();
    let bucket = Arc::new(TimeBucket { began_at: store.now, queues, all: one });
    store.write(Write::TimeBuckets(vec![bucket.clone()])).unwrap();
    store.corrupt("UPDATE time_buckets SET run = '{}' WHERE queue_id = 1");
    store.write(Write::TimeBuckets(vec![bucket])).unwrap();
    let range = (store.now, store.now);
    let mut submitted = |name: Option<&str>| -> Vec<u64> {
        let queue = name.map(queue);
        let found = store.reads.time_buckets(queue.as_ref(), range).unwrap();
        found.iter().map(|(_, counters)| counters.counts.submitted).collect()
    };
    assert_eq!(submitted(Some("mail")), [0; 0]);
    assert_eq!((submitted(Some("reports")), submitted(None)), (vec![2], vec![2]));
    assert_reported(&store, "has a histogram that is not");
}

#[test]
fn wrong_counts_do_not_stop_the_jobs_of_their_queue() {
    let mut store = Store::fresh();
    let id = store.submit(job());
    store.corrupt("UPDATE queue_counts SET jobs = 0");
    assert_eq!(ids(&store.lease(1)), [id]);
    let counts = store.reads.queue(&queue("default"), store.now).unwrap().unwrap().jobs;
    assert_eq!(counts, StateCounts { running: 1, ..StateCounts::default() });
    store.submit(job());
    assert_eq!(store.lease(1).len(), 1);
}

#[test]
fn a_job_of_a_batch_that_does_not_exist_runs() {
    let mut store = Store::fresh();
    let lease = store.running(job());
    store.corrupt("UPDATE jobs SET batch_id = 5");
    store.finish(lease, completed("1")).unwrap();
    assert_reported(&store, "refers to a missing row of batches");
}

#[test]
fn an_impossible_queue_affects_only_its_own_jobs() {
    let mut store = Store::fresh();
    let bad = store.submit(NewJob { lane: Lane::Remote, ..job_in_queue("mail") });
    let lease = leased(store.write(lease("mail", Lane::Remote, 1))).remove(0).lease;
    store.submit_all(vec![job_in_queue("mail"), job()]);
    store.corrupt("UPDATE queues SET name = 'NOT A NAME' WHERE name = 'mail'");
    store.reopen();
    let loads = store.writes().queue_loads().unwrap();
    assert_eq!(loads.into_iter().map(|load| load.name).collect::<Vec<_>>(), [queue("default")]);
    let queues = store.reads.queues(store.now).unwrap();
    assert_eq!(queues.into_iter().map(|found| found.name).collect::<Vec<_>>(), [queue("default")]);
    assert_eq!(store.reads.counts().unwrap().len(), 1);
    assert_impossible(store.write(finish_remote(lease, completed("1"))), "job 1 is in queue 1");
    assert_eq!(bad, JobId(1));
    assert_eq!(ids(&store.lease(1)), [JobId(3)]);
    let change = QueueChange { paused: Some(true), ..QueueChange::default() };
    store.write(Write::Configure { queue: queue("mail"), change }).unwrap();
    assert_reported(&store, "has the invalid name NOT A NAME");
}

#[test]
fn lists_skip_an_impossible_job_and_a_read_of_it_fails() {
    let mut store = Store::fresh();
    let jobs = [(); 3].map(|()| store.submit(job()));
    store.corrupt("UPDATE jobs SET state = 7 WHERE id = 2");
    let page = store.reads.jobs(&JobFilter { limit: 10, ..JobFilter::default() }).unwrap();
    let listed: Vec<JobId> = page.jobs.iter().map(|job| job.id).collect();
    assert_eq!((listed, page.next), (vec![jobs[2], jobs[0]], None));
    assert_eq!(store.reads.job_summaries(&jobs).unwrap().len(), 2);
    let error = store.reads.job(jobs[1]).unwrap_err();
    assert!(
        matches!(&error, StoreError::Corrupt(fault) if fault == "job 2 is in state 7"),
        "{error}"
    );
}

#[test]
fn recent_starts_of_a_queue_that_cannot_be_read_are_forgotten_and_its_jobs_run() {
    for text in ["[", "7", r#"[["a", 1]]"#] {
        let mut store = Store::fresh();
        let id = store.submit_all(vec![job(); 4]).first;
        let rate = Rate { limit: 1, period: Span::from_secs(60) };
        let change = QueueChange { rate: Some(Some(rate)), ..QueueChange::default() };
        store.write(Write::Configure { queue: queue("default"), change }).unwrap();
        assert_eq!(store.lease(2).len(), 1);
        store.corrupt(&format!("UPDATE queues SET starts = '{text}'"));
        let now = store.now;
        store.reads.limits_of_job(id, now).unwrap().unwrap();
        assert_eq!([store.lease(2).len(), store.lease(2).len()], [1, 0], "{text}");
    }
}

#[test]
fn a_state_of_a_provider_that_cannot_be_read_is_forgotten_and_affects_no_write() {
    for (column, text) in [("pause", "{}"), ("pause", "["), ("starts", "{}"), ("trial", "-7")] {
        let mut store = Store::configured(with_providers(&[("fast", Some(9), Some(9))]));
        let id = store.submit_all(vec![chat("fast"); 4]).first;
        let first = leased(store.write(lease_lines("default", 1, &["fast"]))).remove(0).lease;
        store.corrupt(&format!("UPDATE providers SET {column} = '{text}'"));
        assert_reported(&store, "provider 1");
        let now = store.now;
        store.reads.limits_of_job(id, now).unwrap().unwrap();
        assert_eq!(store.reads.providers().unwrap().len(), 1);
        let group = [
            submit(vec![chat("fast"), job()]),
            finish(first, completed("1")),
            lease_lines("default", 9, &["fast"]),
        ];
        for answer in store.commit(&group).answers {
            answer.unwrap();
        }
        store.reopen();
        store.move_jobs(Write::Rescue { scope: RescueScope::Dead, limit: 10 });
        assert!(!leased(store.write(lease_lines("default", 9, &["fast"]))).is_empty());
    }
}
