//! Tests of the roster alone: lease orders for given workers, queues and limits.

use super::*;
use crate::job::queue::Rate;
use crate::job::time::Span;

fn name(text: &str) -> QueueName {
    text.parse().unwrap()
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn rules() -> QueueRules {
    QueueRules { max_queues: 10, ..QueueRules::default() }
}

fn roster(idle: u32, ready: &[&str]) -> Roster {
    let mut roster = Roster::new([idle, 0, 0, 0], Vec::new(), rules());
    for queue in ready {
        roster.mark_ready(&name(queue), Lane::Async);
    }
    roster
}

fn limits(orders: &[LeaseOrder]) -> Vec<(&str, u32)> {
    orders.iter().map(|order| (order.queue.as_str(), order.limit)).collect()
}

#[test]
fn idle_workers_are_shared_evenly() {
    assert_eq!(limits(&roster(8, &["a", "b"]).plan(at(0))), [("a", 4), ("b", 4)]);
    assert_eq!(limits(&roster(3, &["a", "b"]).plan(at(0))), [("a", 2), ("b", 1)]);
    assert_eq!(limits(&roster(8, &["a"]).plan(at(0))), [("a", 8)]);
    assert_eq!(limits(&roster(0, &["a"]).plan(at(0))), []);
}

#[test]
fn a_freed_worker_goes_to_the_queue_with_the_fewest_running_jobs() {
    let mut roster = roster(4, &["a"]);
    for order in roster.plan(at(0)) {
        roster.record_lease(&order, order.limit, false, at(0));
    }
    roster.mark_ready(&name("b"), Lane::Async);
    for _ in 0..2 {
        roster.release_worker(&name("a"), Lane::Async);
        let orders = roster.plan(at(0));
        assert_eq!(limits(&orders), [("b", 1)]);
        roster.record_lease(&orders[0], 1, false, at(0));
    }
}

#[test]
fn an_empty_queue_is_skipped_until_it_is_marked_ready_again() {
    let mut roster = roster(4, &["a"]);
    let orders = roster.plan(at(0));
    roster.record_lease(&orders[0], 1, true, at(0));
    assert_eq!(roster.plan(at(0)), []);
    roster.mark_ready(&name("a"), Lane::Async);
    assert_eq!(limits(&roster.plan(at(0))), [("a", 3)]);
}

#[test]
fn max_running_applies_to_all_lanes_together() {
    let mut roster = Roster::new([4, 4, 0, 0], Vec::new(), rules());
    let settings = QueueSettings { max_running: Some(5), ..QueueSettings::default() };
    roster.configure(&name("a"), settings);
    roster.mark_ready(&name("a"), Lane::Async);
    roster.mark_ready(&name("a"), Lane::Thread);
    assert_eq!(limits(&roster.plan(at(0))), [("a", 4), ("a", 1)]);
}

#[test]
fn a_paused_queue_and_a_draining_roster_lease_nothing() {
    let mut roster = roster(4, &["a"]);
    roster.configure(&name("a"), QueueSettings { paused: true, ..QueueSettings::default() });
    assert_eq!(roster.plan(at(0)), []);
    roster.configure(&name("a"), QueueSettings::default());
    roster.drain();
    assert_eq!(roster.plan(at(0)), []);
}

#[test]
fn a_rate_limit_applies_to_every_window_and_sets_the_wake_time() {
    let mut roster = roster(100, &["a"]);
    let rate = Some(Rate { limit: 3, period: Span::from_secs(1) });
    roster.configure(&name("a"), QueueSettings { rate, ..QueueSettings::default() });
    let mut starts = Vec::new();
    let mut now = at(0);
    while starts.len() < 30 {
        for order in roster.plan(now) {
            // One start at a time, so that the starts are spread unevenly over the window.
            roster.record_lease(&LeaseOrder { limit: 1, ..order }, 1, false, now);
            starts.push(now.millis());
        }
        now = roster.wake_at(now).unwrap_or(now.plus(std::time::Duration::from_millis(70)));
    }
    for window in starts.windows(4) {
        assert!(window[3] - window[0] >= 1_000, "four starts within a second: {window:?}");
    }
    assert!(starts[29] <= 10_000, "slower than the rate allows: {starts:?}");
}

#[test]
fn no_job_starts_while_the_payloads_of_running_jobs_use_up_their_limit() {
    let mut roster = roster(4, &["a"]).limit_running_bytes(100);
    let orders = roster.plan(at(0));
    assert_eq!((limits(&orders), orders[0].payload_room), (vec![("a", 4)], 100));
    roster.record_lease(&orders[0], 1, false, at(0));
    roster.add_running_bytes(99);
    assert_eq!(roster.plan(at(0))[0].payload_room, 1);
    roster.add_running_bytes(500);
    assert_eq!(roster.plan(at(0)), []);
    roster.remove_running_bytes(550);
    assert_eq!(roster.plan(at(0))[0].payload_room, 51);
}

#[test]
fn a_queue_that_gets_nothing_because_of_the_payloads_of_another_is_first_in_the_next_plan() {
    let mut roster = roster(4, &["a", "b"]);
    let orders = roster.plan(at(0));
    assert_eq!(limits(&orders), [("a", 2), ("b", 2)]);
    roster.record_lease(&orders[0], 1, false, at(0));
    roster.record_lease(&orders[1], 0, false, at(0));
    assert_eq!(limits(&roster.plan(at(0))), [("b", 2), ("a", 1)]);
}

#[test]
fn undo_release_undoes_release_worker() {
    let mut roster = roster(1, &["a"]);
    let orders = roster.plan(at(0));
    roster.record_lease(&orders[0], 1, false, at(0));
    roster.release_worker(&name("a"), Lane::Async);
    roster.undo_release(&name("a"), Lane::Async);
    assert_eq!(roster.plan(at(0)), []);
}
