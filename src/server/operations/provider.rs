//! Providers, and what jobs wait for.

use crate::api::providers::Provider;
use crate::job::limit::provider::ProviderLimits;
use crate::job::limit::waiting::{LaneOfJob, Waiting};
use crate::job::queue::QueueName;
use crate::job::{Job, Lane, State};
use crate::server::error::Error;
use crate::server::handle::Handle;

impl Handle {
    /// Returns all configured providers with their limits and their state, and those that are no longer
    /// configured but still have jobs, ordered by name.
    ///
    /// # Errors
    /// Returns [`Error::Forbidden`] if the principal may only use some queues, [`Error::Overloaded`] if too many
    /// reads are in progress, and [`Error::Unreadable`] if the database cannot be read.
    pub async fn providers(&self) -> Result<Vec<Provider>, Error> {
        self.check_all_queues()?;
        let _permit = self.point_read_permit()?;
        let all = self.point_read(|store, _| store.providers()).await?;
        let (limits, now) = (self.config().provider_limits(), self.clock().now());
        let providers = all.into_iter().filter_map(|(name, mut state)| {
            state.forget_pause(now);
            let configured = limits.get(&name).copied();
            let is_shown = configured.is_some() || state.running > 0 || state.queued > 0;
            is_shown.then(|| Provider::new(name, configured, &state, now))
        });
        Ok(providers.collect())
    }

    /// Adds to a job that waits what it waits for.
    pub(in crate::server) async fn add_waiting(&self, job: &mut Job) -> Result<(), Error> {
        if let Some(waiting) = Waiting::for_time(job.state, job.run_at) {
            job.set_waiting(waiting);
        }
        if job.state != State::Queued {
            return Ok(());
        }
        let id = job.id;
        let found = self.point_read(move |store, now| {
            Ok(store.limits_of_job(id, now)?.map(|limits| (limits, now)))
        });
        let Some((limits, now)) = found.await? else { return Ok(()) };
        let of_provider = limits
            .provider
            .as_ref()
            .and_then(|(name, _)| self.config().provider_limits().get(name).copied());
        let lane = self.lane_of_job(job.lane, &job.queue);
        let waiting = Waiting::in_queue(
            (&job.queue, &job.kind),
            &limits,
            lane,
            of_provider.unwrap_or(ProviderLimits::NOT_CONFIGURED),
            now,
        );
        let shows_all = self.access().is_all();
        job.set_waiting(if shows_all { waiting } else { waiting.without_others() });
        Ok(())
    }

    fn lane_of_job(&self, lane: Lane, queue: &QueueName) -> LaneOfJob {
        let lanes = &self.config().lanes;
        let load = self.lane_load(lane);
        LaneOfJob {
            lane,
            workers: load.workers,
            busy: load.busy,
            queue_share: lanes.share_of(queue),
        }
    }
}
