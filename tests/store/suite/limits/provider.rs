//! Providers: their limits, counts, pauses and recovery, kept in the tables.

use std::time::Duration;

use longshore::job::limit::provider::{ProviderEvent, ProviderState};
use longshore::job::limit::{Held, Room};
use longshore::job::outcome::Outcome;
use longshore::job::{NewJob, State, Timestamp};
use longshore::store::{Committed, Leased, ProviderStatus, RescueScope, Write};

use super::Store;
use crate::kit::{
    chat, completed, deferred, failed, finish, job, lease_answer, lease_lines, provider, submit,
    with_providers,
};

/// Returns a store with the provider `fast` and its limits, and this number of queued jobs of it.
fn store_of(max_running: Option<u32>, requests_per_minute: Option<u32>, jobs: usize) -> Store {
    let other = ("other", None, None);
    let config = with_providers(&[("fast", max_running, requests_per_minute), other]);
    let mut store = Store::configured(config);
    if jobs > 0 {
        store.submit_all(vec![chat("fast"); jobs]);
    }
    store
}

fn take(store: &mut Store, limit: u32) -> Leased {
    lease_answer(store.write(lease_lines("default", limit, &["fast", "other"])))
}

/// Returns the stored state of the provider `fast`.
fn state(store: &mut Store) -> ProviderState {
    let all = store.reads.providers().unwrap();
    let (_, state) = all.into_iter().find(|(name, _)| *name == provider("fast")).unwrap();
    state
}

fn counts(store: &mut Store) -> (u32, u32) {
    let state = state(store);
    (state.running, state.queued)
}

/// Returns the status of the only provider that a group changed.
fn changed(committed: Committed) -> ProviderStatus {
    let [status] = committed.providers.try_into().unwrap();
    status
}

/// Leases a job and finishes it with a refusal, in the same second.
fn refuse(store: &mut Store, secs: u64) -> ProviderStatus {
    let lease = take(store, 1).jobs.remove(0).lease;
    changed(store.commit(&[finish(lease, deferred(secs, true))]))
}

fn paused_until(at: Timestamp) -> Room {
    Room { jobs: 0, held: Some(Held::Pause(at)) }
}

#[test]
fn max_running_of_a_provider_holds_after_a_restart() {
    let mut store = store_of(Some(3), None, 6);
    assert_eq!(take(&mut store, 10).jobs.len(), 3);
    store.reopen();
    assert_eq!(take(&mut store, 10).jobs.len(), 0);
    let now = store.now;
    let statuses = store.writes().providers(now).unwrap();
    let full = Room { jobs: 0, held: Some(Held::Full) };
    assert_eq!((statuses[0].name.as_str(), statuses[0].room), ("fast", full));
    // The jobs of the dead process are queued again, and their places are free.
    store.move_jobs(Write::Rescue { scope: RescueScope::Dead, limit: 10 });
    assert_eq!(counts(&mut store), (0, 6));
    assert_eq!(take(&mut store, 10).jobs.len(), 3);
}

#[test]
fn requests_per_minute_hold_over_groups_and_after_a_restart() {
    let mut store = store_of(None, Some(4), 9);
    let mut running = take(&mut store, 3).jobs;
    running.extend(take(&mut store, 9).jobs);
    assert_eq!(running.len(), 4);
    let ends: Vec<_> = running.iter().map(|job| finish(job.lease, completed("1"))).collect();
    let Some(Held::Rate(until)) = changed(store.commit(&ends)).room.held else {
        panic!("not held")
    };
    assert!((60_000..60_500).contains(&until.since(store.now).as_millis()), "{until:?}");
    for secs in [0, 59] {
        store.advance(secs);
        store.reopen();
        assert_eq!(take(&mut store, 9).jobs.len(), 0);
    }
    store.now = until;
    assert_eq!(take(&mut store, 9).jobs.len(), 4);
}

#[test]
fn a_new_provider_starts_16_calls_and_more_with_answers_and_with_time_until_a_refusal() {
    let mut store = store_of(None, None, 80);
    let running = take(&mut store, 80).jobs;
    assert_eq!((running.len(), take(&mut store, 80).jobs.len()), (16, 0));
    let room = changed(store.commit(&[finish(running[0].lease, completed("1"))])).room;
    assert_eq!((room.jobs, take(&mut store, 80).jobs.len()), (2, 2));
    store.now = store.now.plus(Duration::from_millis(24));
    store.reopen();
    assert_eq!(take(&mut store, 80).jobs.len(), 0);
    store.now = store.now.plus(Duration::from_millis(1));
    let more = take(&mut store, 80).jobs;
    assert_eq!(more.len(), 17);
    store.commit(&[finish(more[0].lease, deferred(5, true))]);
    assert_eq!((state(&mut store).trial, state(&mut store).trial_since), (Some(1), None));
}

#[test]
fn the_counts_of_a_provider_follow_every_change_of_its_jobs() {
    let mut store = store_of(None, None, 0);
    let later = NewJob { run_at: store.after(5), is_scheduled: true, ..chat("fast") };
    store.submit_all(vec![later, chat("other"), job()]);
    assert_eq!(counts(&mut store), (0, 0));
    store.advance(5);
    store.move_jobs(Write::Stage { limit: 10 });
    assert_eq!(counts(&mut store), (0, 1));
    let outcomes = [
        (completed("1"), State::Completed),
        (failed(), State::Retrying),
        (Outcome::fatal("broken", "it broke"), State::Failed),
        (Outcome::Cancelled(None), State::Cancelled),
        (Outcome::Released, State::Queued),
        (Outcome::NotStarted, State::Queued),
        (deferred(5, false), State::Retrying),
    ];
    for (outcome, end) in outcomes {
        let id = store.submit(NewJob { priority: 9, ..chat("fast") });
        let (_, queued) = counts(&mut store);
        let leased = take(&mut store, 1).jobs.remove(0);
        assert_eq!((leased.lease.job, counts(&mut store)), (id, (1, queued - 1)));
        store.finish(leased.lease, outcome).unwrap();
        assert_eq!(store.state(id), end);
        let expected = queued - u32::from(end != State::Queued);
        assert_eq!(counts(&mut store), (0, expected), "{end}");
        if end == State::Queued {
            store.write(Write::Cancel(id)).unwrap();
        }
        assert_eq!(counts(&mut store), (0, queued - 1));
        store.write(Write::Retry(id)).unwrap();
        assert_eq!(counts(&mut store), (0, queued));
        store.write(Write::Cancel(id)).unwrap();
        store.write(Write::Delete(id)).unwrap();
    }
    let expiring = NewJob { expires_at: Some(store.after(1)), ..chat("fast") };
    store.submit(expiring);
    assert_eq!(counts(&mut store), (0, 2));
    store.advance(2);
    store.move_jobs(Write::Expire { limit: 10 });
    assert_eq!(counts(&mut store), (0, 1));
}

#[test]
fn a_refusal_pauses_the_calls_of_all_queues_to_the_provider_and_no_others() {
    let mut store = store_of(Some(4), None, 3);
    let elsewhere = NewJob { queue: "mail".parse().unwrap(), ..chat("fast") };
    store.submit_all(vec![elsewhere, job(), chat("other")]);
    let status = refuse(&mut store, 2);
    let until = store.after(2);
    assert_eq!(status.event, Some(ProviderEvent::Paused));
    assert_eq!(status.room, paused_until(until));
    let pause = status.pause.unwrap();
    assert_eq!((pause.since, pause.until, pause.refused), (store.now, until, 1));
    assert_eq!(counts(&mut store), (0, 4));
    let leased = take(&mut store, 9).jobs;
    assert!(leased.iter().all(|job| job.provider != Some(provider("fast"))), "{leased:?}");
    assert_eq!(leased.len(), 2);
    let mail = lease_lines("mail", 9, &["fast"]);
    assert_eq!(lease_answer(store.write(mail.clone())).jobs, []);
    store.now = until;
    assert_eq!(lease_answer(store.write(mail)).jobs.len(), 1);
    assert_eq!(take(&mut store, 9).jobs, [], "one call tries it");
}

#[test]
fn after_a_pause_one_call_tries_it_and_each_success_lets_one_more_run() {
    let mut store = store_of(Some(4), None, 20);
    refuse(&mut store, 1);
    store.advance(1);
    let mut rounds = Vec::new();
    let mut events = Vec::new();
    for _ in 0..4 {
        let running = take(&mut store, 20).jobs;
        rounds.push(running.len());
        let ends: Vec<_> = running.iter().map(|job| finish(job.lease, completed("1"))).collect();
        events.push(changed(store.commit(&ends)).event);
    }
    assert_eq!(rounds, [1, 2, 4, 4]);
    assert_eq!(events, [None, Some(ProviderEvent::Recovered), None, None]);
    let state = state(&mut store);
    assert_eq!((state.trial, state.pause), (None, None));
}

#[test]
fn a_pause_and_the_calls_that_it_allows_afterwards_survive_a_restart() {
    let mut store = store_of(None, None, 9);
    let until = store.after(30);
    refuse(&mut store, 30);
    let before = state(&mut store);
    store.reopen();
    assert_eq!(state(&mut store), before);
    let now = store.now;
    let statuses = store.writes().providers(now).unwrap();
    assert_eq!((statuses[0].room, statuses[0].event), (paused_until(until), None));
    assert_eq!(take(&mut store, 9).jobs.len(), 0);
    store.now = until;
    let tried = take(&mut store, 9).jobs;
    assert_eq!(tried.len(), 1);
    store.finish(tried[0].lease, completed("1")).unwrap();
    store.reopen();
    assert_eq!(take(&mut store, 9).jobs.len(), 2);
}

#[test]
fn a_refused_trial_pauses_again_without_another_event() {
    let mut store = store_of(None, None, 9);
    refuse(&mut store, 1);
    store.advance(1);
    let again = refuse(&mut store, 3);
    assert_eq!((again.event, again.room), (None, paused_until(store.after(3))));
    assert_eq!(again.pause.unwrap().refused, 2);
}

#[test]
fn a_refusal_pauses_the_leases_of_its_group_and_successes_in_it_do_not_shorten_the_pause() {
    let mut store = store_of(None, None, 9);
    let running = take(&mut store, 3).jobs;
    let group = [
        finish(running[0].lease, deferred(5, true)),
        finish(running[1].lease, completed("1")),
        lease_lines("default", 9, &["fast"]),
        submit(vec![chat("fast")]),
    ];
    let mut committed = store.commit(&group);
    assert_eq!(lease_answer(committed.answers.remove(2)).jobs, []);
    assert_eq!(changed(committed).room, paused_until(store.after(5)));
    store.finish(running[2].lease, completed("1")).unwrap();
    assert_eq!(state(&mut store).trial, Some(1));
}

#[test]
fn a_pause_lasts_between_100_ms_and_an_hour() {
    let mut store = store_of(None, None, 9);
    let first = refuse(&mut store, 0).pause.unwrap();
    assert_eq!(first.until.since(store.now), Duration::from_millis(100));
    store.now = first.until;
    let second = refuse(&mut store, 90_000).pause.unwrap();
    assert_eq!(second.until.since(store.now), Duration::from_secs(3_600));
}

#[test]
fn a_pause_of_a_clock_that_was_set_back_keeps_its_duration() {
    let mut store = store_of(None, Some(1), 9);
    refuse(&mut store, 30);
    store.now = Timestamp::from_millis(store.now.millis() - 900_000);
    store.reopen();
    store.move_jobs(Write::Rescue { scope: RescueScope::Dead, limit: 10 });
    let until = store.after(30);
    let pause = state(&mut store).pause.unwrap();
    assert_eq!((pause.since, pause.until), (store.now, until));
    store.now = until;
    assert_eq!(take(&mut store, 9).jobs.len(), 0, "its rate is measured by the new clock too");
    store.advance(31);
    assert_eq!(take(&mut store, 9).jobs.len(), 1);
}

#[test]
fn a_refusal_that_is_undone_with_its_write_pauses_nothing() {
    let mut store = store_of(None, None, 9);
    let running = take(&mut store, 2).jobs;
    store
        .corrupt(&format!("UPDATE jobs SET max_attempts = -1 WHERE id = {}", running[0].lease.job));
    let refused = finish(running[0].lease, deferred(5, true));
    let committed = store.commit(&[refused, finish(running[1].lease, completed("1"))]);
    committed.answers[0].as_ref().unwrap_err();
    let status = changed(committed);
    assert_eq!((status.event, status.pause), (None, None));
}
