//! Random jobs to submit.

use std::time::Duration;

use longshore::job::{Lane, NewJob, Span};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::table::Model;
use crate::kit::{job, provider, queue};

/// Queue names: one more than `max_queues` allows.
pub(super) const QUEUES: [&str; 4] = ["default", "mail", "reports", "one-too-many"];
pub(super) const KINDS: [&str; 3] = ["echo", "resize", "shrink"];
pub(super) const LANES: [Lane; 3] = [Lane::Async, Lane::Thread, Lane::Remote];
/// Providers, each with its `max_running` and its `requests_per_minute`.
pub(super) const PROVIDERS: [(&str, Option<u32>, Option<u32>); 2] =
    [("alpha", Some(3), None), ("beta", None, Some(4))];

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
}

pub(super) fn draft() -> impl Strategy<Value = Draft> {
    let queue = prop_oneof![
        8 => Just(QUEUES[0]), 3 => Just(QUEUES[1]), 2 => Just(QUEUES[2]), 1 => Just(QUEUES[3])
    ];
    let lane = prop_oneof![5 => Just(LANES[0]), 1 => Just(LANES[1]), 3 => Just(LANES[2])];
    let provider = option::weighted(0.4, select(&PROVIDERS[..]));
    let lane = (lane, select(&KINDS[..]), provider);
    let tags = select(vec![vec![], vec!["a".to_string()], vec!["a".into(), "b".into()]]);
    let delay_secs = prop_oneof![3 => Just(0_u64), 1 => 1..20_u64];
    let timing = (delay_secs, option::weighted(0.2, 1..20_u64));
    let rare = proptest::bool::weighted;
    let limits = (1..4_u32, rare(0.15), rare(0.03), rare(0.3));
    (queue, lane, -2..3_i8, timing, limits, tags).prop_map(
        |(queue, lane, priority, timing, limits, tags)| Draft {
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
            tags,
        },
    )
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
            tags: self.tags.iter().map(|tag| tag.parse().unwrap()).collect(),
            timeout: Span::from_secs(if self.is_impossible { 0 } else { 30 }),
            ..job()
        }
    }
}
