//! Batches without jobs, and open batches: jobs are added until they are closed.

use longshore::job::batch::Batch;
use longshore::job::queue::StateCounts;
use longshore::job::submission::on_end::OnEnd;
use longshore::job::submission::on_end::follow_up::{FollowUp, RelativeTimes};
use longshore::job::submission::on_end::reference::Source;
use longshore::job::{BatchId, JobId, Json, NewJob, Span, State};
use longshore::store::{NewBatch, Prunable, Refusal, SubmissionKey, Submit, Submitted, Write};

use super::Store;
use crate::kit::{completed, finish, impossible_job, job, submitted};

/// Time for which batches stay open.
const OPEN_FOR: Span = Span::from_secs(100);

fn key(fingerprint: u8) -> Option<SubmissionKey> {
    Some(SubmissionKey::new("k".parse().unwrap(), [fingerprint; 32]))
}

fn new_batch(jobs: Vec<NewJob>, key: Option<SubmissionKey>, open_for: Option<Span>) -> Write {
    let batch = Some(NewBatch { name: None, on_end: None, open_for });
    Write::Submit(Submit { jobs: jobs.into(), key, batch })
}

fn open(jobs: Vec<NewJob>) -> Write {
    new_batch(jobs, None, Some(OPEN_FOR))
}

fn add(jobs: Vec<NewJob>, key: Option<SubmissionKey>) -> Write {
    let submit = Submit { jobs: jobs.into(), key, batch: None };
    Write::AddJobs { batch: BatchId(1), submit, open_for: OPEN_FOR }
}

const CLOSE: Write = Write::CloseBatch(BatchId(1));

fn batch(store: &mut Store) -> Batch {
    store.reads.batch(BatchId(1)).unwrap().unwrap()
}

/// Submits jobs to an open batch and completes them.
fn open_with_ended_jobs(number: usize) -> Store {
    let mut store = Store::fresh();
    store.write(open(vec![job(); number])).unwrap();
    for leased in store.lease(number as u32) {
        store.finish(leased.lease, completed("1")).unwrap();
    }
    store
}

#[test]
fn a_closed_batch_without_jobs_ends_at_once() {
    let mut store = Store::fresh();
    let committed = store.commit(&[new_batch(Vec::new(), None, None)]);
    assert_eq!(
        (&committed.ended_batches[..], &committed.closed_batches[..]),
        (&[BatchId(1)][..], &[BatchId(1)][..])
    );
    let Submitted { count, batch: created, .. } =
        submitted(committed.answers.into_iter().next().unwrap());
    assert_eq!((count, *created.unwrap()), (0, batch(&mut store)));
    let ended = batch(&mut store);
    assert_eq!((ended.total, ended.open, ended.finished_at), (0, false, Some(store.now)));
    let refused =
        store.write(Write::Submit(Submit { jobs: Vec::new().into(), key: None, batch: None }));
    assert!(matches!(refused, Err(Refusal::Rejected(_))), "{refused:?}");
}

#[test]
fn the_follow_up_job_of_a_batch_without_jobs_gets_an_empty_list() {
    let mut store = Store::fresh();
    let payload = Json::trusted(r#"[{"$from": "batch", "pointer": "/results"}]"#);
    let then = FollowUp::new(NewJob { payload, ..job() }, RelativeTimes::default(), Source::Batch)
        .unwrap();
    let batch = Some(NewBatch { name: None, on_end: OnEnd::new(None, Some(then)), open_for: None });
    store.write(Write::Submit(Submit { jobs: Vec::new().into(), key: None, batch })).unwrap();
    let follow_up = store.job(JobId(1));
    assert_eq!((follow_up.state, follow_up.payload.unwrap().as_str()), (State::Queued, "[[]]"));
}

#[test]
fn an_open_batch_takes_more_jobs_and_does_not_end_before_it_is_closed() {
    let mut store = open_with_ended_jobs(1);
    let waiting = batch(&mut store);
    assert_eq!((waiting.open, waiting.finished_at, waiting.counts.completed), (true, None, 1));
    let added = submitted(store.write(add(vec![job(), job()], None)));
    assert_eq!((added.first, added.count, added.batch.unwrap().total), (JobId(2), 2, 3));
    assert_eq!(store.job(JobId(3)).batch, Some(BatchId(1)));
    let committed = store.commit(&[CLOSE]);
    assert_eq!(
        (&committed.ended_batches[..], &committed.closed_batches[..]),
        (&[][..], &[BatchId(1)][..])
    );
    let closed = batch(&mut store);
    assert_eq!((closed.open, closed.closes_at, closed.finished_at), (false, None, None));
    let leases: Vec<_> = store.lease(2).into_iter().map(|job| job.lease).collect();
    let ends: Vec<_> = leases.into_iter().map(|lease| finish(lease, completed("1"))).collect();
    assert_eq!(store.commit(&ends).ended_batches, [BatchId(1)]);
    let counts = StateCounts { completed: 3, ..StateCounts::default() };
    assert_eq!(
        (batch(&mut store).counts, batch(&mut store).finished_at),
        (counts, Some(store.now))
    );
}

#[test]
fn a_batch_whose_jobs_have_all_ended_ends_once_when_it_is_closed() {
    let mut store = open_with_ended_jobs(2);
    assert_eq!(store.commit(&[CLOSE]).ended_batches, [BatchId(1)]);
    assert_eq!(batch(&mut store).finished_at, Some(store.now));
    store.advance(5);
    let again = store.commit(&[CLOSE]);
    assert!(
        again.answers[0].is_ok()
            && again.ended_batches.is_empty()
            && again.closed_batches.is_empty()
    );
    let unknown = store.write(Write::CloseBatch(BatchId(2))).unwrap_err();
    assert_eq!(unknown, Refusal::NoBatch(BatchId(2)));
}

#[test]
fn the_last_end_and_the_close_may_be_in_one_group_in_any_order() {
    for is_closed_first in [true, false] {
        let mut store = Store::fresh();
        store.write(open(vec![job()])).unwrap();
        let end = finish(store.lease_next().lease, completed("1"));
        let group = if is_closed_first { [CLOSE, end] } else { [end, CLOSE] };
        assert_eq!(store.commit(&group).ended_batches, [BatchId(1)]);
    }
    let mut store = Store::fresh();
    let group = [open(vec![job()]), add(vec![job()], None), Write::CancelBatch(BatchId(1)), CLOSE];
    assert_eq!(store.commit(&group).ended_batches, [BatchId(1)]);
    assert_eq!(batch(&mut store).counts.cancelled, 2);
    // A retry of the same group keeps it from ending.
    let mut store = open_with_ended_jobs(1);
    let committed = store.commit(&[CLOSE, Write::Retry(JobId(1))]);
    assert_eq!((committed.ended_batches.len(), batch(&mut store).finished_at), (0, None));
}

#[test]
fn jobs_are_not_added_to_a_closed_batch_or_to_none_and_all_or_none_are_added() {
    let mut store = Store::fresh();
    assert_eq!(store.write(add(vec![job()], None)).unwrap_err(), Refusal::NoBatch(BatchId(1)));
    store.write(open(Vec::new())).unwrap();
    for jobs in [Vec::new(), vec![job(), impossible_job()]] {
        let refused = store.write(add(jobs, None));
        assert!(matches!(refused, Err(Refusal::Rejected(_))), "{refused:?}");
    }
    assert_eq!(batch(&mut store).total, 0);
    store.write(CLOSE).unwrap();
    assert_eq!(store.write(add(vec![job()], None)).unwrap_err(), Refusal::BatchClosed(BatchId(1)));
    assert!(!store.exists(JobId(1)));
}

#[test]
fn an_addition_is_repeated_by_its_key_also_after_the_close() {
    let mut store = Store::fresh();
    store.write(open(vec![job()])).unwrap();
    let first = submitted(store.write(add(vec![job(), job()], key(1))));
    store.write(CLOSE).unwrap();
    let again = submitted(store.write(add(vec![job(), job()], key(1))));
    assert_eq!((again.is_repeat, again.first, again.count), (true, first.first, 2));
    let refused = store.write(add(vec![job()], key(2))).unwrap_err();
    assert_eq!(refused, Refusal::KeyReused(JobId(2)));
}

#[test]
fn the_key_of_a_batch_without_jobs_is_known_as_long_as_the_batch() {
    let mut store = Store::fresh();
    store.submit(job());
    store.write(new_batch(Vec::new(), key(1), None)).unwrap();
    let again = submitted(store.write(new_batch(Vec::new(), key(1), None)));
    assert_eq!((again.is_repeat, again.count, again.batch.unwrap().id), (true, 0, BatchId(1)));
    let refused = store.write(new_batch(Vec::new(), key(2), None)).unwrap_err();
    assert_eq!(refused, Refusal::KeyReusedByBatch(BatchId(1)));
    // The removal of a job that has nothing to do with it.
    store.write(Write::Cancel(JobId(1))).unwrap();
    store.remove(Write::Delete(JobId(1)));
    assert!(submitted(store.write(new_batch(Vec::new(), key(1), None))).is_repeat);
    store.advance(1);
    let (batches, finished_before) = (vec![BatchId(1)], store.now);
    assert_eq!(store.remove(Write::PruneBatches { batches, finished_before }), 1);
    assert!(!submitted(store.write(new_batch(Vec::new(), key(1), None))).is_repeat);
}

#[test]
fn a_batch_closes_by_itself_some_time_after_the_last_addition() {
    let mut store = open_with_ended_jobs(1);
    let due = |store: &mut Store| store.move_jobs(Write::CloseBatches { limit: 10 }).count;
    store.advance(60);
    store.write(add(vec![job()], None)).unwrap();
    store.write(Write::Cancel(JobId(2))).unwrap();
    store.advance(99);
    assert_eq!((due(&mut store), batch(&mut store).closes_at), (0, Some(store.after(1))));
    store.advance(1);
    store.reopen();
    let committed = store.commit(&[Write::CloseBatches { limit: 10 }]);
    assert_eq!(committed.ended_batches, [BatchId(1)]);
    assert_eq!(batch(&mut store).finished_at, Some(store.now));
    assert_eq!(due(&mut store), 0);
}

#[test]
fn an_open_batch_is_not_removed_and_one_without_jobs_is_removed_after_its_end() {
    let mut store = open_with_ended_jobs(1);
    store.remove(Write::Delete(JobId(1)));
    store.advance(10);
    let prunable = |store: &mut Store| {
        let now = store.now;
        store.reads.prunable(JobId(0), now).unwrap()
    };
    let prune = |store: &mut Store| {
        let (batches, finished_before) = (vec![BatchId(1), BatchId(2)], store.now);
        store.remove(Write::PruneBatches { batches, finished_before })
    };
    assert_eq!((prunable(&mut store), prune(&mut store)), (Prunable::default(), 0));
    store.write(CLOSE).unwrap();
    assert_eq!((prunable(&mut store), prune(&mut store)), (Prunable::default(), 0));
    store.advance(1);
    let found = Prunable { batches: vec![BatchId(1)], ..Prunable::default() };
    assert_eq!((prunable(&mut store), prune(&mut store)), (found, 1));
    assert_eq!(store.reads.batch(BatchId(1)).unwrap(), None);
}

#[test]
fn the_jobs_of_an_open_batch_are_not_removed_before_it_is_closed() {
    let mut store = open_with_ended_jobs(2);
    let outside = store.submit(job());
    store.write(Write::Cancel(outside)).unwrap();
    store.advance(10);
    let now = store.now;
    assert_eq!(store.reads.prunable(JobId(0), now).unwrap().jobs, [outside]);
    store.write(CLOSE).unwrap();
    let found = store.reads.prunable(JobId(0), now).unwrap().jobs;
    assert_eq!(found, [JobId(1), JobId(2), outside]);
}

#[test]
fn a_follow_up_job_cannot_refer_to_the_results_of_more_than_10_000_jobs() {
    let mut store = Store::fresh();
    let payload = Json::trusted(r#"[{"$from": "batch", "pointer": "/results"}]"#);
    let then = FollowUp::new(NewJob { payload, ..job() }, RelativeTimes::default(), Source::Batch)
        .unwrap();
    let on_end = OnEnd::new(None, Some(then));
    let batch = Some(NewBatch { name: None, on_end, open_for: Some(OPEN_FOR) });
    store.write(Write::Submit(Submit { jobs: Vec::new().into(), key: None, batch })).unwrap();
    store.corrupt("UPDATE batches SET total = 10001, completed = 10001");
    store.write(CLOSE).unwrap();
    let refused = store.job(JobId(1));
    let error = refused.error.unwrap();
    assert_eq!((refused.state, error.code.as_str()), (State::Cancelled, "bad_reference"));
    assert!(error.message.contains("the batch has 10001 jobs"), "{}", error.message);
}
