//! Queues: created on first use, configured, and stored.

use longshore::config::Config;
use longshore::job::queue::{QueueChange, QueueSettings, Rate};
use longshore::job::{Lane, Span, State};
use longshore::store::{Answer, Refusal, Write};

use super::Store;
use crate::kit::{ids, job, job_in_queue, lease, leased, queue};

const RATE: Rate = Rate { limit: 10, period: Span::from_secs(60) };

fn configure(name: &str, change: QueueChange) -> Write {
    Write::Configure { queue: queue(name), change }
}

fn settings(store: &mut Store, name: &str) -> QueueSettings {
    store.reads.queue(&queue(name), store.now).unwrap().unwrap().settings
}

fn config() -> Config {
    let listed = QueueSettings { paused: true, max_running: Some(5), rate: Some(RATE) };
    Config {
        queue_defaults: QueueSettings { max_running: Some(9), ..QueueSettings::default() },
        queues: [(queue("mail"), listed)].into(),
        ..Config::default()
    }
}

#[test]
fn a_new_queue_gets_the_settings_of_the_configuration() {
    let mut store = Store::configured(config());
    let jobs = vec![job_in_queue("mail"), job_in_queue("other"), job_in_queue("mail")];
    let committed = store.commit(&[crate::kit::submit(jobs)]);
    let listed = QueueSettings { paused: true, max_running: Some(5), rate: Some(RATE) };
    let other = QueueSettings { max_running: Some(9), ..QueueSettings::default() };
    assert_eq!(committed.configured, [(queue("mail"), listed), (queue("other"), other)]);
    assert_eq!(settings(&mut store, "mail"), listed);
    assert_eq!(settings(&mut store, "other"), other);
}

#[test]
fn a_change_keeps_the_settings_that_it_does_not_name_and_survives_a_restart() {
    let mut store = Store::configured(config());
    store.submit(job_in_queue("mail"));
    let change = QueueChange { paused: Some(false), max_running: Some(None), rate: None };
    let committed = store.commit(&[configure("mail", change)]);
    let expected = QueueSettings { paused: false, max_running: None, rate: Some(RATE) };
    assert_eq!(committed.configured, [(queue("mail"), expected)]);
    let Ok(Answer::Configured(answer)) = &committed.answers[0] else { panic!("{committed:?}") };
    assert_eq!(*answer, expected);
    store.reopen();
    assert_eq!(settings(&mut store, "mail"), expected);
}

#[test]
fn settings_in_the_database_take_precedence_over_the_configuration() {
    let mut store = Store::fresh();
    store.submit(job_in_queue("mail"));
    *store.config() = config();
    store.reopen();
    store.submit(job_in_queue("mail"));
    assert_eq!(settings(&mut store, "mail"), QueueSettings::default());
}

#[test]
fn a_change_creates_a_new_queue() {
    let mut store = Store::fresh();
    let change = QueueChange { paused: Some(true), ..QueueChange::default() };
    store.write(configure("mail", change)).unwrap();
    assert!(settings(&mut store, "mail").paused);
}

#[test]
fn an_invalid_change_is_refused_with_its_field_and_does_not_affect_its_queue_or_group() {
    let mut store = Store::fresh();
    store.submit(job_in_queue("mail"));
    let bad = QueueChange { max_running: Some(Some(0)), ..QueueChange::default() };
    let good = QueueChange { paused: Some(true), ..QueueChange::default() };
    let group = [configure("mail", bad), configure("new", bad), configure("mail", good)];
    let committed = store.commit(&group);
    assert_eq!(committed.configured.len(), 1);
    let [first, second, third] = committed.answers.try_into().unwrap();
    for refused in [first, second] {
        let Err(Refusal::InvalidSettings { pointer, .. }) = refused else { panic!("{refused:?}") };
        assert_eq!(pointer, "/max_running");
    }
    assert!(third.is_ok());
    assert_eq!(settings(&mut store, "mail"), QueueSettings { paused: true, ..Default::default() });
    assert_eq!(store.reads.queue(&queue("new"), store.now).unwrap(), None);
    store.submit(job_in_queue("mail"));
    store.submit(job_in_queue("new"));
}

#[test]
fn a_change_is_checked_together_with_the_settings_that_are_stored() {
    // The initial settings of the queue are invalid; a server refuses such a configuration.
    let long = Rate { limit: 1, period: Span::from_secs(48 * 3600) };
    let listed = QueueSettings { rate: Some(long), ..QueueSettings::default() };
    let queues = [(queue("mail"), listed)].into();
    let mut store = Store::configured(Config { queues, ..Config::default() });
    store.submit(job_in_queue("mail"));
    let pause = QueueChange { paused: Some(true), ..QueueChange::default() };
    let refused = store.write(configure("mail", pause)).unwrap_err();
    assert!(
        matches!(&refused, Refusal::InvalidSettings { pointer, .. } if pointer == "/rate/period"),
        "{refused:?}"
    );
    let repair = QueueChange { rate: Some(Some(RATE)), ..pause };
    store.write(configure("mail", repair)).unwrap();
    let expected = QueueSettings { paused: true, max_running: None, rate: Some(RATE) };
    assert_eq!(settings(&mut store, "mail"), expected);
}

#[test]
fn a_change_creates_no_more_queues_than_allowed() {
    let mut config = Config::default();
    config.limits.max_queues = 1;
    let mut store = Store::configured(config);
    store.submit(job());
    let refused = store.write(configure("mail", QueueChange::default())).unwrap_err();
    assert_eq!(refused, Refusal::TooManyQueues(1));
}

#[test]
fn the_store_leases_nothing_from_a_queue_that_the_configuration_pauses_even_if_ordered_to() {
    let mut store = Store::configured(config());
    let id = store.submit(job_in_queue("mail"));
    assert_eq!(ids(&leased(store.write(lease("mail", Lane::Async, 1)))), []);
    assert_eq!(store.state(id), State::Queued);
}

#[test]
fn queue_loads_returns_every_queue_and_its_remote_jobs() {
    let mut store = Store::configured(config());
    let remote = longshore::job::NewJob { lane: Lane::Remote, ..job_in_queue("mail") };
    let blocking = longshore::job::NewJob { lane: Lane::Thread, ..job_in_queue("mail") };
    store.submit_all(vec![job(), remote.clone(), remote.clone(), remote, blocking]);
    let paused = |is_paused| QueueChange { paused: Some(is_paused), ..QueueChange::default() };
    store.write(configure("mail", paused(false))).unwrap();
    store.write(lease("mail", Lane::Remote, 2)).unwrap();
    store.write(configure("mail", paused(true))).unwrap();
    store.write(lease("default", Lane::Async, 1)).unwrap();
    store.reopen();
    let mut loads = store.writes().queue_loads().unwrap();
    loads.sort_by(|a, b| a.name.cmp(&b.name));
    let [default, mail] = loads.try_into().unwrap();
    assert_eq!((default.name, default.remote_running), (queue("default"), 0));
    assert_eq!(default.ready, [], "its only job is running");
    assert_eq!((mail.name, mail.remote_running), (queue("mail"), 2));
    assert!(mail.settings.paused);
    assert_eq!(mail.ready, [Lane::Thread]);
    assert_eq!(mail.remote_kinds, ["echo"]);
}
