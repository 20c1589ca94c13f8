//! Writes to the database before the actors start: the epoch, the rescue of jobs, the listed queues.

use tokio::time::Instant;

use crate::actor::events::failure_log::{FailedJob, FailureLog};
use crate::clock::Clock;
use crate::config::Config;
use crate::job::queue::{QueueChange, QueueName};
use crate::store::{Answer, MOVE_AT_ONCE, RescueScope, StoreError, Write, WriteStore};

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
