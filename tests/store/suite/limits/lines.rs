//! Lines: the jobs of a queue that call one provider, beside those of other providers and of none.

use longshore::job::{JobId, Lane, NewJob};
use longshore::store::{Leased, Write};

use super::Store;
use crate::kit::{
    chat, completed, finish, ids, job, lease_answer, lease_lines, lease_shares, provider,
    with_providers,
};

fn store() -> Store {
    Store::configured(with_providers(&[("fast", None, None), ("slow", Some(2), None)]))
}

fn with_priority(priority: i8, job: NewJob) -> NewJob {
    NewJob { priority, ..job }
}

fn take(store: &mut Store, lease: Write) -> Leased {
    lease_answer(store.write(lease))
}

fn numbers(leased: &Leased) -> Vec<i64> {
    ids(&leased.jobs).iter().map(|id| id.0).collect()
}

#[test]
fn the_lines_of_a_queue_are_merged_by_priority_and_id() {
    let mut store = store();
    store.submit_all(vec![
        with_priority(0, job()),
        with_priority(9, chat("fast")),
        with_priority(0, chat("slow")),
        with_priority(5, job()),
        with_priority(9, chat("slow")),
        with_priority(-1, chat("fast")),
    ]);
    let lines = lease_lines("default", 4, &["slow", "fast"]);
    let leased = take(&mut store, lines.clone());
    assert_eq!(numbers(&leased), [2, 5, 4, 1]);
    let called: Vec<_> = leased.jobs.iter().map(|job| job.provider.clone()).collect();
    assert_eq!(called, [Some(provider("fast")), Some(provider("slow")), None, None]);
    assert_eq!(numbers(&take(&mut store, lines)), [3, 6]);
}

#[test]
fn a_lease_takes_only_from_the_lines_that_its_order_names() {
    let mut store = store();
    store.submit_all(vec![chat("fast"), chat("slow"), job()]);
    assert_eq!(numbers(&take(&mut store, lease_shares("default", 9, false, &[("slow", 9)]))), [2]);
    assert_eq!(numbers(&take(&mut store, lease_lines("default", 9, &[]))), [3]);
    assert_eq!(numbers(&take(&mut store, lease_lines("default", 9, &["fast"]))), [1]);
}

#[test]
fn an_order_leases_at_most_its_share_of_a_provider() {
    let mut store = store();
    store.submit_all(vec![chat("fast"); 5]);
    store.submit_all(vec![job(); 5]);
    let shares = lease_shares("default", 4, true, &[("fast", 2)]);
    assert_eq!(numbers(&take(&mut store, shares)), [1, 2, 6, 7]);
}

#[test]
fn a_full_provider_holds_back_its_own_jobs_only() {
    let mut store = store();
    store.submit_all(vec![with_priority(100, chat("slow")); 6]);
    store.submit_all(vec![chat("fast"), job()]);
    let lines = lease_lines("default", 3, &["fast", "slow"]);
    assert_eq!(numbers(&take(&mut store, lines.clone())), [1, 2, 7]);
    assert_eq!(numbers(&take(&mut store, lines)), [8]);
}

#[test]
fn the_orders_of_a_group_share_the_room_of_a_provider_over_all_queues() {
    let mut store = store();
    let other = NewJob { queue: "other".parse().unwrap(), ..chat("slow") };
    store.submit_all(vec![chat("slow"), other.clone(), other, chat("slow")]);
    let orders = ["default", "other", "default"].map(|queue| lease_lines(queue, 1, &["slow"]));
    let answers = store.commit(&orders).answers.into_iter().map(lease_answer);
    let granted: Vec<_> = answers.map(|leased| numbers(&leased)).collect();
    assert_eq!(granted, [vec![1], vec![2], vec![]]);
}

#[test]
fn a_finish_frees_a_place_of_its_provider_for_the_leases_after_it() {
    let mut store = store();
    store.submit_all(vec![chat("slow"); 4]);
    let lines = lease_lines("default", 4, &["slow"]);
    let first = take(&mut store, lines.clone()).jobs.remove(0);
    let answers = store.commit(&[lines.clone(), finish(first.lease, completed("1")), lines]);
    let [before, _, after] = answers.answers.try_into().unwrap();
    assert_eq!(numbers(&lease_answer(before)), [0; 0]);
    assert_eq!(numbers(&lease_answer(after)), [3]);
}

#[test]
fn the_answer_names_the_lines_that_have_no_further_job() {
    let mut store = store();
    store.submit_all(vec![chat("fast"), chat("slow"), chat("slow"), chat("slow"), job()]);
    let lines = lease_lines("default", 9, &["fast", "slow"]);
    let leased = take(&mut store, lines.clone());
    // Another job of the provider `slow` is queued, for which it has no room.
    assert_eq!((leased.is_empty, leased.empty_providers), (true, vec![provider("fast")]));
    store.submit(job());
    let leased = take(&mut store, lease_shares("default", 1, true, &[("fast", 1)]));
    assert_eq!((leased.is_empty, leased.empty_providers), (false, vec![provider("fast")]));
}

#[test]
fn the_jobs_of_a_provider_that_the_configuration_lacks_wait_until_it_has_it_again() {
    let mut store = store();
    store.submit_all(vec![chat("slow"); 3]);
    let slow = store.config().providers.remove("slow").unwrap();
    store.reopen();
    assert_eq!(take(&mut store, lease_lines("default", 9, &["slow"])).jobs.len(), 0);
    store.config().providers.insert("slow".into(), slow);
    store.reopen();
    assert_eq!(take(&mut store, lease_lines("default", 9, &["slow"])).jobs.len(), 2);
}

#[test]
fn a_job_that_moves_to_another_queue_stays_in_the_line_of_its_provider() {
    let mut store = store();
    store.submit(chat("slow"));
    let change = longshore::job::submission::JobChange {
        queue: Some("other".parse().unwrap()),
        ..Default::default()
    };
    store.write(Write::Update(JobId(1), change)).unwrap();
    assert_eq!(take(&mut store, lease_lines("other", 9, &[])).jobs, []);
    assert_eq!(numbers(&take(&mut store, lease_lines("other", 9, &["slow"]))), [1]);
}

#[test]
fn the_loads_of_queues_name_the_lines_that_have_queued_jobs() {
    let mut store = store();
    let other = NewJob { queue: "other".parse().unwrap(), ..job() };
    store.submit_all(vec![chat("slow"), chat("fast"), chat("slow"), other]);
    take(&mut store, lease_lines("default", 9, &["fast"]));
    store.reopen();
    let mut loads = store.writes().queue_loads().unwrap();
    loads.sort_by(|a, b| a.name.cmp(&b.name));
    let lines: Vec<_> = loads.into_iter().map(|load| (load.ready, load.providers)).collect();
    assert_eq!(lines, [(vec![], vec![provider("slow")]), (vec![Lane::Async], vec![])]);
}
