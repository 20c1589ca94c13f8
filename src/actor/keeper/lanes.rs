//! The duty to warn when all workers of a lane are busy for long.

use std::time::Duration;

use actix::Context;

use crate::actor::keeper::Keeper;
use crate::job::{Lane, Timestamp};

/// Time after which a full lane is worth a warning.
const FULL_TOO_LONG: Duration = Duration::from_secs(30);

/// Since when the lanes of this process are full.
#[derive(Debug, Default)]
pub(super) struct FullLanes {
    since: [Option<Timestamp>; Lane::COUNT],
    is_warned: [bool; Lane::COUNT],
}

impl FullLanes {
    /// Records whether a lane is full at `now`. Returns for how long it has been full if that is worth a
    /// warning, once each time that it fills up.
    fn record(&mut self, lane: Lane, is_full: bool, now: Timestamp) -> Option<Duration> {
        let index = lane.index();
        if !is_full {
            self.since[index] = None;
            self.is_warned[index] = false;
            return None;
        }
        let took = now.since(*self.since[index].get_or_insert(now));
        let is_due = took >= FULL_TOO_LONG && !self.is_warned[index];
        self.is_warned[index] |= is_due;
        is_due.then_some(took)
    }
}

impl Keeper {
    /// Warns when all workers of a lane have been busy for long.
    pub(super) fn watch_lanes(&mut self, _: &mut Context<Self>) {
        let now = self.clock.now();
        for lane in Lane::LOCAL {
            let workers = self.workers[lane.index()];
            let running = self.peers.recorder.with(|recorder| recorder.running(lane));
            let is_full = running >= i64::from(workers);
            if let Some(took) = self.full_lanes.record(lane, is_full, now) {
                tracing::warn!(
                    %lane,
                    workers,
                    seconds = took.as_secs(),
                    "all workers of a lane are busy: its other jobs wait; see GET /v1/queues, or raise \
                     its number of workers"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_lane_is_reported_once_after_30_seconds_and_again_after_it_had_room() {
        let mut lanes = FullLanes::default();
        let mut warned_at = Vec::new();
        for second in 0..100 {
            let at = Timestamp::from_millis(second * 1_000);
            if lanes.record(Lane::Async, second != 50, at).is_some() {
                warned_at.push(second);
            }
        }
        assert_eq!(warned_at, [30, 81]);
    }
}
