//! Random jobs to submit.

pub(super) mod end;

use std::time::Duration;

use longshore::job::submission::on_end::callback::CALLBACK_QUEUE;
use longshore::job::submission::on_end::reference::Source;
use longshore::job::{Json, Lane, NewJob, Span};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use end::{EndDraft, MAX_FOLLOW_UPS, RECEIVERS, end_draft};

use super::table::Model;
use crate::kit::{job, provider, queue};

/// Queue names: one more than `max_queues` allows.
pub(super) const QUEUES: [&str; 5] = ["default", "mail", "reports", CALLBACK_QUEUE, "one-too-many"];
pub(super) const KINDS: [&str; 3] = ["echo", "resize", "shrink"];
const LANES: [Lane; 3] = [Lane::Async, Lane::Thread, Lane::Remote];
/// Providers, each with its `max_running` and its `requests_per_minute`.
pub(super) const PROVIDERS: [(&str, Option<u32>, Option<u32>); 2] =
    [("alpha", Some(3), None), ("beta", None, Some(4))];

/// Providers, and the groups of the receivers of webhooks.
pub(super) const SHARES: [&str; 4] = ["alpha", "beta", RECEIVERS[0].1, RECEIVERS[1].1];

/// Random properties of a job to submit.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    queue: &'static str,
    provider: Option<&'static str>,
    lane: Lane,
    kind: &'static str,
    priority: i8,
    delay_secs: u64,
    expires_after_secs: Option<u64>,
    max_attempts: u32,
    at_most_once: bool,
    tags: Vec<String>,
    is_impossible: bool,
    truncate_result: bool,
    has_metadata: bool,
    end: EndDraft,
}

/// Returns lanes: most jobs are in the async lane.
pub(super) fn lane() -> impl Strategy<Value = Lane> {
    prop_oneof![5 => Just(LANES[0]), 1 => Just(LANES[1]), 3 => Just(LANES[2])]
}

/// Returns queues of lease requests: most jobs are in the first one.
pub(super) fn leased_queue() -> impl Strategy<Value = &'static str> {
    prop_oneof![1 => Just(QUEUES[0]), 1 => select(&QUEUES[..])]
}

pub(super) fn draft() -> BoxedStrategy<Draft> {
    draft_before(MAX_FOLLOW_UPS)
}

/// Returns drafts that have a chain of at most this number of follow-up jobs.
fn draft_before(max_follow_ups: u32) -> BoxedStrategy<Draft> {
    let queue = prop_oneof![
        8 => Just(QUEUES[0]), 3 => Just(QUEUES[1]), 2 => Just(QUEUES[2]), 1 => Just(QUEUES[4])
    ];
    let lane = lane();
    let provider = option::weighted(0.4, select(&PROVIDERS[..]));
    let lane = (lane, select(&KINDS[..]), provider);
    let tags = select(vec![vec![], vec!["a".to_string()], vec!["a".into(), "b".into()]]);
    let delay_secs = prop_oneof![3 => Just(0_u64), 1 => 1..20_u64];
    let timing = (delay_secs, option::weighted(0.2, 1..20_u64));
    let rare = proptest::bool::weighted;
    let limits = (1..4_u32, rare(0.15), rare(0.03), rare(0.3), rare(0.3));
    let end = end_draft(max_follow_ups, 0.4);
    let drafted = (queue, lane, -2..3_i8, timing, limits, tags, end);
    let drafted = drafted.prop_map(|(queue, lane, priority, timing, limits, tags, end)| Draft {
        queue,
        lane: lane.0,
        kind: lane.1,
        // Only the async lane has jobs that call a provider.
        provider: lane.2.filter(|_| lane.0 == Lane::Async).map(|(name, ..)| name),
        priority,
        delay_secs: timing.0,
        expires_after_secs: timing.1,
        max_attempts: limits.0,
        at_most_once: limits.1,
        is_impossible: limits.2,
        truncate_result: limits.3,
        has_metadata: limits.4,
        tags,
        end,
    });
    drafted.boxed()
}

impl Draft {
    pub(super) fn new_job(&self, model: &Model) -> NewJob {
        let after = |secs| model.now.plus(Duration::from_secs(secs));
        NewJob {
            queue: queue(self.queue),
            lane: self.lane,
            kind: self.kind.parse().unwrap(),
            provider: self.provider.map(provider),
            priority: self.priority,
            run_at: after(self.delay_secs),
            is_scheduled: self.delay_secs > 0,
            expires_at: self.expires_after_secs.map(|secs| after(self.delay_secs + secs)),
            max_attempts: self.max_attempts,
            at_most_once: self.at_most_once,
            truncate_result: self.truncate_result,
            metadata: self.has_metadata.then(|| Json::trusted(r#"{"user": 7}"#)),
            tags: self.tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            timeout: Span::from_secs(if self.is_impossible { 0 } else { 30 }),
            on_end: self.end.on_end(model, Source::Job),
            ..job()
        }
    }
}
