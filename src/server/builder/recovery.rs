//! Writes to the database before the actors start: the epoch, the rescue of jobs, the listed queues.

use tokio::time::Instant;

use crate::actor::events::failure_log::{FailedJob, FailureLog};
use crate::actor::keeper::prune_hold::{ClockJump, PruneHold};
use crate::clock::Clock;
use crate::config::Config;
use crate::job::queue::{QueueChange, QueueName};
use crate::store::{Answer, MOVE_AT_ONCE, ReadStore, RescueScope, StoreError, Write, WriteStore};

/// Creates the queues that the configuration lists, so that they are shown before their first job.
pub(crate) fn create_configured_queues(
    store: &mut dyn WriteStore,
    config: &Config,
    clock: &Clock,
) -> Result<(), StoreError> {
    let change = QueueChange::default();
    let create = |queue: &QueueName| Write::Configure { queue: queue.clone(), change };
    let writes: Vec<Write> = config.queues.keys().map(create).collect();
    if !writes.is_empty() {
        store.commit(&writes.iter().collect::<Vec<_>>(), clock.now())?;
    }
    Ok(())
}

/// Begins a new epoch if the database is a copy, before any other write.
pub(crate) fn begin_epoch(
    store: &mut dyn WriteStore,
    is_restored: bool,
    clock: &Clock,
) -> Result<(), StoreError> {
    if let Some(epoch) = store.begin_epoch(is_restored, clock.now())? {
        let copied_at = epoch.copied_at.map(|at| at.to_string());
        let token_floor = epoch.token_floor;
        tracing::warn!(
            copied_at,
            token_floor,
            "the database is a copy: a new epoch begins, and all earlier leases are refused"
        );
    }
    Ok(())
}

/// Holds pruning if the clock has jumped since the last activity. Otherwise records the activity, so that
/// the next start can tell.
pub(crate) fn check_clock(
    store: &mut dyn WriteStore,
    reads: &mut dyn ReadStore,
    config: &Config,
    clock: &Clock,
) -> Result<PruneHold, StoreError> {
    let (now, retention) = (clock.now(), config.retention);
    let jump = ClockJump::find(reads.last_activity()?, now, retention);
    if let Some(jump) = &jump {
        tracing::warn!(
            last_activity_at = %jump.last_activity_at,
            %now,
            %retention,
            held_until = %jump.held_until(),
            "the last activity is longer ago than the retention: if the clock is wrong, every final \
             job would be deleted; nothing is deleted before 'longshore prune --confirm' or 24h"
        );
    } else {
        match store.commit(&[&Write::RecordActivity], now) {
            // The disk may be full. The Keeper records the activity later.
            Ok(_) | Err(StoreError::Full(_) | StoreError::Busy(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(PruneHold::new(jump))
}

/// Rescues the jobs that a dead process left running. This process runs none yet, so every running job
/// of a local lane belongs to a dead process.
pub(crate) fn rescue_dead(store: &mut dyn WriteStore, clock: &Clock) -> Result<(), StoreError> {
    let mut rescued = 0;
    let mut failure_log = FailureLog::default();
    loop {
        let write = Write::Rescue { scope: RescueScope::Dead, limit: MOVE_AT_ONCE };
        let committed = store.commit(&[&write], clock.now())?;
        failure_log.log(&FailedJob::all(&committed.changes), Instant::now());
        let Some(Ok(Answer::Moved(moved))) = committed.answers.into_iter().next() else { break };
        rescued += moved.count;
        if moved.count == 0 {
            break;
        }
    }
    if rescued > 0 {
        tracing::warn!(
            jobs = rescued,
            "rescued the jobs that the previous process left running when it died"
        );
    }
    Ok(())
}
