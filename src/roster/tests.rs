//! Tests of the roster alone: lease orders for given workers, queues and limits.

use super::*;

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
        roster.mark_ready(&name(queue), Lane::Async, None);
    }
    roster
}

pub(super) fn leased(started: u32, is_empty: bool) -> LeaseResult<'static> {
    LeaseResult { started, is_empty, ..LeaseResult::default() }
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
        roster.record_lease(&order, leased(order.limit, false), at(0));
    }
    roster.mark_ready(&name("b"), Lane::Async, None);
    for _ in 0..2 {
        roster.release_worker(&name("a"), Lane::Async);
        let orders = roster.plan(at(0));
        assert_eq!(limits(&orders), [("b", 1)]);
        roster.record_lease(&orders[0], leased(1, false), at(0));
    }
}

#[test]
fn an_empty_queue_is_skipped_until_it_is_marked_ready_again() {
    let mut roster = roster(4, &["a"]);
    let orders = roster.plan(at(0));
    roster.record_lease(&orders[0], leased(1, true), at(0));
    assert_eq!(roster.plan(at(0)), []);
    roster.mark_ready(&name("a"), Lane::Async, None);
    assert_eq!(limits(&roster.plan(at(0))), [("a", 3)]);
}

#[test]
fn max_running_applies_to_all_lanes_together() {
    let mut roster = Roster::new([4, 4, 0, 0], Vec::new(), rules());
    let settings = QueueSettings { max_running: Some(5), ..QueueSettings::default() };
    roster.configure(&name("a"), settings);
    roster.mark_ready(&name("a"), Lane::Async, None);
    roster.mark_ready(&name("a"), Lane::Thread, None);
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
fn a_queue_that_the_store_holds_back_waits_until_the_time_that_the_store_said() {
    let mut roster = roster(100, &["a"]);
    let orders = roster.plan(at(0));
    let held = Some(Held::Rate(at(700)));
    roster.record_lease(&orders[0], LeaseResult { held, ..leased(3, false) }, at(0));
    assert_eq!((roster.plan(at(699)), roster.wake_at(at(0))), (vec![], Some(at(700))));
    assert_eq!(limits(&roster.plan(at(700))), [("a", 97)]);
    // A job that ends does not change a rate limit. New settings do.
    roster.release_worker(&name("a"), Lane::Async);
    assert_eq!(roster.plan(at(699)), []);
    roster.configure(&name("a"), QueueSettings::default());
    assert_eq!(limits(&roster.plan(at(1))), [("a", 98)]);
}

#[test]
fn a_queue_that_the_store_found_full_is_tried_again_when_a_job_ends_or_soon() {
    let mut roster = roster(2, &["a"]);
    let orders = roster.plan(at(0));
    let full = LeaseResult { held: Some(Held::Full), ..leased(1, false) };
    roster.record_lease(&orders[0], full, at(0));
    assert_eq!((roster.plan(at(99)), roster.wake_at(at(0))), (vec![], Some(at(100))));
    assert_eq!(limits(&roster.plan(at(100))), [("a", 1)]);
    roster.release_worker(&name("a"), Lane::Async);
    assert_eq!(limits(&roster.plan(at(1))), [("a", 2)]);
}

#[test]
fn a_queue_without_max_running_gets_its_share_of_the_async_lane_and_no_more() {
    let mut roster = roster(8, &["a"]).limit_queue_share(6);
    assert_eq!(limits(&roster.plan(at(0))), [("a", 6)]);
    let orders = roster.plan(at(0));
    roster.record_lease(&orders[0], leased(6, false), at(0));
    assert_eq!(roster.plan(at(0)), []);
    roster.mark_ready(&name("b"), Lane::Async, None);
    assert_eq!(limits(&roster.plan(at(0))), [("b", 2)]);
    let settings = QueueSettings { max_running: Some(100), ..QueueSettings::default() };
    roster.configure(&name("a"), settings);
    assert_eq!(limits(&roster.plan(at(0))), [("b", 2)]);
    roster.record_lease(&roster.plan(at(0))[0].clone(), leased(0, true), at(0));
    assert_eq!(limits(&roster.plan(at(0))), [("a", 2)]);
}

#[test]
fn the_deliveries_of_webhooks_get_half_of_the_async_lane_and_other_jobs_take_turns_with_them() {
    let mut roster = roster(8, &["callbacks"]).limit_queue_share(6).limit_deliveries(4);
    let orders = roster.plan(at(0));
    assert_eq!(limits(&orders), [("callbacks", 4)]);
    roster.record_lease(&orders[0], leased(4, false), at(0));
    assert_eq!(roster.plan(at(0)), []);
    roster.mark_ready(&name("a"), Lane::Async, None);
    assert_eq!(limits(&roster.plan(at(0))), [("a", 4)]);

    // With a single worker, a job waits for at most two deliveries: the one that runs, and one that was before it.
    let mut single = self::roster(1, &["callbacks"]).limit_deliveries(1);
    for turn in ["callbacks", "callbacks", "a", "callbacks"] {
        let orders = single.plan(at(0));
        assert_eq!(limits(&orders), [(turn, 1)]);
        single.record_lease(&orders[0], leased(1, false), at(0));
        single.mark_ready(&name("a"), Lane::Async, None);
        single.release_worker(&name(turn), Lane::Async);
    }
}

fn provider(text: &str) -> ProviderName {
    text.parse().unwrap()
}

fn shares(order: &LeaseOrder) -> Vec<(&str, u32)> {
    order.providers.iter().map(|share| (share.provider.as_str(), share.limit)).collect()
}

#[test]
fn a_full_provider_holds_only_its_own_jobs_back() {
    let mut roster = roster(4, &[]);
    let (slow, fast) = (provider("slow"), provider("fast"));
    roster.set_provider_room(&slow, Room { jobs: 0, held: Some(Held::Full) });
    roster.mark_ready(&name("a"), Lane::Async, Some(&slow));
    assert_eq!(roster.plan(at(0)), []);
    roster.mark_ready(&name("a"), Lane::Async, Some(&fast));
    let orders = roster.plan(at(0));
    assert_eq!((limits(&orders), shares(&orders[0])), (vec![("a", 4)], vec![("fast", 4)]));
    assert!(!orders[0].without_provider);
    roster.mark_ready(&name("a"), Lane::Async, None);
    assert!(roster.plan(at(0))[0].without_provider);
    // The order found no job of `fast` and none without a provider: only the full one is left.
    let orders = roster.plan(at(0));
    let empty = LeaseResult { empty_providers: std::slice::from_ref(&fast), ..leased(0, true) };
    roster.record_lease(&orders[0], empty, at(0));
    assert_eq!(roster.plan(at(0)), []);
    roster.expect_provider_room(&slow);
    assert_eq!(shares(&roster.plan(at(0))[0]), [("slow", 1)]);
}

#[test]
fn what_a_provider_allows_goes_to_the_queue_with_the_fewest_running_jobs() {
    let mut roster = roster(100, &[]);
    let model = provider("model");
    roster.set_provider_room(&model, Room { jobs: 5, held: Some(Held::Full) });
    roster.mark_ready(&name("bulk"), Lane::Async, Some(&model));
    let orders = roster.plan(at(0));
    assert_eq!(shares(&orders[0]), [("model", 5)]);
    roster.record_lease(&orders[0], leased(5, false), at(0));
    roster.set_provider_room(&model, Room { jobs: 0, held: Some(Held::Full) });
    roster.mark_ready(&name("urgent"), Lane::Async, Some(&model));
    roster.release_worker(&name("bulk"), Lane::Async);
    roster.expect_provider_room(&model);
    let orders = roster.plan(at(0));
    assert_eq!((limits(&orders), shares(&orders[0])), (vec![("urgent", 1)], vec![("model", 1)]));
    // A room of three is divided.
    roster.set_provider_room(&model, Room { jobs: 3, held: Some(Held::Full) });
    let orders = roster.plan(at(0));
    let all: Vec<_> = orders.iter().map(|order| (order.queue.as_str(), shares(order))).collect();
    assert_eq!(all, [("urgent", vec![("model", 2)]), ("bulk", vec![("model", 1)])]);
}

#[test]
fn a_pause_of_a_provider_sets_the_wake_time() {
    let mut roster = roster(4, &[]);
    let model = provider("model");
    roster.set_provider_room(&model, Room { jobs: 0, held: Some(Held::Pause(at(500))) });
    roster.mark_ready(&name("a"), Lane::Async, Some(&model));
    assert_eq!((roster.plan(at(499)), roster.wake_at(at(0))), (vec![], Some(at(500))));
    // The call of another job that ends does not end the pause.
    roster.expect_provider_room(&model);
    assert_eq!(roster.plan(at(499)), []);
    assert_eq!(limits(&roster.plan(at(500))), [("a", 4)]);
}

#[test]
fn a_queue_whose_next_job_is_large_waits_for_room_and_holds_no_other_back() {
    const KIB: usize = 1 << 10;
    let mut roster = roster(8, &["a", "b"]).limit_running_bytes(400 * KIB);
    let large = |started| LeaseResult { is_large_next: true, ..leased(started, false) };
    let rooms = |orders: &[LeaseOrder]| -> Vec<(String, usize)> {
        let room = |order: &LeaseOrder| (order.queue.to_string(), order.payload_room / KIB);
        orders.iter().map(room).collect()
    };
    let orders = roster.plan(at(0));
    assert_eq!(rooms(&orders), [("a".into(), 300), ("b".into(), 300)]);
    roster.add_payload(&name("a"), 300 * KIB);
    roster.record_lease(&orders[0], large(1), at(0));
    roster.record_lease(&orders[1], leased(1, false), at(0));
    assert_eq!(rooms(&roster.plan(at(0))), [("b".into(), 75)]);
    // A small payload does not count.
    roster.add_payload(&name("b"), LARGE_PAYLOAD_BYTES);
    assert_eq!(rooms(&roster.plan(at(0))), [("b".into(), 75)]);
    roster.add_payload(&name("b"), 80 * KIB);
    roster.record_lease(&roster.plan(at(0))[0].clone(), large(1), at(0));
    assert_eq!(roster.plan(at(0)), []);
    roster.remove_payload(&name("b"), 80 * KIB);
    assert_eq!(rooms(&roster.plan(at(0))), [("b".into(), 75)]);
}

#[test]
fn a_queue_that_waits_for_room_is_tried_again_when_another_job_may_be_first() {
    let mut roster = roster(4, &["a"]).limit_running_bytes(LARGE_PAYLOAD_BYTES);
    let large = LeaseResult { is_large_next: true, ..leased(0, false) };
    roster.add_payload(&name("b"), 2 * LARGE_PAYLOAD_BYTES);
    for is_removal in [true, false] {
        let orders = roster.plan(at(0));
        assert_eq!((limits(&orders), orders[0].payload_room), (vec![("a", 4)], 0));
        roster.record_lease(&orders[0], large, at(0));
        assert_eq!(roster.plan(at(0)), []);
        if is_removal {
            roster.note_removal(&name("a"), Lane::Async);
        } else {
            roster.mark_ready(&name("a"), Lane::Async, None);
        }
    }
    assert_eq!(limits(&roster.plan(at(0))), [("a", 4)]);
}

#[test]
fn a_queue_that_gets_nothing_because_of_the_payloads_of_another_is_first_in_the_next_plan() {
    let mut roster = roster(4, &["a", "b"]);
    let orders = roster.plan(at(0));
    assert_eq!(limits(&orders), [("a", 2), ("b", 2)]);
    roster.record_lease(&orders[0], leased(1, false), at(0));
    roster.record_lease(&orders[1], leased(0, false), at(0));
    assert_eq!(limits(&roster.plan(at(0))), [("b", 2), ("a", 1)]);
}
